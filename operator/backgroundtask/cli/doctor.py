"""`bgt doctor`: what is wrong between the operator, the cluster and AWS, and how to mend it."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

import click

from backgroundtask.api.names import TEMPLATE_KIND
from backgroundtask.api.parsing import parse_template
from backgroundtask.cli.command import FAILED, Command
from backgroundtask.cli.findings import Finding, doubtful, looked, well, wrong
from backgroundtask.cli.output import output_option, print_document, print_line, printable
from backgroundtask.cli.place import Place, place_options
from backgroundtask.errors import Expected, Rejected
from backgroundtask.kube.resource import TASKS, TEMPLATES, Body
from backgroundtask.kube.rights import ServiceAccount

if TYPE_CHECKING:
    from backgroundtask.cli.template_checks import Patient

_COLOURS: Final = {"ok": "green", "warn": "yellow", "fail": "red"}


class _Account(click.ParamType[ServiceAccount]):
    """NAMESPACE/NAME of a ServiceAccount."""

    name = "NAMESPACE/NAME"

    def convert(
        self, value: str | ServiceAccount, param: click.Parameter | None, ctx: click.Context | None
    ) -> ServiceAccount:
        """Refuses what has no namespace: the context's is rarely the operator's."""
        if isinstance(value, ServiceAccount):
            return value
        namespace, slash, name = value.partition("/")
        if not (namespace and slash and name) or "/" in name:
            self.fail(f'"{value}" is none; write one such as bgt-system/bgt-controller', param, ctx)
        return ServiceAccount(namespace, name)


@click.command(cls=Command, short_help="Find what is wrong, and how to mend it.")
@click.option("--service-account", type=_Account(), help="The operator's ServiceAccount, to ask about its rights.")
@click.option(
    "--installation",
    envvar="BGT_INSTALLATION",
    show_envvar=True,
    help="Name of the operator's installation.  [default: as what it has made is called]",
)
@output_option("json", "yaml")
@place_options()
@click.pass_context
def doctor(
    ctx: click.Context,
    *,
    place: Place,
    service_account: ServiceAccount | None,
    installation: str | None,
    output: str | None,
) -> None:
    """Check the CRDs, the operator's rights, and for each LaunchTemplate the AWS that it names.

    AWS is seen with your own credentials, and nothing is written. What you may not look at is told with what to grant.
    Where the operator's own view matters, run it in its pod: kubectl exec deploy/... -- bgt doctor. Exits with 1 where
    something is wrong.
    """
    found: list[Finding] = []
    for one in _findings(place, service_account, installation):
        found.append(one)
        if not output:
            _print(one)
    is_well = all(one.level != "fail" for one in found)
    if output:
        print_document(output, {"ok": is_well, "findings": [_as_json(one) for one in found]})
    if not is_well:
        ctx.exit(FAILED)


def _findings(place: Place, account: ServiceAccount | None, installation: str | None) -> Iterator[Finding]:
    from backgroundtask.cli.cluster_checks import check_crds, check_rights  # noqa: PLC0415 - builds the models

    home = account.namespace if account else place.namespace
    yield from check_crds(place.kube)
    yield from check_rights(place.kube, account, lease_namespace=home)
    yield from looked("LaunchTemplates", partial(_templates, place, installation, home))


def _templates(place: Place, installation: str | None, home: str) -> Iterator[Finding]:
    from backgroundtask.cli.cluster_checks import check_leader  # noqa: PLC0415 - as above

    bodies = list(place.kube.list(TEMPLATES))
    if not bodies:
        mend = "Create one that lists the namespaces which may run tasks: docs/operations.md."
        yield doubtful("LaunchTemplates", "There is none: no task can run.", mend)
        return
    known = installation or _installation(bodies, list(place.kube.list(TASKS)))
    if known is None:
        yield wrong("LaunchTemplates", "Nothing tells the installation of the operator.", "Say it with --installation.")
        return
    yield from check_leader(place.kube, known, lease_namespace=home, now=place.outside.now())
    for body in bodies:
        about = f"{TEMPLATE_KIND} {body['metadata']['name']}"
        yield from looked(about, partial(_template, place, body, known, about))


def _installation(templates: Sequence[Body], tasks: Sequence[Body]) -> str | None:
    """What the first template that was ever verified tells: a cluster has one operator as a rule."""
    from backgroundtask.cli.lookout import installation_of  # noqa: PLC0415 - most commands need no boto3

    for body in templates:
        with suppress(Rejected):
            return installation_of(body, tasks)
    return None


def _template(place: Place, body: Body, installation: str, about: str) -> Iterator[Finding]:
    from backgroundtask.cli.template_checks import check_template  # noqa: PLC0415 - most commands need no boto3

    try:
        patient = _patient(place, body, installation)
        caller = patient.cloud.inspection.caller()
    except Expected as error:
        yield wrong(about, f"Its AWS cannot be looked at ({error.reason}).", error.message)
        return
    yield well(about, f"AWS knows you as {caller}.")
    yield from check_template(patient)


def _patient(place: Place, body: Body, installation: str) -> "Patient":
    from backgroundtask.cli.lookout import identity  # noqa: PLC0415 - most commands need no boto3
    from backgroundtask.cli.template_checks import Patient  # noqa: PLC0415 - as above

    name, spec = body["metadata"]["name"], parse_template(body).spec
    clouds = place.outside.clouds(installation)
    role = identity(clouds, name, spec, spec.queues.events.split(":")[4])
    return Patient(
        name=name,
        spec=spec,
        status=body.get("status") or {},
        cloud=clouds.of(region=spec.region, assume_role_arn=role, template=name),
        installation=installation,
        cluster_uid=_cluster_uid(place),
    )


def _cluster_uid(place: Place) -> str | None:
    try:
        return place.kube.cluster_uid()
    except Expected:
        return None


def _print(one: Finding) -> None:
    told = f"{printable(one.about)}: {printable(one.message)}"
    print_line((one.level.ljust(6), _COLOURS[one.level]), (told, ""))
    if one.mend:
        print_line((f"      → {printable(one.mend)}", ""))


def _as_json(one: Finding) -> dict[str, str]:
    return {"level": one.level, "about": one.about, "message": one.message} | ({"mend": one.mend} if one.mend else {})
