"""Tasks: the calls that show, list and stop them."""

from __future__ import annotations

from collections.abc import Iterator

from localaws.contract import AwsError, Params
from localaws.ecs import errors, names, paging, rendering
from localaws.ecs.life import Fargate
from localaws.ecs.model import Cluster, Realm, Task

_DESCRIBED_AT_MOST = 100


def describe_tasks(realm: Realm, params: Params) -> Params:
    """DescribeTasks: at most 100; what is unknown, or forgotten, is MISSING with HTTP 200.

    documented: API: DescribeTasks.tasks; developer guide, "API failure reasons"
    """
    cluster = realm.cluster(params.get("cluster"))
    wanted: list[str] = params["tasks"]
    if not wanted:
        raise errors.invalid("Tasks cannot be empty.")  # assumed: the wording
    if len(wanted) > _DESCRIBED_AT_MOST:
        raise errors.invalid(f"Tasks can have at most {_DESCRIBED_AT_MOST} items.")  # assumed: the wording
    with_tags = "TAGS" in (params.get("include") or [])
    known = ((text, _find(realm, cluster, text)) for text in wanted)
    found = [(text, task if task and realm.lag.shows(task.arn) else None) for text, task in known]
    shown = [rendering.describe(task, with_tags=with_tags) for _, task in found if task is not None]
    missing = [{"arn": _arn(realm, cluster, text), "reason": "MISSING"} for text, task in found if task is None]
    return {"tasks": shown, "failures": missing}


def list_tasks(realm: Realm, params: Params) -> Params:
    """ListTasks: ARNs by desired status, RUNNING by default; PENDING finds nothing.

    documented: API: ListTasks.desiredStatus, .startedBy "must be the only filter"
    reported: airflow sends startedBy with desiredStatus, so that pair is taken; assumed: the refusal of the others
    """
    cluster = realm.cluster(params.get("cluster"))
    if params.get("serviceName"):
        raise AwsError("ServiceNotFoundException", "Service not found.")  # no services here; assumed: the wording
    if params.get("startedBy") and (params.get("family") or params.get("launchType")):
        raise errors.invalid("startedBy must be the only filter that you use.")
    taken, more = paging.page(_wanted(realm, cluster, params), lambda task: [task.number], params)
    return {"taskArns": [task.arn for task in taken], **more}


def _wanted(realm: Realm, cluster: Cluster, params: Params) -> Iterator[Task]:
    after = int((paging.resume_key(params, int) or [0])[0])
    status = params.get("desiredStatus") or "RUNNING"
    kind, started_by = params.get("launchType"), params.get("startedBy")
    if params.get("containerInstance") or params.get("daemonName"):
        return  # Fargate has neither
    for task in cluster.tasks(params.get("family") or None, realm.clock.now()):
        same = task.desired_status == status and task.number > after
        ours = kind in (None, task.launch.launch_type) and started_by in (None, task.launch.started_by)
        if same and ours and realm.lag.shows(task.arn):
            yield task


def stop_task(realm: Realm, fargate: Fargate, params: Params) -> Params:
    """StopTask: decided at once, done in its own time; of a stopped task nothing changes but its tags.

    documented: API: StopTask, "Any tags associated with the task will be deleted"
    assumed: stopping a stopped task is no error
    """
    cluster = realm.cluster(params.get("cluster"))
    task = _find(realm, cluster, params["task"])
    if task is None:
        raise errors.invalid("The referenced task was not found.")  # reported: apache/airflow tests, public runbooks
    task.tags.clear()
    fargate.stop(task, params.get("reason") or "Task stopped by user")  # assumed: the wording without a reason
    return {"task": rendering.describe(task, with_tags=True)}


def _find(realm: Realm, cluster: Cluster, text: str) -> Task | None:
    task = cluster.task(names.task_id(text), realm.clock.now())
    return None if task is None or (text.startswith("arn:") and text != task.arn) else task


def _arn(realm: Realm, cluster: Cluster, text: str) -> str:
    return text if text.startswith("arn:") else realm.place.task(cluster.name, text)
