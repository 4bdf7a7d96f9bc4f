"""What a LaunchTemplate lets a task and a run ask for: sizes, images, roles, file systems, a shell.

Asked at each reconcile for the task and at each launch by the operator for the run, since what was allowed when it was
made may be no longer. Each refusal says what to change, and names no value of a variable.
"""

import difflib
import json
from datetime import UTC, datetime

from backgroundtask.api import fargate
from backgroundtask.api.overrides import Overrides
from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.api.task import TaskSpec
from backgroundtask.api.template import TemplateSpec
from backgroundtask.api.volumes import Volume
from backgroundtask.errors import Rejected
from backgroundtask.plan.names import Owner
from backgroundtask.plan.offers import lets_in, offers_file_system, offers_image, offers_secret
from backgroundtask.plan.requests import record, sendable
from backgroundtask.plan.site import Site

_MOST_CHARACTERS = 8192
_SHOWN_ITEMS = 10
_SOME_UID = "00000000-0000-4000-8000-000000000000"  # each is as long
_SOME_TIME = datetime(1970, 1, 1, tzinfo=UTC)


def refuse_namespace(namespace: str, template: str, spec: TemplateSpec) -> None:
    """Refuse a namespace that the template does not list. An empty list is nobody, `*` is everybody.

    Raises:
        Rejected: NamespaceNotAllowed.
    """
    if lets_in(spec, namespace):
        return
    raise Rejected(
        "NamespaceNotAllowed",
        f"LaunchTemplate {template} does not list namespace {namespace} in spec.namespaces: "
        "ask its owner to add it, or name another template.",
    )


def refuse_task(namespace: str, spec: TaskSpec, site: Site) -> None:
    """Refuse a task that asks for more than its template offers to its namespace.

    Raises:
        Rejected: LimitExceeded, ImageNotAllowed, SecretNotAllowed, FileSystemNotAllowed or ExecuteCommandNotAllowed.
    """
    refuse_size(spec.cpu, spec.memory, site)
    if not offers_image(site.spec, namespace, spec.image):
        raise Rejected(
            "ImageNotAllowed",
            f"spec.image matches none of spec.images of LaunchTemplate {site.template} for namespace {namespace}: use "
            "an image that it allows, or ask its owner.",
        )
    _refuse_secrets(namespace, spec, site)
    for volume in spec.volumes:
        _refuse_volume(volume, site)
    if spec.enable_execute_command:
        _refuse_execute_command(site)


def refuse_size(cpu: int, memory: int, site: Site) -> None:
    """Refuse CPU units or MiB beyond the limits of a template.

    Raises:
        Rejected: LimitExceeded.
    """
    limits = site.spec.limits
    for name, asked, most in (("cpu", cpu, limits.cpu), ("memory", memory, limits.memory)):
        if most is not None and asked > most:
            raise Rejected(
                "LimitExceeded",
                f"{name} {asked} is more than the {most} of limits.{name} of LaunchTemplate {site.template}: ask for "
                "less, or ask its owner for more.",
            )


def _refuse_secrets(namespace: str, spec: TaskSpec, site: Site) -> None:
    used = {f"The secret of env variable {name}": reference for name, reference in secrets_of(spec).items()}
    if spec.registry_credentials:
        used["The secret of spec.registryCredentials"] = spec.registry_credentials
    for what, reference in used.items():
        if not offers_secret(site.spec, namespace, reference):
            raise Rejected(
                "SecretNotAllowed",
                f"{what} matches none of spec.secrets of LaunchTemplate {site.template} for namespace {namespace}: "
                "use one that it allows, or ask its owner.",
            )


def secrets_of(spec: TaskSpec) -> dict[str, str]:
    """The secrets that become variables: references (ARN, or name of an SSM parameter) by variable."""
    sources = ((one.name, one.value_from) for one in spec.env if one.value_from)
    return {name: source.secrets_manager or source.ssm_parameter or "" for name, source in sources}


def _refuse_volume(volume: Volume, site: Site) -> None:
    efs = volume.efs
    if not offers_file_system(site.spec, efs.file_system_id):
        raise Rejected(
            "FileSystemNotAllowed",
            f"{efs.file_system_id} of volume {volume.name} is not in spec.fileSystems of LaunchTemplate "
            f"{site.template}: use one that is, or ask its owner.",
        )


def _refuse_execute_command(site: Site) -> None:
    if not site.spec.allow_execute_command:
        raise Rejected(
            "ExecuteCommandNotAllowed",
            f"LaunchTemplate {site.template} does not allow enableExecuteCommand: remove it, or ask the template's "
            "owner to set allowExecuteCommand.",
        )


def refuse_launch(run: BackgroundTaskRun, *, namespace: str, spec: TaskSpec, site: Site) -> None:
    """Refuse a launch of a run with its overrides.

    Raises:
        Rejected: what `refuse_task` and `refuse_namespace` raise, TaskRoleNotOffered, InvalidFargateSize, ItemRequired,
            UnknownItem, VariableIsSecret or OverridesTooLong.
    """
    refuse_namespace(namespace, site.template, site.spec)
    refuse_task(namespace, spec, site)
    offered_role(spec.task_role, site)
    _refuse_item(run, spec)
    overrides = run.spec.overrides
    if overrides is None:
        return
    role = offered_role(overrides.task_role, site)
    cpu, memory = overrides.cpu or spec.cpu, overrides.memory or spec.memory
    refuse_size(cpu, memory, site)
    if not fargate.fits(cpu, memory):
        raise Rejected(
            "InvalidFargateSize",
            f"With its overrides the run has cpu {cpu} and memory {memory}, and Fargate offers, in MiB by cpu: "
            f"{fargate.OFFER}. Create a run with a size that it offers.",
        )
    _refuse_secret_variables(overrides, spec)
    _refuse_length(run, site, role)


def _refuse_item(run: BackgroundTaskRun, spec: TaskSpec) -> None:
    item = run.spec.item
    if item is None and spec.for_each:
        raise Rejected(
            "ItemRequired",
            f"The task has forEach, and the run has no item: create one with spec.item, one of {_few(spec.for_each)}.",
        )
    if item is not None and item not in spec.for_each:
        offer = f"create one with one of {_few(spec.for_each)}." if spec.for_each else "the task has no forEach."
        raise Rejected("UnknownItem", f"The item of the run is not in forEach of the task: {offer}")


def _few(items: tuple[str, ...]) -> str:
    return ", ".join(items[:_SHOWN_ITEMS]) + (", …" if len(items) > _SHOWN_ITEMS else "")


def _refuse_secret_variables(overrides: Overrides, spec: TaskSpec) -> None:
    """ECS takes no value for a variable that the definition fills from a secret (Amazon ECS API, Secret)."""
    both = sorted(secrets_of(spec).keys() & {one.name for one in overrides.env})
    if both:
        raise Rejected(
            "VariableIsSecret",
            f"The task reads {', '.join(both)} from a secret, which a run cannot override: create one without it.",
        )


def _refuse_length(run: BackgroundTaskRun, site: Site, task_role_arn: str | None) -> None:
    """ECS takes 8192 characters of overrides, formatting included (Amazon ECS API, RunTask)."""
    launch = record(
        run,
        number=0,
        owner=Owner("x", run.metadata.namespace, run.spec.task),
        uid=_SOME_UID,
        definition_arn="",
        site=site,
        task_role_arn=task_role_arn,
        execute_command=False,
        now=_SOME_TIME,
    )
    # As botocore writes it: with a space after each comma and colon, and \\uXXXX for what is not ASCII.
    length = len(json.dumps(sendable(launch, run)["overrides"]))
    if length > _MOST_CHARACTERS:
        raise Rejected(
            "OverridesTooLong",
            f"The overrides of the run are {length} characters as JSON, and ECS takes {_MOST_CHARACTERS}: create one "
            "with a shorter command or env, and leave large input in S3 or elsewhere.",
        )


def offered_role(name: str | None, site: Site) -> str | None:
    """The ARN of the role that a template offers by this name.

    Raises:
        Rejected: TaskRoleNotOffered.
    """
    if name is None:
        return None
    offered = site.spec.task_roles
    if name in offered:
        return offered[name]
    near = difflib.get_close_matches(name, offered, n=1)
    hint = f"did you mean {near[0]}?" if near else f"it offers {', '.join(sorted(offered)) or 'none'}."
    raise Rejected("TaskRoleNotOffered", f"LaunchTemplate {site.template} offers no task role named {name}: {hint}")
