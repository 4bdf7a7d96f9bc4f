"""What a LaunchTemplate lets a task and a run ask for: sizes, images, roles, file systems, a shell.

Asked at each reconcile for the task and at each launch by the operator for the run, since what was allowed when it was
made may be no longer. Each refusal says what to change, and names no value of a variable.
"""

import difflib
from typing import TYPE_CHECKING

from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.api.task import TaskSpec
from backgroundtask.api.volumes import Volume
from backgroundtask.errors import Rejected
from backgroundtask.plan.offers import offers_file_system, offers_image, offers_secret, whole_secret

if TYPE_CHECKING:
    from backgroundtask.plan.desired import Site


def refuse_task(namespace: str, spec: TaskSpec, site: "Site") -> None:
    """Refuse a task that asks for more than its template offers to its namespace.

    Raises:
        Rejected: LimitExceeded, ImageNotAllowed, SecretNotAllowed, InvalidRegistryCredentials, FileSystemNotAllowed,
            InvalidVolume, ExecuteCommandNotAllowed or TaskRoleRequired.
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
        _refuse_volume(volume, spec, site)
    if spec.enable_execute_command:
        _refuse_execute_command(spec, site)


def refuse_size(cpu: int, memory: int, site: "Site") -> None:
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


def _refuse_secrets(namespace: str, spec: TaskSpec, site: "Site") -> None:
    used = {f"The secret of env variable {name}": reference for name, reference in secrets_of(spec).items()}
    if spec.registry_credentials:
        _refuse_partial(spec.registry_credentials)
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


def _refuse_partial(credentials: str) -> None:
    """ECS reads username and password of the whole secret (Amazon ECS API, RepositoryCredentials)."""
    if whole_secret(credentials) != credentials:
        raise Rejected(
            "InvalidRegistryCredentials",
            "spec.registryCredentials names a part of a secret, and ECS takes whole ones: leave out what follows the "
            "secret's name in its ARN.",
        )


def _refuse_volume(volume: Volume, spec: TaskSpec, site: "Site") -> None:
    efs = volume.efs
    if not offers_file_system(site.spec, efs.file_system_id):
        raise Rejected(
            "FileSystemNotAllowed",
            f"{efs.file_system_id} of volume {volume.name} is not in spec.fileSystems of LaunchTemplate "
            f"{site.template}: use one that is, or ask its owner.",
        )
    if efs.access_point_id and efs.transit_encryption is False:
        raise Rejected(
            "InvalidVolume",
            f"Volume {volume.name} has an access point, which EFS shows encrypted connections only: remove "
            "transitEncryption: false.",
        )
    if efs.iam and spec.task_role is None:
        raise Rejected(
            "TaskRoleRequired",
            f"Volume {volume.name} is mounted with the rights of the task's role (iam): name a taskRole.",
        )


def _refuse_execute_command(spec: TaskSpec, site: "Site") -> None:
    if not site.spec.allow_execute_command:
        raise Rejected(
            "ExecuteCommandNotAllowed",
            f"LaunchTemplate {site.template} does not allow enableExecuteCommand: remove it, or ask the template's "
            "owner to set allowExecuteCommand.",
        )
    if spec.task_role is None:
        raise Rejected(
            "TaskRoleRequired",
            "enableExecuteCommand needs a role with ssmmessages rights: name a taskRole.",
        )


def refuse_launch(run: BackgroundTaskRun, *, namespace: str, spec: TaskSpec, site: "Site") -> None:
    """Refuse a launch of a run with its overrides.

    Raises:
        Rejected: what `refuse_task` raises, NamespaceNotAllowed, TaskRoleNotOffered, SecretNotAllowed,
            InvalidFargateSize, ItemRequired, UnknownItem or OverridesTooLong.
    """


def offered_role(name: str | None, site: "Site") -> str | None:
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
