"""`bgt`, also installed as `kubectl-bgtask`: one program, a module a command."""

import importlib
import sys
from pathlib import Path
from typing import Any, Final

import click

from backgroundtask.cli.location import location_options, takes_location

_SECTIONS: Final = {
    "Runs": ("run", "logs", "wait", "cancel", "rerun", "history"),
    "Tasks": ("status", "next", "diff", "suspend", "resume", "cron"),
    "Images": ("repo",),
    "Platform": ("doctor", "crd", "controller"),
    "Laptop": ("local", "demo"),
    "Shell": ("completion",),
}
_COMMANDS: Final = tuple(name for names in _SECTIONS.values() for name in names)
_PLUGIN: Final = "kubectl-bgtask"
"""kubectl starts this program for `kubectl bgtask`: https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/"""
COMPLETE_VARIABLE: Final = "_BGT_COMPLETE"
"""The variable by which a shell's completion asks, whatever name the program was started by."""


class _Commands(click.Group):
    """Imports a command when it is asked for: the controller holds 14 MB less without what draws tables."""

    def main(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - click's own signature
        """Run it, under the name that the person has typed."""
        if Path(sys.argv[0]).stem == _PLUGIN:
            kwargs.setdefault("prog_name", "kubectl bgtask")
        kwargs.setdefault("complete_var", COMPLETE_VARIABLE)
        return super().main(*args, **kwargs)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Those of their own modules, in the order of the sections."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command that has the module's name."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"backgroundtask.cli.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by section."""
        for section, names in _SECTIONS.items():
            commands = [(name, self.get_command(ctx, name)) for name in names]
            with formatter.section(section):
                formatter.write_dl([(name, command.get_short_help_str()) for name, command in commands if command])


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="backgroundtask-operator")
@location_options
@click.pass_context
def main(ctx: click.Context, /, **given: str | None) -> None:
    """Background jobs on Amazon ECS, as Kubernetes objects. Also installed as `kubectl bgtask`."""
    name = ctx.invoked_subcommand or ""
    command = main.get_command(ctx, name)
    if any(given.values()) and command is not None and not takes_location(command):
        raise click.UsageError(f"{name} takes none of -n, --context and --kubeconfig", ctx)
