"""Which container of a task starts after which: `dependsOn`.

Knows names and their order. Of the conditions localaws plays START alone, and refuses the others rather than pretend.
"""

from __future__ import annotations

import graphlib

from localaws.contract import Params
from localaws.ecs import errors

_PLAYED = "START"


def check(body: Params) -> None:
    """Refuse dependencies that lead nowhere, or round (documented: API: ContainerDefinition.dependsOn).

    Raises:
        AwsError: ClientException.
    """
    known = {container["name"] for container in body["containerDefinitions"]}
    for container in body["containerDefinitions"]:
        for dependency in container.get("dependsOn", []):
            _check_one(container["name"], dependency, known)
    try:
        start_order(body["containerDefinitions"])
    except graphlib.CycleError:
        raise errors.client("The dependencies of the containers form a cycle.") from None  # assumed: the wording


def start_order(containers: list[Params]) -> list[str]:
    """Give the names of containers so that each comes after those that it depends on, else as they stand.

    Raises:
        graphlib.CycleError: there is no such order.
    """
    after = {it["name"]: [dependency["containerName"] for dependency in it.get("dependsOn", [])] for it in containers}
    return list(graphlib.TopologicalSorter(after).static_order())


def _check_one(name: str, dependency: Params, known: set[str]) -> None:
    if dependency["containerName"] not in known:
        # assumed: the wording
        raise errors.client(f"Container '{name}' depends on '{dependency['containerName']}', which does not exist.")
    if dependency["condition"] != _PLAYED:
        raise errors.client(
            f"localaws starts a container after another one has started, and knows no other condition of dependsOn: "
            f"container '{name}' wants {dependency['condition']} of '{dependency['containerName']}'."
        )
