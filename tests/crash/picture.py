"""What the cluster and AWS hold, without what differs from one run of the workload to the next.

Times, UIDs, numbers of revisions and ids of ECS tasks become names that every run shares: the digest of a definition,
the place of a slot in the order of slots. What is left can be compared as it is.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from backgroundtask.kube.resource import TEMPLATES
from backgroundtask.plan.definition import DIGEST_TAG
from backgroundtask.plan.names import run_name
from crash.world import GROUP, NAME, OWNER, TEMPLATE, CrashWorld, slot_of

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?")
_SUBNET = re.compile(r"subnet-[0-9a-f]+")
_SPEC_HASH = re.compile(r'("specHash": )"[^"]+"')
_MOMENT = re.compile(r'("(?!scheduledTime|lastScheduleTime)\w+Time": )"[^"]+"')
_TASK_UID = re.compile(r'"name":"BGT_TASK_UID","value":"([^"]+)"')
_REVISION = re.compile(r"(task-definition/[\w-]+):\d+")  # of one that was retired: a crash may have left one more
_MARKS = ("finalizers", "generation", "labels", "name", "annotations")
_CHANGES = ("ResponseMetadata", "CreationDate", "LastModificationDate")


@dataclass(frozen=True, slots=True)
class Picture:
    """`parts` is by what was looked at; each part is lines of text."""

    parts: dict[str, tuple[str, ...]]

    def differences(self, wanted: Picture) -> list[str]:
        """What is otherwise than wanted, in words."""
        told = []
        for part, lines in wanted.parts.items():
            here = self.parts[part]
            told += [f"{part}: lacks {line}" for line in (Counter(lines) - Counter(here)).elements()]
            told += [f"{part}: has {line}" for line in (Counter(here) - Counter(lines)).elements()]
        return told


@dataclass(frozen=True, slots=True)
class Creations:
    """How many things were made, whether they are still there or not."""

    revisions: int
    schedules: int
    runs: int
    ecs_tasks: int

    def differences(self, wanted: Creations, *, crashes: int) -> list[str]:
        """What was made otherwise. RegisterTaskDefinition has no token, so a crash may leave a revision too many."""
        told = []
        if not wanted.revisions <= self.revisions <= wanted.revisions + crashes:
            told.append(f"{self.revisions} revisions were registered, not {wanted.revisions}")
        for kind in ("schedules", "runs", "ecs_tasks"):
            made, meant = getattr(self, kind), getattr(wanted, kind)
            told += [f"{made} {kind} were created, not {meant}"] if made != meant else []
        return told


def picture_of(world: CrashWorld) -> Picture:
    """Look at everything."""
    revisions = {arn: world.client("ecs").describe_task_definition(taskDefinition=arn, include=["TAGS"])
                 for arn in world.active_revisions()}  # fmt: skip
    ecs_tasks = world.ecs_tasks()
    names = _names(world, revisions, ecs_tasks)
    task = world.task()
    looked_at: dict[str, list[Any]] = {
        "template": [_marked(world.api.get(TEMPLATES, "", TEMPLATE) or {})],
        "task": [_marked(task)] if task else [],
        "runs": [_marked(run) for run in world.task_runs()],
        "definitions": [_definition(answer) for answer in revisions.values()],
        "schedules": _schedules(world),
        "ECS tasks": [_ecs_task(one) for one in ecs_tasks],
        "poison": _poisoned(world),
    }
    return Picture({part: tuple(_lines(found, names)) for part, found in looked_at.items()})


def creations_of(world: CrashWorld) -> Creations:
    """Count what was made since the case began: by what AWS and the API server did, not by what was answered."""
    ecs = world.client("ecs")
    listed = [ecs.list_task_definitions(familyPrefix=OWNER.family, status=one) for one in ("ACTIVE", "INACTIVE")]
    made = {
        operation: [one for one in world.aws.journal(operation=operation) if one["effect"]]
        for operation in ("CreateSchedule", "RunTask")
    }
    asked = {
        operation: {json.dumps(one["params"], sort_keys=True) for one in calls}  # with its token
        for operation, calls in made.items()
    }
    created = [one for one in world.proxy.writes if one.call.label == "kube.POST backgroundtaskruns"]
    return Creations(
        revisions=sum(len(answer["taskDefinitionArns"]) for answer in listed),
        schedules=len(asked["CreateSchedule"]),
        runs=sum(one.status == 201 for one in created),
        ecs_tasks=len(asked["RunTask"]),
    )


def _names(world: CrashWorld, revisions: dict[str, Any], ecs_tasks: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """What to write instead of what differs, longest first, so that nothing is cut in the middle."""
    task = world.task()
    slots = {slot.isoformat(timespec="seconds").replace("+00:00", "Z"): at for at, slot in enumerate(world.slots)}
    names = {arn: f"<definition {_digest(answer)[:8]}>" for arn, answer in revisions.items()}
    names |= {arn.rpartition("/")[2]: name for arn, name in names.items()}
    names |= {one["taskArn"].rpartition("/")[2]: f"<ECS task of slot {slots.get(slot_of(one))}>" for one in ecs_tasks}
    for run in world.task_runs():
        names |= _names_of_run(run)
    names |= {run_name(NAME, slot): f"<run {at}>" for at, slot in enumerate(world.slots)}
    names |= {text: f"<slot {at}>" for text, at in slots.items()}
    names |= {task["metadata"]["uid"]: "<uid>"} if task else {}
    return sorted(names.items(), key=lambda pair: -len(pair[0]))


def _names_of_run(run: dict[str, Any]) -> dict[str, str]:
    """What tells one life's run from another's: its UID, its tokens, its ECS tasks."""
    status, own = run.get("status", {}), run["metadata"]["name"]
    names = {run["metadata"]["uid"]: f"<uid of {own}>"}
    token = status.get("launch", {}).get("token", "").rpartition("-")[0]
    names |= {token: f"<token of {own}>"} if token else {}
    found = _TASK_UID.search(status.get("launch", {}).get("request", ""))
    names |= {found[1]: "<uid>"} if found else {}
    arns = [one["taskArn"] for one in status.get("attempts", [])]
    return names | {arn.rpartition("/")[2]: f"<ECS task {at} of {own}>" for at, arn in enumerate(arns)}


def _lines(found: list[Any], names: list[tuple[str, str]]) -> Iterator[str]:
    """Each member of each object in a line of its own, under the object's name."""
    for one in found:
        text = _MOMENT.sub(r'\1"<time>"', json.dumps(one, sort_keys=True, default=str))
        for differs, name in names:
            text = text.replace(differs, name)
        text = _REVISION.sub(r"\1:<number>", text)
        shared = json.loads(_SPEC_HASH.sub(r'\1"<hash>"', _SUBNET.sub("<subnet>", _TIME.sub("<time>", text))))
        yield from _leaves(shared, _title(shared))


def _title(one: dict[str, Any] | str) -> str:
    if isinstance(one, str):
        return one
    return str(one.get("Name") or one.get("slot") or one.get("digest") or one["metadata"]["name"])


def _leaves(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key, member in value.items():
            yield from _leaves(member, f"{path}.{key}")
    elif isinstance(value, list) and value:
        for at, member in enumerate(value):
            yield from _leaves(member, f"{path}[{at}]")
    else:
        yield f"{path} = {json.dumps(value)}"


def _marked(body: dict[str, Any]) -> dict[str, Any]:
    metadata = {key: body.get("metadata", {}).get(key) for key in _MARKS}
    return {"metadata": metadata, "spec": body.get("spec"), "status": body.get("status")}


def _digest(answer: dict[str, Any]) -> str:
    return next((one["value"] for one in answer["tags"] if one["key"] == DIGEST_TAG), "without digest")


def _definition(answer: dict[str, Any]) -> dict[str, Any]:
    definition = answer["taskDefinition"]
    [container] = definition["containerDefinitions"]
    kept = {key: container.get(key) for key in ("image", "command", "environment", "logConfiguration")}
    roles = {key: definition.get(key) for key in ("cpu", "memory", "executionRoleArn", "taskRoleArn", "status")}
    return {
        "digest": _digest(answer)[:8],
        "container": kept,
        **roles,
        "tags": sorted(answer["tags"], key=lambda tag: str(tag["key"])),
    }


def _schedules(world: CrashWorld) -> list[Any]:
    scheduler = world.client("scheduler")
    found = []
    for one in scheduler.list_schedules(GroupName=GROUP)["Schedules"]:
        document = scheduler.get_schedule(GroupName=GROUP, Name=one["Name"])
        kept = {key: value for key, value in document.items() if key not in _CHANGES}
        kept["Target"] = {**kept["Target"], "Input": json.loads(kept["Target"]["Input"])}
        found.append(kept)
    return found


def _ecs_task(task: dict[str, Any]) -> dict[str, Any]:
    kept = {key: task.get(key) for key in ("taskArn", "lastStatus", "desiredStatus", "stopCode", "stoppedReason")}
    codes = [container.get("exitCode") for container in task["containers"]]
    return {**kept, "slot": slot_of(task), "exit codes": codes}


def _poisoned(world: CrashWorld) -> list[str]:
    """The queues of messages that nobody could read, where one waits."""
    name = "ApproximateNumberOfMessages"
    urls = {queue: world.queue(f"{queue}-poison") for queue in ("events", "ticks")}
    told = {
        queue: world.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name]
        for queue, url in urls.items()
    }
    return [queue for queue, count in told.items() if int(count)]
