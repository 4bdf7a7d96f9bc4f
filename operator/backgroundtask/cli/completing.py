"""What a shell completes the names of tasks and runs with: those of the namespace, if the cluster answers at once.

Silent whatever goes wrong: a Tab is no question that an error could answer.
"""

from collections.abc import Callable

import click

from backgroundtask.cli.place import QUICK, Target, outside_of
from backgroundtask.errors import Expected
from backgroundtask.kube.resource import RUNS, TASKS, Resource

Complete = Callable[[click.Context, click.Parameter, str], list[str]]


def names_of(*resources: Resource) -> Complete:
    """Return the `shell_complete` of an argument that names an object of one of `resources`."""

    def complete(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
        try:
            return [name for name in _names(ctx, resources) if name.startswith(incomplete)]
        except Expected:
            return []

    return complete


def _names(ctx: click.Context, resources: tuple[Resource, ...]) -> list[str]:
    outside, asked = outside_of(ctx), ctx.params
    target = Target(asked.get("kubeconfig"), asked.get("context"))
    kube, namespace = outside.connect(target, QUICK), asked.get("namespace") or outside.namespace(target)
    return sorted({name for resource in resources for _, name, _, _ in kube.names(resource, namespace)})


TASK_NAMES = names_of(TASKS)
RUN_NAMES = names_of(RUNS)
