"""Which cluster and which namespace a command works in: the options that mean what they mean to kubectl.

`@place_options` gives a command -n, --context and --kubeconfig, and hands it a `Place`; `everywhere=True` adds -A. What
lies outside of the process (API server, clock, chance) is in `Outside`: tests put another one into click's `obj`.
"""

import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from backgroundtask.cli.location import location_options
from backgroundtask.errors import Expected, Rejected
from backgroundtask.kube.client import Kube, connect_person
from backgroundtask.kube.login import context_namespace
from backgroundtask.kube.resource import Body, Resource
from backgroundtask.kube.transport import Timeouts

if TYPE_CHECKING:
    from backgroundtask.aws import Clouds
    from backgroundtask.aws.log_events import LogEvents

PATIENT: Final[Timeouts] = (10.0, 30.0)
QUICK: Final[Timeouts] = (0.5, 1.5)
"""For completion in a shell, which waits for it at each Tab."""
NAMES_SHOWN: Final = 10

_NAME: Final = re.compile("[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?")
"""What Kubernetes takes for a name: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/"""
_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"
"""Kubernetes' own for generated names: no vowels, so no words (k8s.io/apimachinery, util/rand)."""


@dataclass(frozen=True, slots=True)
class Target:
    """Which API server: what was asked for, None where nothing was."""

    kubeconfig: str | None = None
    context: str | None = None


def _connected(target: Target, timeouts: Timeouts) -> Kube:
    return connect_person(kubeconfig=target.kubeconfig, context=target.context, timeouts=timeouts)


def _namespace(target: Target) -> str:
    return context_namespace(kubeconfig=target.kubeconfig, context=target.context)


def _suffix() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(5))


@cache
def _log_events(region: str) -> "LogEvents":
    from backgroundtask.aws import Clouds  # noqa: PLC0415 - most commands need no boto3

    # Without a role to assume, the identity is the person's own, and installation and template count for nothing.
    return Clouds(installation="cli").of(region=region, assume_role_arn=None, template="").log_events


def _clouds(installation: str) -> "Clouds":
    from backgroundtask.aws import Clouds  # noqa: PLC0415 - most commands need no boto3

    return Clouds(installation=installation, before_write=_refuse_write)


def _refuse_write() -> NoReturn:
    raise AssertionError("A command that looks at AWS is about to change it")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What a command reaches outside of its process.

    `namespace` is the context's, `log_events` CloudWatch Logs of a region, `clouds` AWS for an installation, to be read
    only, `now` aware, `tick` a clock in seconds that is never set back, `suffix` five characters that make a name new.
    """

    connect: Callable[[Target, Timeouts], Kube] = _connected
    namespace: Callable[[Target], str] = _namespace
    log_events: Callable[[str], "LogEvents"] = _log_events
    clouds: Callable[[str], "Clouds"] = _clouds
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    tick: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    suffix: Callable[[], str] = _suffix


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A namespace of a cluster; `namespace` is empty where all of them were asked for."""

    kube: Kube
    namespace: str
    outside: Outside

    @property
    def everywhere(self) -> bool:
        """Whether it is all namespaces."""
        return not self.namespace

    def find(self, resource: Resource, name: str) -> Body | None:
        """The object of that name, or None; also for what cannot be a name."""
        return self.kube.get(resource, self._home(resource), name) if _NAME.fullmatch(name) else None

    def get(self, resource: Resource, name: str) -> Body:
        """The object of that name.

        Raises:
            Rejected: there is none; the message names those that there are.
        """
        found = self.find(resource, name)
        if found is None:
            raise Rejected("NotFound", self._missing(resource, name))
        return found

    def _home(self, resource: Resource) -> str:
        return self.namespace if resource.namespaced else ""

    def _missing(self, resource: Resource, name: str) -> str:
        namespace = self._home(resource)
        where = f" in namespace {namespace}" if namespace else ""
        try:
            known = sorted(each for _, each, _, _ in self.kube.names(resource, namespace))
        except Expected:  # whoever may get one object need not be allowed to list them
            return f"There is no {resource.kind} {name}{where}"
        more = f" and {len(known) - NAMES_SHOWN} more" if len(known) > NAMES_SHOWN else ""
        there = f"there are {', '.join(known[:NAMES_SHOWN])}{more}" if known else "there are none"
        hint = "" if known or not namespace else ": is it another namespace (-n)?"
        return f"There is no {resource.kind} {name}{where}; {there}{hint}"


def outside_of(ctx: click.Context) -> Outside:
    """What the process was started with: the real outside, unless a test gave another."""
    return ctx.find_object(Outside) or Outside()


def place_options(
    *, everywhere: bool = False, deferred: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the options of kubectl that say where, and the argument `place`.

    `deferred`: the argument is a function that returns the place, for a command that may need no cluster at all.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @click.pass_context
        @wraps(command)
        def placed(ctx: click.Context, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - click's own signature
            target = Target(kwargs.pop("kubeconfig"), kwargs.pop("context"))
            asked, every = kwargs.pop("namespace"), kwargs.pop("all_namespaces", False)
            if asked is not None and not _NAME.fullmatch(asked):
                raise click.BadParameter("it takes the name of a namespace", ctx, param_hint="-n")
            outside = outside_of(ctx)

            def reached() -> Place:
                kube = outside.connect(target, PATIENT)
                return Place(kube=kube, namespace="" if every else asked or outside.namespace(target), outside=outside)

            return ctx.invoke(command, *args, place=reached if deferred else reached(), **kwargs)

        return location_options(_EVERYWHERE(placed) if everywhere else placed)

    return decorate


_EVERYWHERE: Final = click.option("-A", "--all-namespaces", is_flag=True, help="All namespaces.")
