"""Switching the schedule of a task off and on, as `kubectl patch` would: what `suspend` and `resume` have in common.

Knows which tools would take the change back, since they deploy the task from somewhere else.
"""

from collections.abc import Mapping
from typing import Any, Final

import click

from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.api.parsing import read_metadata
from backgroundtask.cli.output import say
from backgroundtask.cli.place import Place
from backgroundtask.errors import Blocked
from backgroundtask.kube.resource import TASKS, Ref

_TOOLS: Final = {  # labels and annotations by which tools mark what they deploy, from their documentation
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "argocd.argoproj.io/instance": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
    "meta.helm.sh/release-name": "Helm",
}


def set_suspend(place: Place, name: str, *, suspend: bool) -> None:
    """Set spec.suspend of the task where it is otherwise, and tell who may set it back.

    Raises:
        Rejected: there is no such task.
        Blocked: it was deleted at the same time.
    """
    body = place.get(TASKS, name)
    if body["spec"].get("suspend", False) == suspend:
        say(f"{name} is {_word(suspend=suspend)} already")
        return
    if place.kube.patch(Ref.of(TASKS, body), {"spec": {"suspend": suspend}}) is None:
        raise Blocked("Gone", f"{name} was deleted at the same time")
    click.echo(f"{name} {_word(suspend=suspend)}")
    tool = _tool(read_metadata(body))
    if tool:
        say(f"Warning: {tool} deploys {name} and may set spec.suspend back: change it there, too")


def _word(*, suspend: bool) -> str:
    return "suspended" if suspend else "resumed"


def _tool(metadata: ObjectMeta) -> str | None:
    marks: Mapping[str, Any] = {**metadata.labels, **metadata.annotations}
    return next((tool for mark, tool in _TOOLS.items() if mark in marks), None)
