"""The reconciler of LaunchTemplates: is the place there where tasks are to run, and may this installation use it?

Creates what belongs to the operator alone (schedule group, log group); the cluster, the queues and the roles are the
platform team's, and are only looked at. What AWS refuses later (a role that may not be passed, an image that cannot be
pulled) shows where it happens.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from backgroundtask.api.conditions import READY, Verdict, ready, reconciling, settle, stalled
from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.api.names import FINALIZER
from backgroundtask.api.parsing import parse_template, read_metadata, read_template_status
from backgroundtask.api.template import TemplateSpec, TemplateStatus
from backgroundtask.aws import Cloud, QueueFacts
from backgroundtask.controller.configure import LOOK_AGAIN
from backgroundtask.controller.context import Context
from backgroundtask.controller.force import Unheeded, is_forced, tell_left
from backgroundtask.controller.groups import own_group
from backgroundtask.controller.keys import RepositoryKey, TaskKey, TemplateKey
from backgroundtask.controller.statuses import write_status
from backgroundtask.controller.tracker import Tracker
from backgroundtask.controller.workqueue import Priority
from backgroundtask.errors import Blocked, Expected, Rejected
from backgroundtask.kube.resource import TEMPLATES, Ref
from backgroundtask.plan.moments import stamp
from backgroundtask.plan.status import condition_changes

_LEAST_VISIBILITY = 30  # seconds, SQS's default: a message has to be stored and deleted before it comes again
_OF_OTHERS = frozenset({"NotOwned", "ScheduleGroupOfAnotherCluster"})  # whose messages are theirs, too
_THERE = ready("Verified", "Cluster, queues, schedule group and log group are there.")


class Templates:
    """All LaunchTemplates. One key is worked on by one thread at a time."""

    def __init__(self, context: Context, tracker: Tracker) -> None:
        self._context = context
        self._tracker = tracker
        self._verified: dict[TemplateKey, tuple[str, int, datetime]] = {}
        self._followed: set[TemplateKey] = set()
        self._unheeded = Unheeded(context)

    def reconcile(self, key: TemplateKey) -> None:
        """Verify one template and say so.

        Raises:
            Expected: something has to happen first; the caller tries again.
        """
        raw = self._context.cache.template(key.name)
        if raw is None:
            self._forget(key)
            return
        metadata = read_metadata(raw)
        if metadata.deletion_timestamp is not None:
            self._part(key, raw)
            return
        self._unheeded.tell(Ref.of(TEMPLATES, raw), metadata)
        now = self._context.now()
        try:
            found = {} if self._is_verified(key, raw, metadata, now) else self._found(key, raw)
        except Expected as error:
            self._refuse(key, raw, error)
            return
        self._write(raw, found, _THERE)
        if found:  # and only once it is written: a status without them must not be taken for a verified one
            self._verified[key] = (metadata.uid, metadata.generation, now)
        self._context.queue.add_after(key, LOOK_AGAIN.total_seconds(), Priority.RESYNC)

    def _is_verified(self, key: TemplateKey, raw: Mapping[str, Any], metadata: ObjectMeta, now: datetime) -> bool:
        """Whether the last verification still holds, and its finds are in the status."""
        uid, generation, when = self._verified.get(key, ("", -1, datetime.min.replace(tzinfo=UTC)))
        is_same = (uid, generation) == (metadata.uid, metadata.generation)
        return is_same and now - when < LOOK_AGAIN and read_template_status(raw).cluster_arn is not None

    def _found(self, key: TemplateKey, raw: Mapping[str, Any]) -> Mapping[str, object]:
        """The members of the status that a verification brings; none where the template is gone."""
        spec = parse_template(raw).spec
        held = self._context.kube.add_finalizer(TEMPLATES, raw, FINALIZER)
        if held is None:
            return {}
        self._context.cache.put(TEMPLATES, held)
        cloud = self._cloud(key, spec)
        cluster = cloud.ecs.cluster(spec.cluster)
        if cluster is None or cluster.status != "ACTIVE":
            state = "does not exist" if cluster is None else f"is {cluster.status}"
            raise Blocked("ClusterNotActive", f"ECS cluster {spec.cluster} {state} in {spec.region}: create it there.")
        judge_queue(spec.queues.events, cloud.queues.describe(spec.queues.events))
        judge_queue(spec.queues.ticks, cloud.queues.describe(spec.queues.ticks), of_rules=spec.clock == "Rule")
        group = own_group(self._context, cloud, spec)
        self._follow(key, cloud, spec)
        cloud.logs.ensure(spec.logs.group, retention_days=spec.logs.retention_days, tags=spec.tags)
        return {"cluster_arn": cluster.arn, **_clocked(read_template_status(raw), spec, group)}

    def _cloud(self, key: TemplateKey, spec: TemplateSpec) -> Cloud:
        return self._context.clouds.of(region=spec.region, assume_role_arn=spec.assume_role_arn, template=key.name)

    def _follow(self, key: TemplateKey, cloud: Cloud, spec: TemplateSpec) -> None:
        self._tracker.follow(key.name, cloud, spec)
        self._followed.add(key)

    def _read_on(self, key: TemplateKey, raw: Mapping[str, Any]) -> None:
        """Read the queues of a template that cannot be verified now, but was once: its schedules fire.

        Where this process reads for it already, that stays as it is: the spec may have changed to what is not there.

        Raises:
            Expected: nobody can tell which queues, or as whom to read them.
        """
        if key not in self._followed and read_template_status(raw).cluster_arn is not None:
            spec = parse_template(raw).spec
            self._follow(key, self._cloud(key, spec), spec)

    def _refuse(self, key: TemplateKey, raw: Mapping[str, Any], error: Expected) -> None:
        if error.reason not in _OF_OTHERS:
            with suppress(Expected):  # what keeps it from being read is in the way of the next verification, too
                self._read_on(key, raw)
        if isinstance(error, Rejected):
            self._write(raw, {}, stalled(error.reason, error.message))
            self._context.queue.add_after(key, LOOK_AGAIN.total_seconds())
            return
        if self._context.is_worth_telling(key, error):
            self._write(raw, {}, reconciling(error.reason, error.message, was_ready="False"))
        raise error

    def _write(self, seen: Mapping[str, Any], found: Mapping[str, object], verdicts: tuple[Verdict, ...]) -> None:
        """Say what was found of the template that was `seen`; where it has changed since, its next look says more."""
        key, looked_at = TemplateKey(seen["metadata"]["name"]), read_metadata(seen)
        raw = self._context.cache.template(key.name)
        if raw is None:
            return
        metadata, before = read_metadata(raw), read_template_status(raw)
        if (metadata.uid, metadata.generation) != (looked_at.uid, looked_at.generation):
            return
        after = before.model_copy(
            update={
                **found,
                "observed_generation": metadata.generation,
                "tasks": len(self._context.cache.tasks_using(key.name)),
                "conditions": settle(
                    before.conditions, verdicts, generation=metadata.generation, now=stamp(self._context.now())
                ),
            }
        )
        if write_status(self._context, TEMPLATES, raw, after) is None:
            return
        self._tell(Ref.of(TEMPLATES, raw), before, after)
        if _is_news(before, after):
            self._wake_users(key)

    def _tell(self, ref: Ref, before: TemplateStatus, after: TemplateStatus) -> None:
        for condition in condition_changes(before.conditions, after.conditions):
            if condition.type == READY:
                kind = "Normal" if condition.status == "True" else "Warning"
                self._context.recorder.emit(ref, type=kind, reason=condition.reason, message=condition.message)

    def _wake_users(self, key: TemplateKey) -> None:
        for user in self._users(key):
            self._context.queue.add(user, Priority.RESYNC)

    def _users(self, key: TemplateKey) -> list[TaskKey | RepositoryKey]:
        """Whoever keeps it: tasks first, each by name."""
        cache = self._context.cache
        repositories = [RepositoryKey(*place) for place in cache.repositories_using(key.name)]
        return [*(TaskKey(*place) for place in cache.tasks_using(key.name)), *repositories]

    def _part(self, key: TemplateKey, raw: Mapping[str, Any]) -> None:
        """It goes when nothing uses it any more: what its users have in AWS can only be cleaned up with it."""
        users = self._users(key)
        if users and is_forced(read_metadata(raw)):
            why = Blocked("InUse", "What these have in AWS cannot be ended without it")
            tell_left(self._context, Ref.of(TEMPLATES, raw), why, [str(user) for user in users])
        elif users:
            message = f"{len(users)} {_kinds(users)} still use it, {users[0]} among them: delete them first."
            self._write(raw, {}, reconciling("InUse", message, was_ready="True"))
            self._read_on(key, raw)
            self._context.queue.add_after(key, LOOK_AGAIN.total_seconds(), Priority.RESYNC)
            return
        left = self._context.kube.remove_finalizer(TEMPLATES, raw, FINALIZER)
        if left is not None:
            self._context.cache.put(TEMPLATES, left)
        self._forget(key)  # the watch brings no news of an end that the cache knows already

    def _forget(self, key: TemplateKey) -> None:
        self._verified.pop(key, None)
        self._followed.discard(key)
        self._tracker.forget(key.name)


def _kinds(users: Sequence[TaskKey | RepositoryKey]) -> str:
    names = {TaskKey: "BackgroundTasks", RepositoryKey: "ImageRepositories"}
    return " and ".join(dict.fromkeys(names[type(one)] for one in users))


def _is_news(before: TemplateStatus, after: TemplateStatus) -> bool:
    """Whether users that could not go on may do so now."""
    return (before.observed_generation, before.cluster_arn, before.clocks) != (
        after.observed_generation,
        after.cluster_arn,
        after.clocks,
    )


def _clocked(before: TemplateStatus, spec: TemplateSpec, group: str) -> Mapping[str, object]:
    """The members of the status that tell of clocks: one that was used is never forgotten."""
    known = before.clocks or (("Scheduler",) if before.cluster_arn else ())  # as long as there was no other
    clocks = tuple(sorted({*known, spec.clock}, reverse=True))
    return {"clocks": clocks} | ({"schedule_group_arn": group} if spec.clock == "Scheduler" else {})


def judge_queue(arn: str, facts: QueueFacts, *, of_rules: bool = False) -> None:
    """Refuse a queue that would bring messages twice as a rule, or for ever; or nothing that EventBridge rules send.

    Raises:
        Blocked: the message says what to set.
    """
    if not facts.has_redrive:
        raise Blocked(
            "QueueWithoutRedrive",
            f"Queue {arn} has no redrive policy: give it one, to a queue of its own for messages that nobody can read.",
        )
    if facts.visibility_timeout < _LEAST_VISIBILITY:
        raise Blocked(
            "QueueVisibilityTooShort",
            f"Queue {arn} has a visibility timeout of {facts.visibility_timeout} s, so that messages come again while "
            f"they are worked on: set it to {_LEAST_VISIBILITY} s or more, 60 s is good.",
        )
    if of_rules and not facts.takes_from_rules:
        raise Blocked(
            "QueueClosedToRules",
            f"Queue {arn} takes nothing from EventBridge rules: let its policy allow events.amazonaws.com to call "
            "sqs:SendMessage, with aws:SourceArn like the rules of this account.",
        )
