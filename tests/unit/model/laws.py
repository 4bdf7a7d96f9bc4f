"""What must hold in every world, whatever users, AWS and crashes do: each promise of the operator as one named check.

A `Chronicle` hears every change of the cluster as it happens, so a promise about an order of things is judged on all
states, not only on those that a test looks at. The names are the promises'.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise, takewhile
from typing import Any

from backgroundtask.api.names import FINALIZER
from backgroundtask.api.phases import ENDS
from backgroundtask.kube.resource import RUNS, TASKS, Body, Resource
from backgroundtask.plan.names import Owner
from backgroundtask.plan.rules import rule_group
from backgroundtask.plan.schedule import marks_in
from backgroundtask.plan.scheduler import from_scheduler
from fixtures.fake_account import RULE_TOKEN, Rule, family_of
from fixtures.fake_process import INSTALLATION
from fixtures.fake_world import GROUP, NAMESPACE, World

CANARY = "canary-2f9d"
"""Stands in every env value, and may be read nowhere else."""

MOST_BYTES = 256 * 1024
_ORDER = {None: 0, "Pending": 1, "Launching": 2, "Running": 3}
_FIRST_SIGHT = "ecs.active_revisions"  # of each pass that may make something
_SIGHTS = frozenset({_FIRST_SIGHT, "ecs.revision", "schedules.find", "rules.find"})
_MAKES = frozenset({"ecs.register", "schedules.create", "rules.create"})
_GUESSES = frozenset({"Missed", "Lost"})  # ends that say that nothing was seen


@dataclass
class Chronicle:
    """What the cluster has been through: every state of every run and task."""

    runs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # UID -> statuses, oldest first
    recorded: set[tuple[str, bool]] = field(default_factory=set)  # ARN of an ECS task, and whether as ended
    observed: dict[str, list[int]] = field(default_factory=dict)  # UID -> observedGeneration
    names: set[str] = field(default_factory=set)  # of runs
    accounted: dict[str, str] = field(default_factory=dict)  # UID of a task -> the furthest cursor
    uids: dict[str, str] = field(default_factory=dict)  # UID of each BackgroundTask there ever was -> its name
    oversized: list[str] = field(default_factory=list)

    def see(self, resource: Resource, event: str, body: Body) -> None:
        """Note one change."""
        uid, status = body["metadata"]["uid"], body.get("status", {})
        if len(json.dumps(body)) >= MOST_BYTES:
            self.oversized.append(f"{resource.plural} {body['metadata']['name']}")
        if resource in (RUNS, TASKS):
            self.observed.setdefault(uid, []).append(status.get("observedGeneration", -1))
        if resource == TASKS:
            self.uids[uid] = body["metadata"]["name"]
            self.accounted[uid] = max(self.accounted.get(uid, ""), status.get("slotsAccountedUntil") or "")
        if resource == RUNS and event != "DELETED":
            self.names.add(body["metadata"]["name"])
            self.runs.setdefault(uid, []).append(status)
            self._record(status)

    def _record(self, status: dict[str, Any]) -> None:
        for attempt in status.get("attempts", []):
            ended = attempt.get("completionTime") is not None
            self.recorded |= {(attempt["taskArn"], False)} | ({(attempt["taskArn"], True)} if ended else set())


@dataclass(frozen=True)
class Sent:
    """An event of an ECS task that was put into the queue."""

    message: str
    arn: str
    uid: str
    is_end: bool
    run: str | None = None  # UID of the run that it names


def i1_no_slot_has_two_tasks(world: World) -> None:
    """One ECS task for each slot of each BackgroundTask, as long as ECS knows its client token; a rule has none."""
    by_token = {arn for token, arn in world.account.tokens.items() if not token.startswith(RULE_TOKEN)}
    slots = Counter(_slot(task) for arn, task in world.account.tasks.items() if arn in by_token)
    assert not [slot for slot, count in slots.items() if count > 1]


def i1_at_rest_one_task_of_a_slot_goes_on(world: World) -> None:
    """Of several that a rule has started, or two clocks have, the others are stopped."""
    going = (arn for arn, task in world.account.tasks.items() if task["desiredStatus"] == "RUNNING")
    slots = Counter(_slot(world.account.tasks[arn]) for arn in going if _is_of_one_alive(world, arn))
    assert not [slot for slot, count in slots.items() if count > 1]


def i2_what_is_deleted_leaves_nothing(world: World, chronicle: Chronicle, retained: set[str]) -> None:
    """Once an object is gone, nothing in AWS bears its UID: no schedule, no ACTIVE revision, no task that goes on."""
    alive = {body["metadata"]["uid"] for body in world.store.all(TASKS)}
    gone = chronicle.uids.keys() - alive - retained
    schedules = [one for one in _schedules(world) if one.uid in gone]
    revisions = [one.arn for one in world.account.active() if one.uid in gone]
    tasks = [arn for arn, one in world.account.tasks.items() if one["desiredStatus"] == "RUNNING" and _uid(one) in gone]
    named_anew = {chronicle.uids[uid] for uid in gone} & {body["metadata"]["name"] for body in world.store.all(TASKS)}
    assert [one for one in schedules if not _of(one.owner, named_anew)] == []
    assert [arn for arn in revisions if not _of(_owner_in(family_of(arn)), named_anew)] == []
    assert tasks == []


def i3_every_end_is_recorded(world: World, chronicle: Chronicle) -> None:
    """At rest each ECS task that ended has ended in its run, if that is there, or in that of its slot."""
    ended = (arn for arn, one in world.account.tasks.items() if one["lastStatus"] == "STOPPED")
    assert not {arn for arn in ended if _is_of_one_alive(world, arn)} - _arns(chronicle, is_end=True)


def i4_every_slot_that_started_is_recorded(world: World, chronicle: Chronicle) -> None:
    """At rest each ECS task that was started stands in its run, if that is there, or in that of its slot."""
    assert not {arn for arn in world.account.tasks if _is_of_one_alive(world, arn)} - _arns(chronicle, is_end=False)


def i6_garbage_is_bounded(world: World) -> None:
    """No family has two ACTIVE revisions for one wish, crashes included: the next pass finds what the last has made."""
    wishes = Counter((family_of(one.arn), one.digest) for one in world.account.active())
    assert not [wish for wish, count in wishes.items() if count > 1]


def i6_at_rest_one_revision_is_left(world: World, used: set[str]) -> None:
    """When what was replaced is retired, each task has one ACTIVE revision, and those of active runs."""
    ours = {Owner(INSTALLATION, NAMESPACE, body["metadata"]["name"]).family for body in world.store.all(TASKS)}
    families = Counter(family_of(one.arn) for one in world.account.active() if one.arn not in used)
    assert not [family for family, count in families.items() if count > 1 and family in ours]


def i6_what_an_active_run_uses_stays(world: World) -> None:
    """The revision of a run that goes on is not retired, as long as its task stays."""
    tasks = [one["metadata"] for one in world.store.all(TASKS) if "deletionTimestamp" not in one["metadata"]]
    staying, uids = {one["name"] for one in tasks}, {one["uid"] for one in tasks}
    going = (
        run
        for run in world.runs()
        if run["spec"]["task"] in staying
        and {owner["uid"] for owner in run["metadata"].get("ownerReferences", ())} <= uids
        and run["status"].get("phase") not in ENDS
    )
    used = {run["status"].get("taskDefinitionArn") for run in going}
    assert not used & world.account.inactive


def i7_nothing_goes_back(chronicle: Chronicle) -> None:
    """Phases go forward, an end that was seen is final, observedGeneration never falls."""
    for statuses in chronicle.runs.values():
        for before, after in pairwise(statuses):
            assert _may_follow(before, after), (before, after)
    for generations in chronicle.observed.values():
        assert generations == sorted(generations)


def i8_a_message_is_deleted_after_its_effect(world: World, chronicle: Chronicle, sent: list[Sent]) -> None:
    """What is no longer in the queue stands in a run, or is about an object that is gone or going."""
    kept = {message.id for queue in world.account.queues for message in world.account.messages(queue)}
    staying = {
        body["metadata"]["uid"] for body in world.store.all(TASKS) if "deletionTimestamp" not in body["metadata"]
    }
    runs = {run["metadata"]["uid"] for run in world.runs()}
    for event in sent:
        if event.message not in kept and event.uid in staying and (event.run is None or event.run in runs):
            assert (event.arn, event.is_end) in chronicle.recorded, event


def i10_what_strangers_own_is_as_they_left_it(world: World, strangers: dict[str, Any]) -> None:
    """No write touches a schedule or a revision that bears another mark."""
    assert strangers_of(world) == strangers


def i11_a_failure_is_no_absence(world: World) -> None:
    """Where AWS does not say what there is, nothing is made: neither a revision nor a schedule."""
    calls = [call.operation for call in world.trace.calls]
    for place in world.trace.failed:
        if calls[place] in _SIGHTS:
            same_pass = takewhile(lambda operation: operation != _FIRST_SIGHT, calls[place + 1 :])
            assert not _MAKES & set(same_pass), calls[place]


def i13_env_values_are_told_to_nobody(world: World, told: list[str]) -> None:
    """A value of env stands in specs, in definitions and in what ECS is sent: in no status, Event, log or schedule."""
    bodies = [{**body, "spec": {}} for kind in (RUNS, TASKS) for body in world.store.all(kind)]
    schedules = [kept for kept, _ in world.account.schedules.values()]
    assert not [text for text in map(str, (*bodies, *schedules, *told)) if CANARY in text]


def i15_state_is_bounded(world: World, chronicle: Chronicle) -> None:
    """No object grows beyond 256 KiB, and at rest no history is longer than its task allows."""
    assert chronicle.oversized == []
    for body in world.store.all(TASKS):
        until = body["status"].get("slotsAccountedUntil") or ""
        kept = (run for run in runs_of(world, body) if (run["spec"].get("scheduledTime") or "") <= until)
        ended = Counter(run["status"]["phase"] for run in kept if run["status"].get("phase") in ENDS)
        refused = sum(map(_is_refused, runs_of(world, body)))
        good, bad = (body["spec"][f"{kind}RunsHistoryLimit"] for kind in ("successful", "failed"))
        assert max(ended["Succeeded"], ended["Skipped"]) <= good
        assert ended["Failed"] + ended["Missed"] + ended["Lost"] - refused <= bad
        assert ended["Cancelled"] + refused <= bad


def _is_refused(run: Body) -> bool:
    """Whether a run that somebody asked for ended before ECS was asked."""
    was_asked = {"launch", "attempts", "taskArn"} & run["status"].keys()
    return run["status"].get("phase") == "Failed" and "scheduledTime" not in run["spec"] and not was_asked


def runs_of(world: World, task: Body) -> list[Body]:
    """The runs that a task controls."""
    uid = task["metadata"]["uid"]
    return [
        one for one in world.runs() if uid in {owner["uid"] for owner in one["metadata"].get("ownerReferences", ())}
    ]


def held_runs_have_not_ended(world: World) -> None:
    """At rest the finalizer is on active runs alone, so that deleting an ended one waits for nobody."""
    for run in world.runs():
        if run["status"].get("phase") in ENDS:
            assert FINALIZER not in run["metadata"].get("finalizers", [])


def strangers_of(world: World) -> dict[str, Any]:
    """Everything in the account that does not bear this installation's mark."""
    schedules = {key: kept for key, (kept, _) in world.account.schedules.items() if not _is_marked(kept)}
    foreign = (arn for arn, one in world.account.revisions.items() if not _is_mark(one.owner))
    rules = {name: dict(kept.document) for name, kept in world.account.rules.items() if not _is_kept(kept)}
    return {
        "schedules": schedules,
        "rules": rules,
        "revisions": {arn: arn in world.account.inactive for arn in foreign},
    }


def _is_marked(kept: dict[str, Any]) -> bool:
    return _is_mark(from_scheduler(kept).owner)


def _is_kept(rule: Rule) -> bool:
    """Whether a rule is a task's, or the one that bears the mark of the cluster."""
    return _is_mark(marks_in(rule.description).owner) or rule.document["Name"] == rule_group(INSTALLATION)


def _is_mark(owner: str | None) -> bool:
    return owner is not None and owner.startswith(f"{INSTALLATION}/")


def _schedules(world: World) -> list[Any]:
    kept = [from_scheduler(one) for (group, _), (one, _) in world.account.schedules.items() if group == GROUP]
    return [*kept, *map(world.account.rule, world.account.rules)]


def _of(owner: str | None, names: set[str]) -> bool:
    """Whether it belongs to an object of that name: one that was made anew takes over what its namesake left."""
    return owner is not None and owner.rpartition("/")[2] in names


def _owner_in(family: str) -> str:
    _, installation, namespace, name = family.split("_")
    return str(Owner(installation, namespace, name))


def environment(task: dict[str, Any]) -> dict[str, str]:
    """What the container of an ECS task is told."""
    [override] = task["overrides"]["containerOverrides"]
    return {one["name"]: one["value"] for one in override["environment"]}


def _uid(task: dict[str, Any]) -> str:
    return environment(task)["BGT_TASK_UID"]


def _is_of_one_alive(world: World, arn: str) -> bool:
    told = environment(world.account.tasks[arn])
    run, alive = told.get("BGT_RUN_UID"), {body["metadata"]["uid"] for body in world.store.all(TASKS)}
    runs = {body["metadata"]["uid"] for body in world.runs()}
    return told["BGT_TASK_UID"] in alive and (run is None or run in runs)


def _arns(chronicle: Chronicle, *, is_end: bool) -> set[str]:
    return {arn for arn, as_ended in chronicle.recorded if as_ended == is_end}


def _slot(task: dict[str, Any]) -> tuple[str, str]:
    return _uid(task), environment(task)["BGT_SCHEDULED_TIME"]


def _may_follow(before: dict[str, Any], after: dict[str, Any]) -> bool:
    if before.get("phase") in ENDS - _GUESSES:
        beside = {"attempts", "conditions", "observedGeneration"}
        return {k: v for k, v in before.items() if k not in beside} == {
            k: v for k, v in after.items() if k not in beside
        }
    later = _ORDER.get(after.get("phase"), len(_ORDER))
    return before.get("phase") in _GUESSES or later >= _ORDER[before.get("phase")]
