"""Overrides of RunTask: which ones ECS takes, and the form in which a task shows them."""

from __future__ import annotations

import copy
import json

from localaws.contract import Params
from localaws.ecs import checks, errors, sizes

_MOST_CHARACTERS = 8192
_SIZES = ("cpu", "memory")


def complete(params: Params, body: Params) -> Params:
    """Check the `overrides` of a request against the definition and give them with one entry a container.

    reported: floci's documentation and the samples of the API: `overrides` of a task is never absent
    """
    sent: Params = copy.deepcopy(params.get("overrides") or {})
    _check_length(sent)
    given = {_name(entry): entry for entry in sent.get("containerOverrides", []) if entry}
    known = {container["name"]: container for container in body["containerDefinitions"]}
    for name, entry in given.items():
        if name not in known:
            # reported: azavea/django-ecsmanage#21
            raise errors.invalid(f"Override for container named {name} is not a container in the TaskDefinition.")
        checks.check_secret_names(known[name], {pair["name"] for pair in entry.get("environment", [])})
    entries = [given.get(name, {"name": name}) for name in known]
    complete = {"inferenceAcceleratorOverrides": [], **sent, "containerOverrides": entries}
    return complete | {name: str(size) for name, size in _task_size(sent).items()}


def task_size(overrides: Params, body: Params) -> tuple[str, str]:
    """Give cpu units and MiB of the task, as the API writes them.

    Raises:
        AwsError: ClientException where Fargate does not offer the pair.
    """
    cpu, memory = (overrides.get(name) or body[name] for name in _SIZES)
    sizes.check_fargate(int(cpu), int(memory))
    return cpu, memory


def _task_size(sent: Params) -> dict[str, int]:
    read = {"cpu": sizes.cpu_units, "memory": sizes.memory_mib}
    return {name: read[name](sent[name]) for name in _SIZES if sent.get(name)}


def _check_length(sent: Params) -> None:
    """Refuse more than 8192 characters (documented: API: RunTask.overrides; reported: the wording, AWS Batch)."""
    if len(json.dumps(sent, separators=(",", ":"), ensure_ascii=False)) > _MOST_CHARACTERS:
        raise errors.invalid(f"Container Overrides length must be at most {_MOST_CHARACTERS}")


def _name(entry: Params) -> str:
    name: str | None = entry.get("name")
    if not name:
        # documented: API: ContainerOverride.name, "required if any override is specified"; assumed: the wording
        raise errors.invalid("Container override name should not be null or empty.")
    return name
