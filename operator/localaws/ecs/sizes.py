"""Sizes of tasks: the ways to write cpu and memory, and the pairs that Fargate has machines for.

Speaks CPU units (1024 a vCPU) and MiB.
"""

from __future__ import annotations

import re

from localaws.ecs import errors

_VCPU = re.compile(r"(?P<number>\d+(\.\d+)?)\s*vcpu", re.IGNORECASE)
_GB = re.compile(r"(?P<number>\d+(\.\d+)?)\s*gb", re.IGNORECASE)

# documented: developer guide, "Fargate task definition differences", table of task sizes
_FARGATE: dict[int, range | tuple[int, ...]] = {
    256: (512, 1024, 2048),
    512: range(1024, 4096 + 1, 1024),
    1024: range(2048, 8192 + 1, 1024),
    2048: range(4096, 16384 + 1, 1024),
    4096: range(8192, 30720 + 1, 1024),
    8192: range(16384, 61440 + 1, 4096),
    16384: range(32768, 122880 + 1, 8192),
}
LARGE_CPU = 8192
"""From here on a task needs platform version 1.4.0 (documented: API: RegisterTaskDefinition.memory)."""
OLD_PLATFORM = "1.3.0"
"""The platform version of Fargate before the newest one."""


def cpu_units(text: str) -> int:
    """Read "1024" or "1 vCPU" (documented: API: RegisterTaskDefinition.cpu)."""
    return _read(text, _VCPU, "cpu")


def memory_mib(text: str) -> int:
    """Read "2048" or "2 GB" (documented: API: RegisterTaskDefinition.memory)."""
    return _read(text, _GB, "memory")


def check_fargate(cpu: int, memory: int) -> None:
    """Refuse a pair that Fargate does not offer."""
    if memory not in _FARGATE.get(cpu, ()):
        # reported: towardsthecloud/aws-cdk-examples#1
        raise errors.client(
            f"No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. "
            "See the Amazon ECS documentation for the valid values."
        )


def _read(text: str, unit: re.Pattern[str], setting: str) -> int:
    text = text.strip()
    if text.isascii() and text.isdecimal():
        return int(text)
    match = unit.fullmatch(text)
    if match is None:
        # documented: developer guide, "Invalid CPU or memory value specified"
        raise errors.client(
            f"Invalid '{setting}' setting for task. For more information, see the Troubleshooting section of the "
            "Amazon ECS Developer Guide."
        )
    return int(float(match["number"]) * 1024)
