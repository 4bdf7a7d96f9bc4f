"""The sizes that AWS Fargate offers, as data, and the rule made of them.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-cpu-memory-error.html has the table. AWS adds sizes
faster than clusters get new CRDs: a number of CPU units that is not in the table passes here, and ECS judges it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from backgroundtask.api.rules import Rule

SIZES: Final[Mapping[int, Sequence[int]]] = MappingProxyType(
    {
        256: (512, 1024, 2048),
        512: range(1024, 4096 + 1, 1024),
        1024: range(2048, 8192 + 1, 1024),
        2048: range(4096, 16384 + 1, 1024),
        4096: range(8192, 30720 + 1, 1024),
        8192: range(16384, 61440 + 1, 4096),
        16384: range(32768, 122880 + 1, 8192),
    }
)
"""MiB of memory by CPU units."""


def fits(cpu: int, memory: int) -> bool:
    """Tell whether Fargate offers `memory` MiB with `cpu` units; unknown `cpu` is left to ECS."""
    return cpu not in SIZES or memory in SIZES[cpu]


def _cel(memory: Sequence[int]) -> str:
    if not isinstance(memory, range):
        return f"self.memory in {list(memory)}"
    return f"self.memory >= {memory[0]} && self.memory <= {memory[-1]} && self.memory % {memory.step} == 0"


def _words(memory: Sequence[int]) -> str:
    if not isinstance(memory, range):
        return ", ".join(map(str, memory))
    return f"{memory[0]} to {memory[-1]} in steps of {memory.step}"


OFFER: Final = "; ".join(f"{cpu}: {_words(memory)}" for cpu, memory in SIZES.items())
"""The table in words: CPU units, and the MiB that go with them."""

_IS_OFFERED: Final = "".join(f"self.cpu == {cpu} ? {_cel(memory)} : " for cpu, memory in SIZES.items()) + "true"

SIZE_RULE: Final = Rule(
    cel=_IS_OFFERED,
    message=f"Fargate does not offer this memory with this cpu; it offers, in MiB by cpu: {OFFER}",
    holds=lambda spec: fits(spec.cpu, spec.memory),
    field="memory",
)
OVERRIDDEN_SIZE_RULE: Final = replace(
    SIZE_RULE,
    cel=f"!has(self.cpu) || !has(self.memory) || ({_IS_OFFERED})",
    holds=lambda spec: spec.cpu is None or spec.memory is None or fits(spec.cpu, spec.memory),
)
"""The same where both are overridden; of one alone only the task tells what it goes with."""
