"""`bgt`, also installed as `kubectl-bgtask`: one program, a module a command."""

import click

from backgroundtask.cli.controller import controller
from backgroundtask.cli.crd import crd
from backgroundtask.cli.cron import cron
from backgroundtask.cli.demo import demo
from backgroundtask.cli.local import local


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="backgroundtask-operator")
def main() -> None:
    """Background jobs on Amazon ECS, as Kubernetes objects."""


for command in (controller, crd, cron, demo, local):
    main.add_command(command)
