"""The samples are what a user may write: the models take them, their schedules are understood, they fit together."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from backgroundtask.api.parsing import parse_task, parse_template
from backgroundtask.cron import next_times, parse, to_aws
from backgroundtask.plan.desired import desired
from backgroundtask.plan.names import Owner
from backgroundtask.plan.site import Site

FOLDER = Path(__file__).parents[3] / "manifests" / "samples"
DOCUMENTS = [one for path in sorted(FOLDER.glob("*.yaml")) for one in yaml.safe_load_all(path.read_text())]
TASKS = [one for one in DOCUMENTS if one["kind"] == "BackgroundTask"]
[TEMPLATE] = [one for one in DOCUMENTS if one["kind"] == "LaunchTemplate"]
ARN = "arn:aws:ecs:eu-west-1:111122223333:cluster/background"

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def stored(document: dict[str, Any]) -> dict[str, Any]:
    """As the API server would answer it."""
    return {**document, "metadata": {**document["metadata"], "uid": "1", "generation": 1}}


@pytest.mark.parametrize("document", TASKS, ids=lambda one: one["metadata"]["name"])
def test_a_sample_task_becomes_a_definition_and_schedules_in_the_sample_template(document: dict[str, Any]) -> None:
    task = parse_task(stored(document))
    template = parse_template(stored(TEMPLATE)).spec
    owner = Owner("samples", task.metadata.namespace, task.metadata.name)

    wanted = desired(
        owner, "1", task.spec, Site(template="default", spec=template, cluster=ARN, group="bgt-samples"), now=NOW
    )

    assert task.spec.cron
    assert [one.expression for one in wanted.schedules] == list(to_aws(parse(task.spec.cron)))
    assert next(
        iter(next_times(parse(task.spec.cron), time_zone=task.spec.time_zone, after=datetime(2026, 11, 30, tzinfo=UTC)))
    )


def test_there_is_a_sample_of_each_kind_that_users_write() -> None:
    assert {one["kind"] for one in DOCUMENTS} == {
        "BackgroundTask",
        "BackgroundTaskRun",
        "LaunchTemplate",
        "ImageRepository",
    }
    assert len(TASKS) >= 3
