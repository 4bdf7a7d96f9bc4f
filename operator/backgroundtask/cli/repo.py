"""`bgt repo`: what people do with an ImageRepository besides kubectl: log their container tool in to its registry.

The password goes from AWS into the standard input of docker, or to standard output where it is asked for: it is in no
argument of a process, which every user of a machine may read, and in no message. Only a registry of Amazon ECR gets it,
whatever a status says.
"""

import re
import shutil
import subprocess
from typing import Final

import click

from backgroundtask.api.conditions import READY, find
from backgroundtask.api.parsing import read_repository_status
from backgroundtask.cli.command import Command
from backgroundtask.cli.completing import names_of
from backgroundtask.cli.place import Place, place_options
from backgroundtask.errors import Rejected
from backgroundtask.kube.resource import REPOSITORIES, Body

USER: Final = "AWS"
"""Whom every token of ECR is for (Amazon ECR API, GetAuthorizationToken)."""
_REGISTRY: Final = re.compile(
    r"(?P<registry>\d{12}\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.(com|com\.cn|eu))/.+", re.ASCII
)


@click.group(short_help="Log in to the registry of an ImageRepository.")
def repo() -> None:
    """Push and pull the images of an ImageRepository."""


@repo.command(cls=Command, short_help="Log docker in to the registry.")
@click.argument("repository", shell_complete=names_of(REPOSITORIES))
@click.option("--print", "prints", is_flag=True, help="Print the password, for another tool, and log nobody in.")
@place_options()
@click.pass_context
def login(ctx: click.Context, place: Place, repository: str, *, prints: bool) -> None:
    """Log docker in to the registry of the ImageRepository REPOSITORY, for twelve hours.

    Uses your own AWS credentials, as any AWS program finds them: they need ecr:GetAuthorizationToken, and rights to
    push or pull. Exits with docker's own code.

    With --print the password of the user AWS is all that is printed:

      bgt repo login api --print | podman login --username AWS --password-stdin REGISTRY
    """
    registry, region = _registry(repository, place.get(REPOSITORIES, repository))
    docker = None if prints else shutil.which("docker")
    if docker is None and not prints:
        raise Rejected("NoDocker", f"There is no docker to log in: {_other_way(repository, registry)}")
    cloud = place.outside.clouds("cli").of(region=region, assume_role_arn=None, template="")
    password = cloud.repositories.password()
    if docker is None:
        click.echo(password)
        return
    command = [docker, "login", "--username", USER, "--password-stdin", registry]
    ctx.exit(subprocess.run(command, input=password.encode(), check=False).returncode)


def _registry(name: str, body: Body) -> tuple[str, str]:
    """The host to log in to, and its region.

    Raises:
        Rejected: there is no repository yet, or its URI is none of ECR's: whoever wrote that wants the password.
    """
    status = read_repository_status(body)
    if status.repository_uri is None:
        ready = find(status.conditions, READY)
        why = f": {ready.reason}: {ready.message}" if ready else ": nobody has looked at it so far."
        raise Rejected("RepositoryNotReady", f"ImageRepository {name} has no repository yet{why}")
    found = _REGISTRY.fullmatch(status.repository_uri)
    if found is None:
        raise Rejected("NotEcr", f"The repositoryUri of ImageRepository {name} names no registry of Amazon ECR.")
    return found["registry"], found["region"]


def _other_way(repository: str, registry: str) -> str:
    tool = f"podman login --username {USER} --password-stdin {registry}"
    return f"install it, or let another tool log in: bgt repo login {repository} --print | {tool}"
