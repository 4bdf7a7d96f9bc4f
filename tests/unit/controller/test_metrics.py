"""What Prometheus is told: names that people's alerts rest on, and labels that are never a tenant's words."""

from prometheus_client import generate_latest

from backgroundtask.controller import metrics, run_metrics
from fixtures.fake_world import World

NAMES = {
    "bgt_reconciles",
    "bgt_reconcile_seconds",
    "bgt_queue_depth",
    "bgt_queue_oldest_seconds",
    "bgt_aws_calls",
    "bgt_aws_call_seconds",
    "bgt_runs",
    "bgt_duplicate_tasks",
    "bgt_messages",
    "bgt_slots",
    "bgt_slots_unaccounted",
    "bgt_reader_full_seconds",
    "bgt_events_dropped",
    "bgt_api_writes",
    "bgt_poison_messages",
    "bgt_loop_lag_seconds",
    "bgt_build_info",
    "bgt_orphans",
    "bgt_orphans_taken",
    "bgt_orphans_over_cap",
    "bgt_aws_paced_seconds",
    "bgt_leader",
    "bgt_lease_transitions",
    "bgt_lease_renewed_seconds_ago",
    "bgt_run_duration_seconds",
    "bgt_run_start_latency_seconds",
    "bgt_runs_active",
    "bgt_runs_skipped",
    "bgt_runs_missed",
    "bgt_launch_failures",
    "bgt_task_last_success_timestamp_seconds",
    "bgt_task_last_failure_timestamp_seconds",
    "bgt_task_next_run_timestamp_seconds",
    "bgt_task_ready",
    "bgt_task_runs",
}


def value(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


def test_the_names_are_these() -> None:
    families = {family.name for family in run_metrics.REGISTRY.collect()}

    assert {name for name in families if not name.startswith("process_")} == NAMES
    assert {"process_cpu_seconds", "process_resident_memory_bytes", "process_open_fds"} <= families


def test_every_series_is_one_that_is_listed() -> None:
    metrics.api_call("backgroundtasks", "patch", "200")

    names = {sample.name for family in metrics.REGISTRY.collect() for sample in family.samples}

    assert [name for name in names if name.endswith("_created")] == []


def test_writes_to_the_api_server_are_counted_and_reads_are_not() -> None:
    labels = {"resource": "backgroundtasks/status", "verb": "patch", "code": "409"}
    before = value("bgt_api_writes_total", **labels)

    metrics.api_call("backgroundtasks/status", "patch", "409")
    for verb in ("get", "list"):
        metrics.api_call("backgroundtasks", verb, "200")

    assert value("bgt_api_writes_total", **labels) == before + 1
    assert value("bgt_api_writes_total", resource="backgroundtasks", verb="get", code="200") == 0


def test_the_build_is_told() -> None:
    [build] = [
        one for family in metrics.REGISTRY.collect() if family.name == "bgt_build_info" for one in family.samples
    ]

    assert build.value == 1
    assert all(build.labels[name] for name in ("version", "python"))


def test_a_call_to_aws_is_counted_by_operation_and_code() -> None:
    before = value("bgt_aws_calls_total", operation="ecs.RunTask", code="OK")

    metrics.aws_call("ecs.RunTask", "OK", 0.25)

    assert value("bgt_aws_calls_total", operation="ecs.RunTask", code="OK") == before + 1
    assert value("bgt_aws_call_seconds_sum", operation="ecs.RunTask") >= 0.25


def test_a_run_is_counted_by_its_end_and_names_no_object(world: World) -> None:
    labels = {"phase": "Failed", "class": "Application", "trigger": "schedule"}
    before = value("bgt_runs_total", **labels), value("bgt_messages_total", fate="stored")

    world.tells(world.fires(), "STOPPED", exit_code=3)

    after = value("bgt_runs_total", **labels), value("bgt_messages_total", fate="stored")
    assert after == (before[0] + 1, before[1] + 1)
    assert b"nightly" not in generate_latest(metrics.REGISTRY)


def test_the_queue_is_asked_when_prometheus_asks() -> None:
    depth = [(2, 5.0)]
    metrics.measure(lambda: depth[0])
    assert (value("bgt_queue_depth"), value("bgt_queue_oldest_seconds")) == (2, 5)

    depth[0] = (1, 6.0)

    assert (value("bgt_queue_depth"), value("bgt_queue_oldest_seconds")) == (1, 6)


def test_events_that_were_not_written_are_told_when_prometheus_asks() -> None:
    dropped = [2]
    metrics.measure_events(lambda: dropped[0])
    assert value("bgt_events_dropped") == 2

    dropped[0] = 3

    assert value("bgt_events_dropped") == 3
