"""`bgt`, also installed as `kubectl-bgtask`: one program, a module a command."""

import importlib
from typing import Final

import click

_COMMANDS: Final = ("controller", "crd", "cron", "demo", "local")


class _Commands(click.Group):
    """Imports a command when it is asked for: the controller holds 14 MB less without what draws tables."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Those of their own modules, by name."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command that has the module's name."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"backgroundtask.cli.{cmd_name}"), cmd_name)
        return command


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="backgroundtask-operator")
def main() -> None:
    """Background jobs on Amazon ECS, as Kubernetes objects."""
