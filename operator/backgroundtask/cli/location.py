"""The options of kubectl that say where: before a command, where they are for whichever it is, or behind it.

Knows their names and words; what they lead to is in `cli.place`, which takes more time to import.
"""

from collections.abc import Callable
from typing import Any, Final

import click


class _Inherited(click.Option):
    """An option that may also stand before the command; behind it, it counts more."""

    def get_default(self, ctx: click.Context, call: bool = True) -> Any:  # noqa: ANN401, FBT001, FBT002 - click's own signature
        """What was given before the command."""
        return super().get_default(ctx, call) if ctx.parent is None else ctx.find_root().params.get(self.name or "")


def location_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command -n, --context and --kubeconfig."""
    for option in _OPTIONS:
        command = option(command)
    return command


def takes_location(command: click.Command) -> bool:
    """Whether the options mean something to the command, or to one of its own commands."""
    if isinstance(command, click.Group):
        return any(map(takes_location, command.commands.values()))
    return any(isinstance(parameter, _Inherited) for parameter in command.params)


_OPTIONS: Final = (
    click.option(
        "--kubeconfig",
        cls=_Inherited,
        metavar="PATH",
        help="Kubeconfig to use.  [default: KUBECONFIG, or ~/.kube/config]",
    ),
    click.option(
        "--context", cls=_Inherited, metavar="NAME", help="Context of the kubeconfig.  [default: its current one]"
    ),
    click.option("-n", "--namespace", cls=_Inherited, metavar="NAME", help="Namespace.  [default: the context's]"),
)
