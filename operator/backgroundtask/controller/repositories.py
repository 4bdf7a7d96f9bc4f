"""The reconciler of ImageRepositories: one key, one ECR repository, from what ECR holds to one status patch.

It remembers nothing: each pass asks ECR, so that what somebody changed there is put right at the next look, at most
`--resync` seconds later. The finalizer is there before anything is made. A repository that was deleted behind our back
is made anew; one without our mark is neither changed nor deleted, and no sweep ever takes one: images are data.
"""

from collections.abc import Mapping
from typing import Any, assert_never

from backgroundtask.api.conditions import READY, ConditionStatus, Verdict, ready, reconciling, settle, stalled
from backgroundtask.api.metadata import ObjectMeta
from backgroundtask.api.names import FINALIZER, PAUSED
from backgroundtask.api.parsing import (
    parse_repository,
    read_metadata,
    read_repository_parting,
    read_repository_status,
)
from backgroundtask.aws import Repositories as Ecr
from backgroundtask.aws import Urgency, urgency
from backgroundtask.controller.configure import LOOK_AGAIN
from backgroundtask.controller.context import Context, log
from backgroundtask.controller.force import Unheeded, is_forced, tell_left
from backgroundtask.controller.keys import RepositoryKey, TemplateKey
from backgroundtask.controller.statuses import write_status
from backgroundtask.controller.watch import spread
from backgroundtask.controller.workqueue import Priority
from backgroundtask.errors import Expected, Paced, Rejected
from backgroundtask.kube.resource import REPOSITORIES, Ref
from backgroundtask.plan.definition import RETAINED_TAG
from backgroundtask.plan.moments import stamp
from backgroundtask.plan.repository import (
    Create,
    Held,
    KeepAll,
    Scan,
    Step,
    Tag,
    Trim,
    is_ours,
    plan,
    repository_name,
    wish,
)
from backgroundtask.plan.status import condition_changes

_PAUSED = "The annotation bgtask.dev/paused keeps the operator away from this repository."


class Repositories:
    """All ImageRepositories. One key is worked on by one thread at a time."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._unheeded = Unheeded(context)

    def reconcile(self, key: RepositoryKey) -> None:
        """Bring one repository to rest.

        Raises:
            Expected: something has to happen first; the caller tries again.
        """
        raw = self._context.cache.repository(key.namespace, key.name)
        if raw is None:
            return
        metadata = read_metadata(raw)
        if metadata.deletion_timestamp is not None:
            self._part(key, raw, metadata)
            return
        self._unheeded.tell(Ref.of(REPOSITORIES, raw), metadata)
        if metadata.annotations.get(PAUSED) == "true":
            self._write(key, metadata, reconciling("Paused", _PAUSED))
            return
        try:
            held = self._bring(raw, metadata)
        except Expected as error:
            self._refuse(key, metadata, error)
            return
        if held is not None:
            self._write(key, metadata, ready("Reconciled", f"ECR repository {held.name} is as the spec asks."), held)
        period = self._context.settings.resync * (0.75 + 0.25 * spread(str(key)))  # so that not all come at once
        self._context.queue.add_after(key, period, Priority.RESYNC)

    def _bring(self, raw: Mapping[str, Any], metadata: ObjectMeta) -> Held | None:
        """Bring ECR to what the spec asks; what it holds then, None where the object is gone meanwhile."""
        spec = parse_repository(raw).spec
        site = self._context.site(spec.launch_template)
        wanted = wish(self._context.owner(metadata), metadata.uid, spec, site)
        ecr = self._context.cloud(site).repositories
        held = ecr.find(wanted.name)
        steps = plan(wanted, held)
        if not self._hold(raw) or (held is None and not self._is_wanted(metadata)):
            return None
        for step in steps:
            held = _take(ecr, step, held)
        return held

    def _hold(self, raw: Mapping[str, Any]) -> bool:
        """Put our finalizer on the object before anything is made for it; False where it is gone."""
        held = self._context.kube.add_finalizer(REPOSITORIES, raw, FINALIZER)
        if held is not None:
            self._context.cache.put(REPOSITORIES, held)
        return held is not None

    def _is_wanted(self, metadata: ObjectMeta) -> bool:
        """Ask the API server itself: a repository that is made for an object that is gone stays behind for ever."""
        live = self._context.kube.get(REPOSITORIES, metadata.namespace, metadata.name)
        if live is None:
            return False
        found = read_metadata(live)
        return found.uid == metadata.uid and found.deletion_timestamp is None

    def _refuse(self, key: RepositoryKey, metadata: ObjectMeta, error: Expected) -> None:
        if isinstance(error, Rejected):
            self._write(key, metadata, stalled(error.reason, error.message))
            self._context.queue.add_after(key, LOOK_AGAIN.total_seconds(), Priority.RESYNC)
            return
        self._tell_trouble(key, metadata, error)
        raise error

    def _tell_trouble(self, key: RepositoryKey, metadata: ObjectMeta, error: Expected) -> None:
        if self._context.is_worth_telling(key, error):
            was_ready: ConditionStatus = "Unknown" if isinstance(error, Paced) else "False"
            self._write(key, metadata, reconciling(error.reason, error.message, was_ready=was_ready))

    def _write(
        self, key: RepositoryKey, looked_at: ObjectMeta, verdicts: tuple[Verdict, ...], held: Held | None = None
    ) -> None:
        """Say what was found of the object in the generation that was looked at, and tell people what is new."""
        raw = self._context.cache.repository(key.namespace, key.name)
        if raw is None:
            return
        metadata, before = read_metadata(raw), read_repository_status(raw)
        if (metadata.uid, metadata.generation) != (looked_at.uid, looked_at.generation):
            return
        now = stamp(self._context.now())
        after = before.model_copy(
            update={
                **({"repository_uri": held.uri, "repository_arn": held.arn} if held else {}),
                "observed_generation": metadata.generation,
                "conditions": settle(before.conditions, verdicts, generation=metadata.generation, now=now),
            }
        )
        if write_status(self._context, REPOSITORIES, raw, after) is None:
            return
        for condition in condition_changes(before.conditions, after.conditions):
            if condition.type == READY:
                kind = "Warning" if condition.status == "False" else "Normal"
                ref = Ref.of(REPOSITORIES, raw)
                self._context.recorder.emit(ref, type=kind, reason=condition.reason, message=condition.message)

    def _part(self, key: RepositoryKey, raw: Mapping[str, Any], metadata: ObjectMeta) -> None:
        """The object is being deleted: end or mark what it has in ECR, then let it go."""
        if FINALIZER not in metadata.finalizers or metadata.annotations.get(PAUSED) == "true":
            return
        template = read_repository_parting(raw).launch_template
        try:
            with urgency(Urgency.DELETE):
                self._end(raw, metadata)
        except Paced:  # our own turn, and no answer of AWS yet
            raise
        except Exception as error:
            if not is_forced(metadata):
                if isinstance(error, Expected):
                    self._tell_trouble(key, metadata, error)
                raise
            tell_left(self._context, Ref.of(REPOSITORIES, raw), error, _left(raw))
        left = self._context.kube.remove_finalizer(REPOSITORIES, raw, FINALIZER)
        if left is not None:
            self._context.cache.put(REPOSITORIES, left)
        log.info("Image repository let go: %s", key, extra={"repository": str(key)})
        self._context.queue.add(TemplateKey(template))

    def _end(self, raw: Mapping[str, Any], metadata: ObjectMeta) -> None:
        parting, owner = read_repository_parting(raw), self._context.owner(metadata)
        ecr = self._context.cloud(self._context.site(parting.launch_template)).repositories
        held = ecr.find(repository_name(owner, parting.name))
        if held is None or not is_ours(held, owner):
            return
        if parting.deletion_policy == "Delete":
            ecr.delete(held.name)
            log.info("ECR repository %s was deleted with its images", held.name)
        elif held.tags.get(RETAINED_TAG) != "true":
            ecr.tag(held.arn, {RETAINED_TAG: "true"})


def _take(ecr: Ecr, step: Step, held: Held | None) -> Held:
    """Take one step; what there is then, as far as its name and its places go."""
    if isinstance(step, Create):
        made = ecr.create(step.name, step.tags)
        log.info("ECR repository %s was created", made.uri)
        return made
    assert held is not None  # noqa: S101 - a plan for what is not there begins with Create
    match step:
        case Tag(tags):
            ecr.tag(held.arn, tags)
        case Scan():
            ecr.scan(held.name)
        case Trim(keep):
            ecr.trim(held.name, keep)
        case KeepAll():
            ecr.keep_all(held.name)
        case _:
            assert_never(step)
    return held


def _left(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """What may be left, as was last known: AWS is what does not answer."""
    return tuple(filter(None, (read_repository_status(raw).repository_arn,)))
