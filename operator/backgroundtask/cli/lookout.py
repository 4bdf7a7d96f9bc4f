"""AWS as the operator sees it for a LaunchTemplate, with the credentials of the person who looks; nothing is written.

The person's own identity is used where it is of the template's account. Where it is of another one, the template's role
is assumed as the operator does it, if it lets the person.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

from backgroundtask.api.names import TEMPLATE_KIND
from backgroundtask.api.parsing import parse_template, read_task_status, read_template_status
from backgroundtask.api.template import TemplateSpec, TemplateStatus
from backgroundtask.aws import Cloud, Clouds
from backgroundtask.cli.place import Place
from backgroundtask.controller.context import Context
from backgroundtask.controller.settings import Settings
from backgroundtask.errors import Blocked, Rejected
from backgroundtask.kube.cache import Cache
from backgroundtask.kube.events import Recorder
from backgroundtask.kube.resource import TEMPLATES, Body
from backgroundtask.plan.names import owner_of_definition
from backgroundtask.plan.site import Site

_GROUP = "bgt-"  # what the group of an installation is called, unless its template names another


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookout:
    """One LaunchTemplate: its place, and the operator's way to see AWS there."""

    installation: str
    site: Site
    context: Context

    @property
    def cloud(self) -> Cloud:
        """AWS there."""
        return self.context.cloud(self.site)

    @classmethod
    def of(cls, place: Place, template: Body, installation: str) -> Self:
        """The way to a verified template.

        Raises:
            Blocked: LaunchTemplateNotReady; OtherAccount, where the person's credentials are of another account.
            Rejected: the spec of the template cannot be read.
        """
        context = _context(place, template, installation)
        site = context.site(template["metadata"]["name"])
        role = identity(context.clouds, site.template, site.spec, account_of(site.cluster))
        seen = replace(site, spec=site.spec.model_copy(update={"assume_role_arn": role}))
        return cls(installation=installation, site=seen, context=context)


def identity(clouds: Clouds, template: str, spec: TemplateSpec, account: str) -> str | None:
    """The role to look at the AWS of a template with: None is the person's own identity.

    Raises:
        Blocked: OtherAccount, where that is of another account, and the template names no role; no credentials.
    """
    caller = clouds.of(region=spec.region, assume_role_arn=None, template=template).inspection.caller()
    if account_of(caller) == account:
        return None
    if spec.assume_role_arn is not None:
        return spec.assume_role_arn
    raise Blocked(
        "OtherAccount",
        f"Your AWS credentials ({caller}) are of another account than {TEMPLATE_KIND} {template}, which is of "
        f"{account}: set AWS_PROFILE or AWS_ACCESS_KEY_ID for that one.",
    )


def account_of(arn: str) -> str:
    """The account that an ARN names."""
    return arn.split(":")[4]


def installation_of(template: Body, tasks: Iterable[Body]) -> str:
    """The installation whose operator verified a template, by the names of what it has made; `tasks` are any of its.

    Raises:
        Rejected: InstallationUnknown, where nothing tells.
    """
    name = template["metadata"]["name"]
    found = _by_group(read_template_status(template), parse_template(template).spec)
    definitions = (
        read_task_status(one).task_definition_arn for one in tasks if one["spec"].get("launchTemplate") == name
    )
    owners = (owner_of_definition(arn) for arn in definitions if arn)
    known = found or next((owner.installation for owner in owners if owner), None)
    if known:
        return known
    raise Rejected(
        "InstallationUnknown", "Nothing here tells the installation of the operator: say it with --installation."
    )


def _by_group(status: TemplateStatus, spec: TemplateSpec) -> str | None:
    group = (status.schedule_group_arn or "").rpartition("/")[2]
    is_its_own = spec.schedule_group is None and group.startswith(_GROUP)
    return group.removeprefix(_GROUP) if is_its_own else None


def _context(place: Place, template: Body, installation: str) -> Context:
    """What the operator's parts look through; who writes Events has nothing to write."""
    cache = Cache()
    cache.see(TEMPLATES, None, template)
    recorder = Recorder(place.kube, component="bgt")
    recorder.stop(0.0)
    return Context(
        settings=Settings.of(installation=installation),
        kube=place.kube,
        cache=cache,
        clouds=place.outside.clouds(installation),
        recorder=recorder,
        cluster_uid="",
        now=place.outside.now,
    )
