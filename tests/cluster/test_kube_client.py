"""The client against a real API server: fences, absence, paging, refusals, Events, credentials."""

import base64
import http.client
import json
import logging
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import yaml
from kubernetes.client import Configuration
from kubernetes.client.rest import RESTClientObject

from backgroundtask.api.crds import KINDS, crd_files
from backgroundtask.api.names import FINALIZER, GROUP
from backgroundtask.errors import Blocked, Busy
from backgroundtask.kube.client import Kube, connect
from backgroundtask.kube.events import Recorder
from backgroundtask.kube.login import login
from backgroundtask.kube.resource import EVENTS, RUNS, TASKS, TEMPLATES, Body, Ref, Resource
from backgroundtask.kube.transport import Response, Transport, pooled
from fixtures.objects import run_object, task_object, template_object
from localkube import Cluster

CANARY = "canary-secret"
SECONDS = 60.0  # the garbage collector looks for new kinds every 30 s
THREADS = 8
OTHER = "example.com/other"
NO_UID = "00000000-0000-4000-8000-00000000dead"


@pytest.fixture(scope="module")
def cluster(kube: Cluster) -> Cluster:
    """The cluster with the CRDs installed."""
    kube.kubectl("apply", "--server-side", "-f", "-", stdin="".join(crd_files().values()))
    names = [f"crd/{kind.plural}.{GROUP}" for kind in KINDS]
    kube.kubectl("wait", "--for=condition=Established", f"--timeout={SECONDS:.0f}s", *names)
    return kube


@pytest.fixture(scope="module")
def api(cluster: Cluster) -> Kube:
    return connect(kubeconfig=str(cluster.kubeconfig), threads=THREADS)


Create = Callable[..., Body]


@pytest.fixture
def create(api: Kube, namespace: str) -> Create:
    """Creates a task in the test's namespace."""

    def created(name: str = "nightly", **spec: Any) -> Body:
        body, was_created = api.create(TASKS, placed(task_object(name=name, **spec), namespace))
        assert was_created
        return body

    return created


def placed(body: Body, namespace: str) -> Body:
    """The object as a user would write it."""
    return {**body, "metadata": {"name": body["metadata"]["name"], "namespace": namespace}}


def recreated(api: Kube, body: Body) -> Body:
    metadata = body["metadata"]
    api.delete(TASKS, metadata["namespace"], metadata["name"], metadata["uid"])
    namesake, was_created = api.create(TASKS, placed(body, metadata["namespace"]))
    assert was_created
    return namesake


def live(api: Kube, body: Body) -> Body:
    found = api.get(TASKS, body["metadata"]["namespace"], body["metadata"]["name"])
    assert found is not None
    return found


def test_what_was_created_is_read_back_and_creating_it_again_returns_it(api: Kube, create: Create) -> None:
    task = create()

    again, was_created = api.create(TASKS, placed(task, task["metadata"]["namespace"]))

    assert not was_created
    assert again == live(api, task) == task


def test_what_does_not_exist_is_absent_and_so_is_what_is_in_no_namespace(api: Kube, namespace: str) -> None:
    assert api.get(TASKS, namespace, "absent") is None
    assert api.get(TASKS, "no-such-namespace", "absent") is None
    assert api.get(TEMPLATES, "", "absent") is None


def test_a_kind_that_is_not_served_is_not_absent(api: Kube, namespace: str) -> None:
    unserved = Resource("somethings", "Something")

    with pytest.raises(Blocked) as blocked:
        api.get(unserved, namespace, "absent")
    assert blocked.value.reason == "NotServed"


def test_of_writers_that_saw_the_same_status_exactly_one_writes(api: Kube, create: Create) -> None:
    ref = Ref.of(TASKS, create(), fenced=True)

    def write(writer: int) -> str:
        try:
            return str((api.patch_status(ref, {"observedGeneration": writer}) or {}).get("kind"))
        except Busy as busy:
            return busy.reason

    with ThreadPoolExecutor(THREADS) as threads:
        outcomes = sorted(threads.map(write, range(THREADS)))

    assert outcomes == ["BackgroundTask"] + ["Conflict"] * (THREADS - 1)


def test_a_status_patch_merges_and_leaves_the_spec_alone(api: Kube, create: Create) -> None:
    task = create()

    first = api.patch_status(Ref.of(TASKS, task, fenced=True), {"observedGeneration": 1, "specHash": "a" * 64})
    assert first is not None
    second = api.patch_status(Ref.of(TASKS, first), {"observedGeneration": 2, "specHash": None})

    assert second is not None
    assert second["status"] == {"observedGeneration": 2}
    assert second["spec"] == task["spec"]


def test_no_write_reaches_a_namesake_that_was_created_later(api: Kube, create: Create) -> None:
    old = create()
    namesake = recreated(api, old)

    assert api.patch_status(Ref.of(TASKS, old), {"observedGeneration": 9}) is None
    assert api.patch_status(Ref.of(TASKS, old, fenced=True), {"observedGeneration": 9}) is None
    assert api.patch(Ref.of(TASKS, old), {"metadata": {"annotations": {"a": "b"}}}) is None
    assert api.add_finalizer(TASKS, old, FINALIZER) is None
    api.delete(TASKS, namesake["metadata"]["namespace"], "nightly", old["metadata"]["uid"])

    assert live(api, namesake) == namesake


def test_the_finalizer_of_a_namesake_is_left_alone(api: Kube, create: Create) -> None:
    old = api.add_finalizer(TASKS, create(), FINALIZER)
    assert old is not None
    metadata = old["metadata"]
    api.delete(TASKS, metadata["namespace"], "nightly", metadata["uid"])
    api.remove_finalizer(TASKS, old, FINALIZER)
    namesake = api.add_finalizer(TASKS, create(), FINALIZER)
    assert namesake is not None

    assert api.remove_finalizer(TASKS, old, FINALIZER) is None
    assert api.add_finalizer(TASKS, old, OTHER) is None

    assert live(api, namesake)["metadata"]["finalizers"] == [FINALIZER]
    clean(api, namesake)


def test_a_write_to_what_is_gone_says_so(api: Kube, create: Create) -> None:
    task = create()
    api.delete(TASKS, task["metadata"]["namespace"], "nightly", task["metadata"]["uid"])

    assert api.patch_status(Ref.of(TASKS, task, fenced=True), {"observedGeneration": 9}) is None
    assert api.patch_status(Ref.of(TASKS, task), {"observedGeneration": 9}) is None
    assert api.add_finalizer(TASKS, task, FINALIZER) is None
    api.delete(TASKS, task["metadata"]["namespace"], "nightly", task["metadata"]["uid"])


def test_a_finalizer_holds_an_object_until_it_is_removed(api: Kube, create: Create) -> None:
    held = api.add_finalizer(TASKS, create(), FINALIZER)
    assert held is not None
    api.delete(TASKS, held["metadata"]["namespace"], "nightly", held["metadata"]["uid"])
    deleting = live(api, held)

    assert deleting["metadata"]["deletionTimestamp"]
    api.remove_finalizer(TASKS, deleting, FINALIZER)

    assert api.get(TASKS, held["metadata"]["namespace"], "nightly") is None


@pytest.mark.parametrize("present", [[], [OTHER]])
def test_of_two_who_add_a_finalizer_at_once_neither_is_overwritten(
    api: Kube, create: Create, present: list[str]
) -> None:
    seen = create()
    for finalizer in present:
        seen = api.add_finalizer(TASKS, seen, finalizer) or seen
    api.add_finalizer(TASKS, seen, "example.com/faster")

    with pytest.raises(Busy) as conflict:
        api.add_finalizer(TASKS, seen, FINALIZER)
    assert conflict.value.reason == "Conflict"
    again = api.add_finalizer(TASKS, live(api, seen), FINALIZER)

    assert again is not None
    assert again["metadata"]["finalizers"] == [*present, "example.com/faster", FINALIZER]
    clean(api, again)


def test_a_finalizer_that_moved_is_not_taken_for_its_neighbour(api: Kube, create: Create) -> None:
    seen = api.add_finalizer(TASKS, api.add_finalizer(TASKS, create(), OTHER) or {}, FINALIZER)
    assert seen is not None
    moved = api.remove_finalizer(TASKS, seen, OTHER)
    assert moved is not None
    moved = api.add_finalizer(TASKS, moved, OTHER)
    assert moved is not None

    with pytest.raises(Busy):
        api.remove_finalizer(TASKS, seen, FINALIZER)

    assert live(api, seen)["metadata"]["finalizers"] == [FINALIZER, OTHER]
    clean(api, moved)


def clean(api: Kube, body: Body) -> None:
    """Let go, so that the namespace can be deleted."""
    for finalizer in body["metadata"]["finalizers"]:
        api.remove_finalizer(TASKS, live(api, body), finalizer)


def test_a_status_write_by_another_does_not_get_in_the_way_of_removing_a_finalizer(api: Kube, create: Create) -> None:
    held = api.add_finalizer(TASKS, create(), FINALIZER)
    assert held is not None
    api.patch_status(Ref.of(TASKS, held), {"observedGeneration": 5})

    freed = api.remove_finalizer(TASKS, held, FINALIZER)

    assert freed is not None
    assert "finalizers" not in freed["metadata"]


def test_deleting_a_task_takes_its_runs_along(api: Kube, create: Create) -> None:
    task = create()
    metadata = task["metadata"]
    owner = {"apiVersion": task["apiVersion"], "kind": task["kind"], "name": "nightly", "uid": metadata["uid"]}
    run = placed(run_object(), metadata["namespace"])
    run["metadata"]["ownerReferences"] = [owner]
    api.create(RUNS, run)

    api.delete(TASKS, metadata["namespace"], "nightly", metadata["uid"])

    assert eventually(lambda: api.get(RUNS, metadata["namespace"], run["metadata"]["name"]) is None)


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def paged(cluster: Cluster, rest: Callable[[Configuration], Any]) -> Kube:
    credentials = login(kubeconfig=str(cluster.kubeconfig))
    return Kube(Transport(credentials, rest(credentials.configuration)), page=2)


def mine(names: Iterator[tuple[str, str, str, str]], namespace: str) -> list[tuple[str, str, str]]:
    return [(name, uid, version) for place, name, uid, version in names if place == namespace]


def test_a_listing_shows_every_object_once_with_and_without_contents(
    cluster: Cluster, create: Create, namespace: str
) -> None:
    created = [create(name) for name in ("a", "b", "c", "d", "e")]
    expected = [(b["metadata"]["name"], b["metadata"]["uid"], b["metadata"]["resourceVersion"]) for b in created]
    api = paged(cluster, RESTClientObject)

    bodies = [body for body in api.list(TASKS) if body["metadata"]["namespace"] == namespace]

    assert mine(api.names(TASKS), namespace) == expected
    assert bodies == created


class Aged:
    """The REST layer of someone who reads so slowly that the second page has expired."""

    def __init__(self, configuration: Configuration) -> None:
        self._rest = RESTClientObject(configuration)
        self.statuses: list[int] = []

    def request(self, method: str, url: str, *arguments: Any, **options: Any) -> Response:
        first_time = "continue=" in url and not any(status == http.HTTPStatus.GONE for status in self.statuses)
        response: Response = self._rest.request(method, old(url) if first_time else url, *arguments, **options)
        self.statuses.append(response.status)
        return response


def old(url: str) -> str:
    """The same place in a listing, of a state that the store has forgotten."""
    parts = urlsplit(url)
    query = {key: values[0] for key, values in parse_qs(parts.query).items()}
    token = json.loads(base64.urlsafe_b64decode(query["continue"] + "=="))
    aged = base64.urlsafe_b64encode(json.dumps({**token, "rv": 2}).encode()).decode().rstrip("=")
    return parts._replace(query=urlencode({**query, "continue": aged})).geturl()


def forget_the_past(cluster: Cluster) -> None:
    """Compact etcd, as the API server does every five minutes (https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/)."""
    revision = etcd(cluster, "/v3/kv/range", {"key": "YQ=="})["header"]["revision"]
    etcd(cluster, "/v3/kv/compaction", {"revision": revision, "physical": True})


def etcd(cluster: Cluster, path: str, question: Body) -> Body:
    connection = http.client.HTTPConnection("etcd")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(SECONDS)
    connection.sock.connect(str(cluster.folder / "etcd.sock"))
    connection.request("POST", path, body=json.dumps(question))
    answer: Body = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def test_a_listing_that_outlives_the_api_servers_memory_still_shows_every_object_once(
    cluster: Cluster, create: Create, namespace: str
) -> None:
    created = [create(name)["metadata"]["uid"] for name in ("a", "b", "c", "d", "e")]
    forget_the_past(cluster)
    statuses: list[int] = []

    def aged(configuration: Configuration) -> Aged:
        rest = Aged(configuration)
        rest.statuses = statuses
        return rest

    found = mine(paged(cluster, aged).names(TASKS), namespace)

    assert http.HTTPStatus.GONE in statuses
    assert [uid for _, uid, _ in found] == created


def test_who_may_not_is_told_what_to_grant(cluster: Cluster, namespace: str) -> None:
    stranger = connect(kubeconfig=str(cluster.kubeconfig_for("stranger")))

    with pytest.raises(Blocked) as blocked:
        stranger.patch_status(Ref(TASKS, namespace, "nightly", NO_UID, "1"), {"observedGeneration": 1})
    assert blocked.value.reason == "Forbidden"
    assert f'verb "patch" on "backgroundtasks/status" of API group "bgtask.dev" in namespace {namespace}' in str(
        blocked.value
    )


def test_a_namespace_that_is_being_deleted_is_told_from_missing_rights(cluster: Cluster, api: Kube) -> None:
    name = "closing"
    held = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(held))
    task, _ = api.create(TASKS, placed(task_object(), name))
    api.add_finalizer(TASKS, task, FINALIZER)
    cluster.kubectl("delete", "namespace", name, "--wait=false")

    with pytest.raises(Blocked) as blocked:
        api.create(TASKS, placed(task_object(name="late"), name))

    assert blocked.value.reason == "NamespaceTerminating"
    api.remove_finalizer(TASKS, live(api, task), FINALIZER)


def test_a_namespace_without_room_is_told_from_missing_rights(cluster: Cluster, api: Kube, namespace: str) -> None:
    hard = {f"count/backgroundtasks.{GROUP}": "0"}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none", "namespace": namespace}}
    cluster.kubectl("create", "-f", "-", stdin=json.dumps({**quota, "spec": {"hard": hard}}))
    counted = json.dumps({"status": {"hard": hard, "used": hard}})  # what the quota controller would find
    cluster.kubectl("patch", "quota/none", "-n", namespace, "--subresource=status", "--type=merge", "-p", counted)

    with pytest.raises(Blocked) as blocked:
        api.create(TASKS, placed(task_object(), namespace))
    assert blocked.value.reason == "ExceededQuota"


def test_no_value_of_a_refused_or_an_accepted_write_reaches_a_log_or_an_error(
    api: Kube, create: Create, namespace: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    invalid = placed(task_object(name="bad", timeZone=CANARY * 99), namespace)
    with caplog.at_level(logging.DEBUG):
        create(env=[{"name": "TOKEN", "value": CANARY}])
        with pytest.raises(RuntimeError) as bug:
            api.create(TASKS, invalid)

    assert "spec.timeZone" in str(bug.value)
    assert CANARY not in str(bug.value) + caplog.text + "".join(capfd.readouterr())


def test_the_cluster_is_known_by_its_oldest_namespace(cluster: Cluster, api: Kube) -> None:
    uid = cluster.kubectl("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}")

    assert api.cluster_uid() == uid


def test_an_api_server_that_is_away_is_busy(tmp_path: Path) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        config = {
            "current-context": "gone",
            "contexts": [{"name": "gone", "context": {"cluster": "gone", "user": "me"}}],
            "clusters": [{"name": "gone", "cluster": {"server": f"http://127.0.0.1:{reserved.getsockname()[1]}"}}],
            "users": [{"name": "me", "user": {"token": CANARY}}],
        }
        path = tmp_path / "config"
        path.write_text(yaml.safe_dump(config))

        with pytest.raises(Busy) as busy:
            connect(kubeconfig=str(path)).cluster_uid()
    assert busy.value.reason == "Unreachable"


def test_a_rotated_token_is_used_at_once(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    for account in ("nobody", "reader"):
        cluster.kubectl("create", "serviceaccount", account, "-n", namespace)
    rights = ("--verb=get", f"--resource=backgroundtasks.{GROUP}", "-n", namespace)
    cluster.kubectl("create", "role", "reader", *rights)
    cluster.kubectl(
        "create", "rolebinding", "r", "--role=reader", f"--serviceaccount={namespace}:reader", "-n", namespace
    )
    authority = yaml.safe_load(cluster.kubeconfig.read_text())["clusters"][0]["cluster"]["certificate-authority-data"]
    (tmp_path / "ca.crt").write_bytes(base64.b64decode(authority))
    (tmp_path / "token").write_text(cluster.kubectl("create", "token", "nobody", "-n", namespace))
    where = urlsplit(cluster.server)
    pod = {"KUBERNETES_SERVICE_HOST": str(where.hostname), "KUBERNETES_SERVICE_PORT": str(where.port)}
    api = Kube(pooled(login(environ=pod, service_account=tmp_path), connections=1))
    with pytest.raises(Blocked):
        api.get(TASKS, namespace, "absent")

    (tmp_path / "token").write_text(cluster.kubectl("create", "token", "reader", "-n", namespace))

    assert api.get(TASKS, namespace, "absent") is None


def test_kubectl_describe_shows_events_and_how_often_they_happened(
    cluster: Cluster, api: Kube, create: Create, namespace: str
) -> None:
    task = create()
    template, _ = api.create(TEMPLATES, {**template_object(), "metadata": {"name": f"of-{namespace}"}})
    recorder = Recorder(api, "backgroundtask-operator")

    for _ in range(3):
        recorder.emit(Ref.of(TASKS, task), type="Warning", reason="FailedCreate", message="The role is not there.")
    recorder.emit(Ref.of(TEMPLATES, template), type="Normal", reason="Verified", message="All is there.")
    recorder.stop(SECONDS)

    about_task = cluster.kubectl("describe", "backgroundtask", "nightly", "-n", namespace)
    about_template = cluster.kubectl("describe", "launchtemplate", f"of-{namespace}")
    api.delete(TEMPLATES, "", f"of-{namespace}", template["metadata"]["uid"])
    (line,) = [line.split() for line in about_task.splitlines() if "FailedCreate" in line]
    assert (line[0], "(x3") == ("Warning", line[3])
    assert about_task.endswith("backgroundtask-operator  The role is not there.\n")
    assert "Verified" in about_template
    assert recorder.dropped == 0


def test_a_repeat_of_an_event_that_has_expired_is_written_anew(api: Kube, create: Create, namespace: str) -> None:
    ref = Ref.of(TASKS, create())
    recorder = Recorder(api, "backgroundtask-operator")

    def emit() -> None:
        recorder.emit(ref, type="Normal", reason="Started", message="It runs.")

    def events() -> list[Body]:
        return [event for event in api.list(EVENTS) if event["metadata"]["namespace"] == namespace]

    emit()
    assert eventually(lambda: bool(events()))
    (first,) = events()
    api.delete(EVENTS, namespace, first["metadata"]["name"], first["metadata"]["uid"])
    emit()
    recorder.stop(SECONDS)

    (second,) = events()
    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    assert second["count"] == 1
