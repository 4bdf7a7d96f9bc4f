"""The request that launches a run: its token, what of it is frozen, and what ECS is sent.

A record is written before ECS is asked, and asks the same for ever: with the same token and other parameters ECS
answers a ConflictException. The first launch of a slot is the schedule's own, to the letter. The values of the run's
overrides are not in the record, as they are in its spec, which never changes.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from backgroundtask.api.run import BackgroundTaskRun, LaunchRecord
from backgroundtask.plan.identity import index_of, is_awaited, slot_of_run
from backgroundtask.plan.moments import stamp
from backgroundtask.plan.names import Owner
from backgroundtask.plan.schedule import Extras, run_task_request
from backgroundtask.plan.site import Site

_DIGEST = 32


def token(owner: Owner, run: BackgroundTaskRun, number: int) -> str:
    """The clientToken of a launch: at most 64 characters of ASCII 33 to 126 (Amazon ECS API, RunTask).

    Launch 0 of a slot has the token that the schedule's own launch has, so that ECS starts one task of the two.
    """
    if slot_of_run(run) is None:
        named = f"{owner}/{run.metadata.name}/{run.metadata.uid}"
        return f"{hashlib.sha256(named.encode()).hexdigest()[:_DIGEST]}-{number}"
    index = index_of(run)
    item = "" if index is None else f"-{index}"
    again = f".{number}" if number else ""
    return f"{owner.token_prefix}{run.spec.scheduled_time}{item}{again}"


def record(
    run: BackgroundTaskRun,
    *,
    number: int,
    owner: Owner,
    uid: str,
    definition_arn: str,
    site: Site,
    task_role_arn: str | None,
    execute_command: bool,
    now: datetime,
) -> LaunchRecord:
    """The launch as it is frozen. `uid` is the task's; `task_role_arn` is the role that the run's overrides name."""
    extras = Extras(item=run.spec.item, task_role=task_role_arn)
    if number or not is_awaited(run):  # else it is the schedule's own launch, which knows no run
        extras = replace(extras, run=run.metadata.name, run_uid=run.metadata.uid)
    sent = token(owner, run, number)
    request = run_task_request(
        owner=owner,
        uid=uid,
        definition_arn=definition_arn,
        placement=site.placement,
        slot=run.spec.scheduled_time,
        token=sent,
        execute_command=execute_command,
        extras=extras,
    )
    text = json.dumps(request, sort_keys=True, separators=(",", ":"))
    return LaunchRecord(number=number, token=sent, time=stamp(now), request=text)


def sendable(record: LaunchRecord, run: BackgroundTaskRun) -> dict[str, Any]:
    """The RunTask request of a record, in camelCase, with the overrides of the run's spec merged in."""
    request: dict[str, Any] = json.loads(record.request)
    overrides = run.spec.overrides
    if overrides is None:
        return request
    container = request["overrides"]["containerOverrides"][0]
    # What the operator says comes last, and nobody else may say it.
    container["environment"] = [*_pairs({one.name: one.value for one in overrides.env}), *container["environment"]]
    if overrides.command:
        container["command"] = list(overrides.command)
    for name, size in (("cpu", overrides.cpu), ("memory", overrides.memory)):
        if size is not None:
            request["overrides"][name] = str(size)
    return request


def _pairs(variables: Mapping[str, str]) -> Iterable[dict[str, str]]:
    return ({"name": name, "value": value} for name, value in variables.items())
