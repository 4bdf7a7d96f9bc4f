"""What probes and Prometheus are told by a running operator, and what an outage of the API server changes of that."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fixtures.world import World, eventually
from localkube import State

SILENCE = 120.0  # seconds that half a minute of silence and a request's time limit may take on a busy machine


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(port: int, path: str, *, host: str = "127.0.0.1") -> tuple[int, str]:
    """Status and text; 0 where nobody answers."""
    try:
        with urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


class Ports:
    def __init__(self) -> None:
        self.metrics, self.health = free_port(), free_port()

    @property
    def flags(self) -> tuple[str, ...]:
        return "--metrics-port", str(self.metrics), "--health-port", str(self.health)


@pytest.fixture(scope="module")
def ports(world: World) -> Iterator[Ports]:
    """An operator that is asked by HTTP, with short looks at AWS and JSON for log lines."""
    made = Ports()
    operator = world.start_operator(*made.flags, "--resync", "2", "--log-format", "json")
    yield made
    assert operator.terminate() == 0
    assert [line for line in operator.lines() if not isinstance(json.loads(line), dict)] == []


def test_a_running_operator_is_alive_and_ready(ports: Ports) -> None:
    eventually(lambda: get(ports.health, "/readyz")[0] == 200, "it is ready")

    assert get(ports.health, "/healthz") == (200, "ok")
    assert get(ports.health, "/readyz?verbose")[1].splitlines() == [
        "[+]caches ok",
        "[+]api-server ok",
        "[+]workers ok",
        "readyz check passed",
    ]
    assert get(ports.health, "/nothing")[0] == 404


def test_it_answers_on_addresses_of_both_kinds_as_pods_may_have_either_alone(ports: Ports) -> None:
    hosts = ["127.0.0.1", *(["[::1]"] if socket.has_dualstack_ipv6() else [])]

    for host in hosts:
        assert get(ports.health, "/healthz", host=host) == (200, "ok")
        assert get(ports.metrics, "/metrics", host=host)[0] == 200


def test_prometheus_is_told_what_an_operator_does(world: World, ports: Ports) -> None:
    world.apply("measured", cron=world.soon(), command=["sh", "-c", "exit 3"])
    world.ready("measured")
    world.next_slot()
    eventually(lambda: world.status("measured").get("lastRun"), "it has run")
    poison = world.template["spec"]["queues"]["events"]

    def samples() -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        text = get(ports.metrics, "/metrics")[1]
        families = text_string_to_metric_families(text)
        return {(one.name, tuple(sorted(one.labels.items()))): one.value for of in families for one in of.samples}

    def value(name: str, **labels: str) -> float:
        return samples().get((name, tuple(sorted(labels.items()))), 0.0)

    assert value("bgt_reconciles_total", kind="Task", outcome="OK") > 0
    assert value("bgt_reconcile_seconds_count", kind="Task") > 0
    assert value("bgt_aws_calls_total", operation="ecs.RegisterTaskDefinition", code="OK") == 1
    assert value("bgt_aws_call_seconds_count", operation="scheduler.CreateSchedule") == 1
    assert value("bgt_api_writes_total", resource="backgroundtasks/status", verb="patch", code="200") > 0
    assert value("bgt_api_writes_total", resource="backgroundtaskruns", verb="create", code="201") == 1
    ended = {"phase": "Failed", "class": "Application", "trigger": "schedule"}
    assert value("bgt_runs_total", **ended) == 1
    assert value("bgt_run_start_latency_seconds_count", trigger="schedule") == 1
    assert value("bgt_run_duration_seconds_count", phase="Failed") == 1
    assert value("bgt_messages_total", fate="stored") > 0
    assert value("bgt_leader") == 1
    eventually(lambda: value("bgt_loop_lag_seconds_count") > 0, "the loop was late, if only by a little")
    assert value("process_resident_memory_bytes") > 1e6
    known = {name for name, _ in samples()}
    assert {"bgt_queue_depth", "bgt_queue_oldest_seconds", "bgt_events_dropped", "bgt_duplicate_tasks_total"} <= known
    assert {"bgt_build_info", "process_cpu_seconds_total"} <= known
    world.aws.client("sqs").send_message(QueueUrl=_poison_url(world, poison), MessageBody="nobody can read me")
    eventually(
        lambda: [at for name, at in samples() if name == "bgt_poison_messages" and value(name, **dict(at)) == 1],
        "the message in the poison queue is counted",
    )
    assert "measured" not in get(ports.metrics, "/metrics")[1], "no object's name is a label"


@pytest.mark.usefixtures("ports")
def test_an_operator_whose_port_is_taken_says_so_and_ends(world: World, ports: Ports) -> None:
    second = world.start_operator("--health-port", str(ports.health), wait=False)

    assert second.process.wait(60) == 1
    assert second.logged("PortUnavailable")
    assert second.logged("--health-port")


def test_an_outage_of_the_api_server_makes_it_unready_and_never_dead(world: World, ports: Ports) -> None:
    eventually(lambda: get(ports.health, "/readyz")[0] == 200, "it is ready")

    with _silent_api_server(world):
        eventually(lambda: get(ports.health, "/readyz")[0] == 500, "it is no longer ready", seconds=SILENCE)
        assert "[-]api-server failed: it has not answered for" in get(ports.health, "/readyz")[1]
        assert get(ports.health, "/healthz") == (200, "ok")

    eventually(lambda: get(ports.health, "/readyz") == (200, "ok"), "it is ready again", seconds=SILENCE)
    assert get(ports.health, "/healthz") == (200, "ok")


@contextlib.contextmanager
def _silent_api_server(world: World) -> Iterator[None]:
    """An API server that keeps its connections and answers nothing."""
    state = State.load(world.kube.folder)
    assert state is not None
    pid = state.components["kube-apiserver"].pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _poison_url(world: World, queue: str) -> str:
    sqs = world.aws.client("sqs")
    url = sqs.get_queue_url(QueueName=queue.rpartition(":")[2])["QueueUrl"]
    policy = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]["RedrivePolicy"]
    return str(sqs.get_queue_url(QueueName=json.loads(policy)["deadLetterTargetArn"].rpartition(":")[2])["QueueUrl"])
