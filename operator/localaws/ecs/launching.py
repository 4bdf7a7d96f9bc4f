"""RunTask: from a request to tasks, once a client token.

Decides and creates; what a task then does is told in `life`.
"""

from __future__ import annotations

from dataclasses import dataclass

from localaws.contract import Params
from localaws.ecs import errors, overrides, rendering, requests, tags, volumes
from localaws.ecs.catalog import Definition
from localaws.ecs.model import Cluster, Container, Launch, Realm, Task
from localaws.ecs.shortages import Outcome
from localaws.ecs.tokens import Launched, fingerprint

_EPHEMERAL_GIB = 20  # documented: developer guide, "Fargate task ephemeral storage"


def run_task(realm: Realm, params: Params) -> tuple[Params, list[Task]]:
    """RunTask: give the answer, and the tasks that have to begin their life (none on a replay)."""
    cluster = realm.active_cluster(params.get("cluster"))
    requests.check(params)
    token, request, now = params.get("clientToken"), fingerprint(params), realm.clock.now()
    known = cluster.tokens.recall(token, request, now) if token else None
    if known is not None:
        replayed = [rendering.replay(task) for task in known.tasks if isinstance(task, Task)]
        return {"tasks": replayed, "failures": known.failures_at(now)}, []
    definition = requests.definition(realm, params)
    launch = _launch(cluster, definition, params)
    labels = _labels(cluster, definition, params)
    count = params.get("count", 1)
    # documented: developer guide, "AWS Fargate throttling quotas"; assumed: RunTask is refused as a whole
    realm.throttle(launch.capacity_provider or launch.launch_type, count)
    begun = _begin(realm, cluster, launch, labels, count)
    if token:
        cluster.tokens.keep(token, Launched(request, now, begun.told, begun.failures, begun.untold))
    shown = [rendering.describe(task, with_tags=True) for task in begun.told]
    return {"tasks": shown, "failures": begun.failures}, [*begun.told, *begun.untold]


@dataclass(frozen=True, slots=True)
class _Begun:
    """The tasks that one RunTask starts, those that its answer tells and those that it does not, and its failures."""

    told: list[Task]
    untold: list[Task]
    failures: list[Params]


def _begin(realm: Realm, cluster: Cluster, launch: Launch, labels: dict[str, str], count: int) -> _Begun:
    def create(number: int) -> list[Task]:
        return [_create(realm, cluster, launch, dict(labels)) for _ in range(number)]

    shortage = realm.shortages.hit(cluster.name, launch.definition.family)
    if shortage is None:
        return _Begun(create(count), [], [])
    short = shortage.among(count)
    told = create(count - short)
    match shortage.outcome:
        case Outcome.REFUSED:
            return _Begun(told, [], shortage.failures(short))
        case Outcome.STARTED:
            return _Begun(told, create(short), shortage.failures(short))
        case Outcome.UNPLACED:
            waiting = create(short)
            for task in waiting:
                task.unplaced = shortage.reason
            return _Begun([*told, *waiting], [], [])


def _launch(cluster: Cluster, definition: Definition, params: Params) -> Launch:
    body = definition.body
    kind, provider = requests.launch_type(params, cluster, body)
    subnet = requests.subnet(params)
    changed = overrides.complete(params, body)
    cpu, memory = overrides.task_size(changed, body)
    platform = requests.platform(params, cpu)
    volumes.check_platform(body, platform)
    execute = params.get("enableExecuteCommand", False)
    if execute and not (changed.get("taskRoleArn") or body.get("taskRoleArn")):
        # documented: API: RunTask.enableExecuteCommand; assumed: the wording
        raise errors.invalid("enableExecuteCommand requires a task role in the task definition or in the overrides.")
    storage = changed.get("ephemeralStorage") or body.get("ephemeralStorage") or {"sizeInGiB": _EPHEMERAL_GIB}
    return Launch(
        definition=definition,
        overrides=changed,
        group=params.get("group") or f"family:{definition.family}",  # documented: API: RunTask.group
        started_by=params.get("startedBy"),
        launch_type=kind,
        capacity_provider=provider,
        platform_version=platform,
        cpu=cpu,
        memory=memory,
        ephemeral_gib=storage["sizeInGiB"],
        execute_command=execute,
        subnet=subnet,
        token=params.get("clientToken"),
    )


def _labels(cluster: Cluster, definition: Definition, params: Params) -> dict[str, str]:
    """Give the tags of new tasks.

    documented: API: RunTask.propagateTags; developer guide, "Tagging Amazon ECS resources": aws:ecs:clusterName
    assumed: tags of the request win over propagated ones
    """
    propagated = definition.tags if params.get("propagateTags") else {}
    managed = {"aws:ecs:clusterName": cluster.name} if params.get("enableECSManagedTags") else {}
    labels = managed | propagated | tags.read(params)
    tags.check_count(labels)
    return labels


def _create(realm: Realm, cluster: Cluster, launch: Launch, labels: dict[str, str]) -> Task:
    task = Task(
        id=realm.new_id(),
        number=cluster.next_number(),
        place=realm.place,
        cluster=cluster.name,
        launch=launch,
        containers=[Container(body, realm.new_id()) for body in launch.definition.body["containerDefinitions"]],
        tags=labels,
        moments={"createdAt": realm.clock.now()},
    )
    cluster.add(task)
    return task
