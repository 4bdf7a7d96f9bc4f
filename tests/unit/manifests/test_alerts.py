"""The alert rules: they speak of metrics that exist, clear themselves, and lead to a section that says what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics_core import Metric

from backgroundtask.controller import main  # what a process of the controller imports makes its metrics
from backgroundtask.controller.run_metrics import REGISTRY
from fixtures.promql import NotPromQLError, parse
from fixtures.promql_values import Labels, Samples

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "manifests" / "monitoring"
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text())["spec"]["groups"]
    for rule in group["rules"]
]  # fmt: skip
SNIPPET = yaml.safe_load((FOLDER / "kube-state-metrics.yaml").read_text())["spec"]["resources"]
BY_NAME = {rule["alert"]: rule for rule in RULES}
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
OF_SCRAPES = {"namespace", "job"}
OF_PROCESSES = {"process_start_time_seconds"}  # joined with others of the same process, by what a scrape adds
_UNITS = {"s": 1, "m": 60, "h": 3600}
_SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",)}
HOUR = 3600.0
NIGHTLY = {"namespace": "reports", "task": "nightly"}


def exposed() -> dict[str, set[str]]:
    """The series of the operator by name, with their labels."""
    assert main is not None
    found: dict[str, set[str]] = {}
    for collector in REGISTRY._collector_to_names:  # noqa: SLF001 - a counter without samples tells its labels nowhere else
        for family in collector.collect():
            labels = getattr(collector, "_labelnames", None) or getattr(family, "_labelnames", ())
            found |= dict.fromkeys(_series(family), set(labels) | {"le"})
    return found


def _series(family: Metric) -> list[str]:
    return [family.name + suffix for suffix in _SUFFIXES.get(family.type, ("",))]


def snippet() -> dict[str, set[str]]:
    """What kube-state-metrics makes of its configuration."""
    return {
        f"{one['metricNamePrefix']}_{metric['name']}": set(one["labelsFromPath"]) | _own_labels(metric)
        for one in SNIPPET
        for metric in one["metrics"]
    }


def _own_labels(metric: dict[str, Any]) -> set[str]:
    return set(next(each for key, each in metric["each"].items() if key != "type").get("labelsFromPath", ()))


def seconds(duration: str) -> int:
    return int(duration[:-1]) * _UNITS[duration[-1]]


def every_minute(values: Iterable[float | None]) -> list[tuple[float, float]]:
    """A series that is scraped once a minute from second 0 on; None where there is none to scrape."""
    return [(60.0 * at, value) for at, value in enumerate(values) if value is not None]


def labelled(**labels: str) -> Labels:
    return frozenset(labels.items())


def fires(alert: str, samples: Samples, minute: int) -> bool:
    """Whether it fires: its expression has answered something for as long as `for` says."""
    rule, query = BY_NAME[alert], parse(BY_NAME[alert]["expr"])
    end = 60.0 * minute
    moments = range(int(end - seconds(rule.get("for", "0s"))), int(end) + 1, 60)
    return all(query.value(samples, float(at)) not in ({}, None) for at in moments)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_says_what_is_wrong_how_bad_it_is_and_where_to_read_on(rule: dict[str, Any]) -> None:
    notes = rule["annotations"]
    section = notes["runbook_url"].removeprefix("docs/runbook.md#")

    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert notes["summary"].endswith(".")
    assert notes["description"].endswith(".")
    assert section == rule["alert"].lower()
    assert f"\n### {rule['alert']}\n" in RUNBOOK


def test_every_section_of_the_runbook_is_of_a_rule_and_no_rule_comes_twice() -> None:
    sections = re.findall(r"^### (\w+)$", RUNBOOK, re.MULTILINE)

    assert sorted(sections) == sorted(rule["alert"] for rule in RULES)


@pytest.mark.parametrize("section", RUNBOOK.split("\n### ")[1:], ids=lambda text: text.split("\n")[0])
def test_a_section_says_what_it_means_where_to_look_and_what_to_do(section: str) -> None:
    for word in ("**Means**", "**Look**", "**Do**"):
        assert word.lower() in section.lower(), word


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_speaks_of_series_and_labels_that_are_exposed(rule: dict[str, Any]) -> None:
    known, query = {**snippet(), **exposed()}, parse(rule["expr"])

    for selector in query.selectors:
        assert selector.metric in known
        assert {label for label, _ in selector.matches} <= known[selector.metric]
    used = set.intersection(*(known[one.metric] for one in query.selectors if one.metric not in OF_PROCESSES))
    assert {label for by in query.groupings for label in by} <= used | OF_SCRAPES


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_summary_names_only_labels_that_the_rule_leaves(rule: dict[str, Any]) -> None:
    left = {label for by in parse(rule["expr"]).groupings for label in by}

    told = " ".join(rule["annotations"].values())

    assert set(re.findall(r"\$labels\.(\w+)", told)) <= left


def test_the_snippet_gives_what_the_operator_tells_of_a_task_under_the_same_names_and_labels() -> None:
    ours = {name: labels - {"le"} for name, labels in exposed().items() if name.startswith("bgt_task_")}

    theirs = snippet()

    assert {name: theirs.get(name) for name in ours if name != "bgt_task_runs_total"} == {
        name: labels for name, labels in ours.items() if name != "bgt_task_runs_total"
    }


@pytest.mark.parametrize(
    "text", ["sum(", "max by bgt", "a > ", "rate(a)", "a[5m]", "a or or b", "nonsense(a)", "a{b>1}", "a and b"]
)
def test_what_is_no_expression_is_seen_to_be_none(text: str) -> None:
    with pytest.raises(NotPromQLError):
        parse(text)


def test_a_failure_that_is_newer_than_the_success_fires_and_the_next_success_clears() -> None:
    task = labelled(**NIGHTLY, pod="one")
    samples = {
        ("bgt_task_last_success_timestamp_seconds", task): every_minute([100] * 20 + [1000] * 20),
        ("bgt_task_last_failure_timestamp_seconds", task): every_minute([50] * 5 + [500] * 35),
    }

    told = [fires("BackgroundTaskLastRunFailed", samples, minute) for minute in (4, 10, 25)]

    assert told == [False, True, False]


def test_a_task_that_never_succeeded_and_failed_is_one_whose_last_run_failed() -> None:
    samples = {("bgt_task_last_failure_timestamp_seconds", labelled(**NIGHTLY)): every_minute([500] * 10)}

    assert fires("BackgroundTaskLastRunFailed", samples, 5)


def test_a_new_leader_tells_the_same_of_a_task_as_the_old_one() -> None:
    old, new = labelled(**NIGHTLY, pod="one"), labelled(**NIGHTLY, pod="two")
    samples = {
        ("bgt_task_last_success_timestamp_seconds", old): every_minute([100] * 10),
        ("bgt_task_last_failure_timestamp_seconds", old): every_minute([500] * 10),
        ("bgt_task_last_success_timestamp_seconds", new): every_minute([None] * 10 + [1000] * 20),
        ("bgt_task_last_failure_timestamp_seconds", new): every_minute([None] * 10 + [500] * 20),
    }

    assert fires("BackgroundTaskLastRunFailed", samples, 9)
    assert not fires("BackgroundTaskLastRunFailed", samples, 12)


_QUIET = [0.0] * 5


@pytest.mark.parametrize(
    ("alert", "metric", "labels", "values", "fired", "cleared"),
    [
        ("BackgroundTaskNotReady", "bgt_task_ready", NIGHTLY, [1, 1] + [0] * 20 + [1] * 5, 21, 24),
        ("BackgroundTaskRunsMissed", "bgt_runs_missed_total", {"reason": "MissSchedule"}, [*_QUIET, *[1] * 80], 10, 70),
        ("BackgroundTaskRunsLost", "bgt_runs_total", {"phase": "Lost"}, [*_QUIET, *[1] * 80], 10, 70),
        ("BackgroundTaskSlotsUnaccounted", "bgt_slots_unaccounted", {}, [*_QUIET, *[3] * 20, *_QUIET], 21, 27),
        ("BackgroundTaskLaunchFailures", "bgt_launch_failures_total", {"reason": "CapacityUnavailable"},
         [*_QUIET, *range(30), *[30] * 40], 30, 60),
        ("BackgroundTaskDuplicates", "bgt_duplicate_tasks_total", {}, [*_QUIET, *[1] * 80], 10, 70),
        ("BackgroundTaskOperatorDown", "bgt_build_info", {}, [1, *[None] * 20, 1, 1], 15, 21),
        ("BackgroundTaskNoLeader", "bgt_leader", {"namespace": "bgt", "job": "bgt"}, [1, *[0] * 5, 1, 1], 4, 7),
        ("BackgroundTaskPoisonMessages", "bgt_poison_messages", {"queue": "q"}, [*_QUIET, *[1] * 20, *_QUIET], 21, 27),
        ("BackgroundTaskOrphansOverCap", "bgt_orphans_over_cap", {}, [*_QUIET, *[9] * 20, *_QUIET], 21, 27),
        ("BackgroundTaskOperatorBug", "bgt_reconciles_total", {"outcome": "Bug", "kind": "Task"},
         [*_QUIET, *[1] * 30], 11, 25),
        ("BackgroundTaskQueueStuck", "bgt_queue_oldest_seconds", {"namespace": "bgt", "job": "bgt"},
         [*_QUIET, *[900] * 20, *_QUIET], 21, 27),
        ("BackgroundTaskAwsThrottled", "bgt_aws_calls_total",
         {"code": "ThrottlingException", "operation": "ecs.RunTask"},
         [60.0 * at for at in range(60)] + [3600.0] * 30, 50, 80),
        ("BackgroundTaskOverdue", "bgt_task_next_run_timestamp_seconds", NIGHTLY, [600] * 90 + [90000] * 5, 80, 92),
        ("BackgroundTaskSlowStart", "bgt_run_start_latency_seconds_bucket", {"le": "+Inf"},
         [float(at) for at in range(40)] + [40.0] * 60, 30, 90),
    ],
)  # fmt: skip
def test_an_alert_fires_and_clears_by_itself(
    alert: str, metric: str, labels: dict[str, str], values: list[float], fired: int, cleared: int
) -> None:
    samples = {(metric, labelled(**labels)): every_minute(values)}
    if metric.endswith("_bucket"):
        samples[metric, labelled(le="600.0")] = every_minute([0] * len(values))
        samples[metric, labelled(le="1800.0")] = every_minute([0] * len(values))

    assert not fires(alert, samples, 0)
    assert fires(alert, samples, fired)
    assert not fires(alert, samples, cleared)


@pytest.mark.parametrize(
    ("alert", "metric", "labels"),
    [
        ("BackgroundTaskRunsMissed", "bgt_runs_missed_total", {"reason": "MissSchedule"}),
        ("BackgroundTaskRunsLost", "bgt_runs_total", {"phase": "Lost"}),
        ("BackgroundTaskDuplicates", "bgt_duplicate_tasks_total", {}),
    ],
)
def test_what_a_new_process_counted_before_its_first_scrape_fires_and_clears_within_the_hour(
    alert: str, metric: str, labels: dict[str, str]
) -> None:
    old, new = {"job": "bgt", "instance": "one"}, {"job": "bgt", "instance": "two"}
    samples = {
        (metric, labelled(**labels, **old)): every_minute([7] * 10),
        ("process_start_time_seconds", labelled(**old)): every_minute([-2 * HOUR] * 10),
        (metric, labelled(**labels, **new)): every_minute([None] * 30 + [3] * 90),
        ("process_start_time_seconds", labelled(**new)): every_minute([None] * 30 + [30 * 60.0 - 20] * 90),
    }

    assert not fires(alert, samples, 9)
    assert fires(alert, samples, 30)
    assert fires(alert, samples, 85)
    assert not fires(alert, samples, 92)


def test_no_rule_is_left_out_of_these() -> None:
    [table] = [
        mark.args[1] for mark in test_an_alert_fires_and_clears_by_itself.pytestmark if mark.name == "parametrize"
    ]  # fmt: skip

    assert {row[0] for row in table} | {"BackgroundTaskLastRunFailed"} == BY_NAME.keys()


def test_runs_that_start_at_once_are_no_slow_starts() -> None:
    values = [float(at) for at in range(60)]
    samples = {
        ("bgt_run_start_latency_seconds_bucket", labelled(le=bound)): every_minute(values) for bound in ("60.0", "+Inf")
    }

    assert not fires("BackgroundTaskSlowStart", samples, 50)
