"""From what a user wrote to what AWS has to hold, with every refusal that needs no question to AWS.

A task may use what its LaunchTemplate offers to its namespace and nothing else: creating a task is running code as its
role, so the checks are made here, at each reconcile, and not only when the object was admitted.
"""

from datetime import datetime

from backgroundtask.api.task import TaskSpec
from backgroundtask.api.template import Launch, TemplateSpec
from backgroundtask.api.volumes import Volume
from backgroundtask.errors import Rejected
from backgroundtask.plan.changes import Desired
from backgroundtask.plan.checks import offered_role, refuse_namespace, refuse_task, secrets_of
from backgroundtask.plan.definition import ROOM_FOR_TAGS, Definition, EfsVolume, Logs
from backgroundtask.plan.firing import is_told_twice, schedules
from backgroundtask.plan.names import Owner
from backgroundtask.plan.observed import Revision
from backgroundtask.plan.offers import lets_in, offers_file_system, offers_image, offers_role, offers_secret
from backgroundtask.plan.site import Site


def logs(owner: Owner, spec: TemplateSpec) -> Logs:
    """Where the output of a task's containers goes."""
    return Logs(
        group=spec.logs.group,
        region=spec.region,
        stream_prefix=f"{owner.namespace}/{owner.name}",
        mode=spec.logs.mode,
    )


def launch_mode(spec: TaskSpec, template_spec: TemplateSpec) -> tuple[Launch, str | None]:
    """Who launches the scheduled runs of a task, and where it is the operator (Queue), what asks for that.

    Raises:
        Rejected: InvalidSchedule.
    """
    reasons = (
        (spec.concurrency_policy != "Allow", f"concurrencyPolicy: {spec.concurrency_policy}"),
        (bool(spec.for_each), "forEach"),
        (template_spec.limits.concurrent_runs is not None, "limits.concurrentRuns of the LaunchTemplate"),
        (template_spec.launch == "Queue", "launch: Queue of the LaunchTemplate"),
        # ECS takes the token of a slot from Scheduler; of two rules it would start two tasks.
        (template_spec.clock == "Rule" and is_told_twice(spec), "clock: Rule, and cron restricts both kinds of days"),
    )
    reason = next((words for applies, words in reasons if applies), None)
    return ("Queue", reason) if reason else ("Direct", None)


def desired(owner: Owner, uid: str, spec: TaskSpec, site: Site, *, now: datetime) -> Desired:
    """What AWS has to hold for a task from `now` on.

    Raises:
        Rejected: NamespaceNotAllowed, TaskRoleNotOffered, TooManyTags, InvalidSchedule, UnknownTimeZone or
            TimeZoneNotSupported; or as `checks.refuse_task`.
    """
    refuse_namespace(owner.namespace, site.template, site.spec)
    refuse_task(owner.namespace, spec, site)
    definition = _definition(owner, spec, site)
    mode, reason = launch_mode(spec, site.spec)
    fired = schedules(
        owner,
        uid,
        spec,
        site.spec,
        shelf=site.shelf(site.spec.clock, owner.installation),
        placement=site.placement,
        is_queued=mode == "Queue",
        now=now,
    )
    return Desired(definition=definition, schedules=fired, uid=uid, launch_reason=reason if fired else None)


def allows(site: Site, namespace: str, revision: Revision) -> bool:
    """Whether a template still lets a namespace in, and offers what the tasks of a revision get."""
    template = site.spec
    return (
        lets_in(template, namespace)
        and offers_role(template, revision.task_role)
        and (revision.image is None or offers_image(template, namespace, revision.image))
        and all(offers_secret(template, namespace, reference) for reference in revision.secrets)
        and all(offers_file_system(template, one) for one in revision.file_systems)
        and (template.allow_execute_command or not revision.has_shell)
    )


def _definition(owner: Owner, spec: TaskSpec, site: Site) -> Definition:
    return Definition(
        owner=owner,
        image=spec.image,
        cpu=spec.cpu,
        memory=spec.memory,
        command=tuple(spec.command),
        entry_point=tuple(spec.entry_point),
        env={one.name: one.value or "" for one in spec.env if not one.value_from},
        secrets=secrets_of(spec),
        task_role=offered_role(spec.task_role, site),
        execution_role=site.spec.execution_role_arn,
        architecture=spec.cpu_architecture,
        storage=spec.ephemeral_storage_gib,
        stop_timeout=spec.termination_grace_period_seconds,
        logs=logs(owner, site.spec),
        volumes=tuple(sorted(map(_volume, spec.volumes), key=lambda volume: volume.name)),
        registry_credentials=spec.registry_credentials,
        has_shell=spec.enable_execute_command,
        tags=_tags(spec, site),
    )


def _volume(volume: Volume) -> EfsVolume:
    efs = volume.efs
    return EfsVolume(
        name=volume.name,
        mount_path=volume.mount_path,
        file_system=efs.file_system_id,
        root_directory=efs.root_directory,
        access_point=efs.access_point_id,
        is_encrypted=efs.transit_encryption is not False,
        uses_task_role=bool(efs.iam),
        is_read_only=bool(volume.read_only),
    )


def _tags(spec: TaskSpec, site: Site) -> dict[str, str]:
    """The tags of both; of two with the same key the template's counts, as it may be the one that costs are told by."""
    tags = {**spec.tags, **site.spec.tags}
    if len(tags) <= ROOM_FOR_TAGS:
        return tags
    raise Rejected(
        "TooManyTags",
        f"spec.tags and the tags of LaunchTemplate {site.template} are {len(tags)} together, and ECS has room for "
        f"{ROOM_FOR_TAGS}: remove {len(tags) - ROOM_FOR_TAGS}.",
    )
