"""localkube behaves as a cluster does, and leaves nothing behind however it ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localkube import Binaries, Cluster, LocalkubeError, State, down, ensure_binaries, ports, status
from localkube.audit import Entry, entries

SECONDS = 30.0
COMPONENTS = ["etcd", "kube-apiserver", "kube-controller-manager"]

OWNER = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owner"}}


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def serves(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def port_of(server: str) -> int:
    return int(server.rpartition(":")[2])


def processes_in(folder: Path) -> list[str]:
    """The command lines of the processes that work in a folder or name it."""
    if not Path("/proc/self").exists():
        listed = subprocess.run(["ps", "-axo", "args="], capture_output=True, text=True, check=True)
        return [line for line in listed.stdout.splitlines() if str(folder) in line]
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if (process / "cwd").readlink().is_relative_to(folder) or str(folder) in command:
                found.append(command)
    return found


@pytest.fixture(scope="module")
def cluster(kube_binaries: Binaries) -> Iterator[Cluster]:
    """A cluster that a test may break if it mends it again."""
    with Cluster(binaries=kube_binaries) as own:
        yield own


def localkube(*arguments: str, binaries: Binaries, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "localkube", *arguments],
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join(sys.path), "KUBEBUILDER_ASSETS": str(binaries.etcd.parent)}
        | env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_started_cluster_answers_and_its_versions_agree(kube: Cluster) -> None:
    version = json.loads(kube.kubectl("version", "-o", "json"))

    assert version["serverVersion"]["gitVersion"] == version["clientVersion"]["gitVersion"]
    assert version["serverVersion"]["major"] == "1"


def test_what_an_owner_owned_is_collected_with_it(kube: Cluster, namespace: str) -> None:
    owner = json.loads(kube.kubectl("create", "-n", namespace, "-f", "-", "-o", "json", stdin=json.dumps(OWNER)))
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    owned = OWNER | {"metadata": {"name": "owned", "ownerReferences": [reference]}}
    kube.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(owned))

    kube.kubectl("delete", "-n", namespace, "configmap", "owner")

    kube.kubectl("wait", "-n", namespace, "--for=delete", "configmap/owned", f"--timeout={SECONDS:.0f}s")
    assert "owned" not in kube.kubectl("get", "configmaps", "-n", namespace, "-o", "name")


def test_a_deleted_namespace_goes_with_what_is_in_it(kube: Cluster) -> None:
    kube.kubectl("create", "namespace", "short-lived")
    kube.kubectl("create", "configmap", "inside", "-n", "short-lived")

    kube.kubectl("delete", "namespace", "short-lived", f"--timeout={SECONDS:.0f}s")

    assert "short-lived" not in kube.kubectl("get", "namespaces", "-o", "name")


def test_a_user_may_do_what_rbac_grants_and_nothing_else(kube: Cluster, namespace: str) -> None:
    alice = kube.kubeconfig_for("alice", ["team-a"])
    kube.kubectl("create", "rolebinding", "readers", "-n", namespace, "--clusterrole=view", "--group=team-a")

    kube.kubectl("get", "configmaps", "-n", namespace, as_=alice)
    with pytest.raises(LocalkubeError, match=r'User "alice" cannot create resource "configmaps"'):
        kube.kubectl("create", "configmap", "mine", "-n", namespace, as_=alice)
    with pytest.raises(LocalkubeError, match=r'User "alice" cannot list resource "configmaps"'):
        kube.kubectl("get", "configmaps", "-n", "default", as_=alice)


def test_a_service_account_token_names_its_service_account(kube: Cluster, namespace: str) -> None:
    kube.kubectl("create", "serviceaccount", "robot", "-n", namespace)

    token = kube.kubectl("create", "token", "robot", "-n", namespace).strip()

    user = kube.kubectl(
        "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}", "--token", token, as_=stranger(kube)
    )
    assert user == f"system:serviceaccount:{namespace}:robot"


def stranger(kube: Cluster) -> Path:
    """A kubeconfig without a user of its own: a client certificate would come before a token."""
    content = json.loads(kube.kubeconfig.read_text())
    content["users"][0]["user"] = {}
    path = kube.folder / "nobody.kubeconfig"
    path.write_text(json.dumps(content))
    return path


def test_the_audit_log_has_one_line_for_each_write_with_user_and_verb(kube: Cluster, namespace: str) -> None:
    bob = kube.kubeconfig_for("bob", ["system:masters"])

    kube.kubectl("create", "configmap", "seen", "-n", namespace, as_=bob)
    kube.kubectl("patch", "configmap", "seen", "-n", namespace, "-p", '{"data": {"a": "1"}}', as_=bob)
    kube.kubectl("delete", "configmap", "seen", "-n", namespace, as_=bob)

    def writes() -> list[tuple[str, str, int]]:
        return [(entry.verb, entry.resource, entry.code) for entry in by_bob(kube) if entry.is_write]

    def by_bob(kube: Cluster) -> list[Entry]:
        return [entry for entry in entries(kube.audit_log) if entry.user == "bob" and entry.namespace == namespace]

    assert eventually(lambda: len(writes()) >= 3)
    assert writes() == [("create", "configmaps", 201), ("patch", "configmaps", 200), ("delete", "configmaps", 200)]


def test_two_clusters_side_by_side_know_nothing_of_each_other(kube: Cluster, cluster: Cluster) -> None:
    cluster.kubectl("create", "namespace", "only-here")

    assert "only-here" not in kube.kubectl("get", "namespaces", "-o", "name")
    assert cluster.server != kube.server


def test_objects_outlive_a_killed_api_server(cluster: Cluster) -> None:
    cluster.kubectl("create", "namespace", "survivor")
    server = cluster.server

    cluster.component("kube-apiserver").kill()
    with pytest.raises(LocalkubeError):
        cluster.kubectl("get", "namespaces")
    cluster.component("kube-apiserver").start()

    assert "survivor" in cluster.kubectl("get", "namespaces", "-o", "name")
    assert cluster.server == server
    assert status(cluster.folder)["state"] == "running"


def test_objects_outlive_a_killed_store(cluster: Cluster) -> None:
    cluster.kubectl("create", "namespace", "stored")

    cluster.component("etcd").kill()
    cluster.component("etcd").start()

    assert eventually(lambda: "stored" in cluster.kubectl("get", "namespaces", "-o", "name"))


def test_a_component_that_runs_is_not_started_twice(kube: Cluster) -> None:
    with pytest.raises(LocalkubeError, match="etcd already runs"):
        kube.component("etcd").start()


def test_a_component_that_does_not_exist_is_answered_with_those_that_do(kube: Cluster) -> None:
    with pytest.raises(LocalkubeError, match="there are: etcd, kube-apiserver, kube-controller-manager"):
        kube.component("kubelet")


def test_a_program_that_ends_while_it_starts_is_reported_with_the_end_of_its_log(
    kube_binaries: Binaries, tmp_path: Path
) -> None:
    (tmp_path / "etcd").write_text("not a folder")

    with pytest.raises(LocalkubeError, match=r"(?s)etcd ended while it started.*not a directory"):
        Cluster(tmp_path, binaries=kube_binaries).start()

    assert processes_in(tmp_path) == []


def test_a_stopped_cluster_leaves_no_process_no_port_and_no_folder(kube_binaries: Binaries) -> None:
    with Cluster(binaries=kube_binaries) as cluster:
        folder, port = cluster.folder, port_of(cluster.server)
        assert serves(port)
        assert processes_in(folder) != []

    assert processes_in(folder) == []
    assert not serves(port)
    assert not folder.exists()


def test_a_stopped_cluster_leaves_the_objects_in_a_folder_that_was_given(
    kube_binaries: Binaries, tmp_path: Path
) -> None:
    with Cluster(tmp_path, binaries=kube_binaries) as first:
        first.kubectl("create", "namespace", "kept")

    with Cluster(tmp_path, binaries=kube_binaries) as second:
        assert "kept" in second.kubectl("get", "namespaces", "-o", "name")

    assert processes_in(tmp_path) == []


def test_stop_ends_a_cluster_that_clients_still_watch(kube_binaries: Binaries, tmp_path: Path) -> None:
    cluster = Cluster(binaries=kube_binaries)
    cluster.start()
    watch = threading.Thread(target=watch_namespaces, args=(cluster, tmp_path))
    watch.start()
    assert eventually(
        lambda: any(entry.verb == "watch" and entry.user == "watcher" for entry in entries(cluster.audit_log))
    )
    folder = cluster.folder

    cluster.stop()
    watch.join(timeout=SECONDS)

    assert not watch.is_alive()
    assert not folder.exists()


def watch_namespaces(cluster: Cluster, cache: Path) -> None:
    watcher = cluster.kubeconfig_for("watcher", ["system:masters"])
    subprocess.run(
        [cluster.binaries.kubectl, "get", "namespaces", "--watch", "--kubeconfig", watcher, "--cache-dir", cache],
        capture_output=True,
        timeout=60,
        check=False,
    )


PARENT = """
import sys
from localkube import Cluster
with Cluster() as cluster:
    print(cluster.folder, cluster.server, flush=True)
    sys.stdin.read()
"""


def test_a_killed_parent_leaves_nothing_behind(kube_binaries: Binaries) -> None:
    env = os.environ | {
        "PYTHONPATH": os.pathsep.join(sys.path),
        "KUBEBUILDER_ASSETS": str(kube_binaries.etcd.parent),
    }
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        folder, _, server = parent.stdout.readline().strip().partition(" ")
        assert serves(port_of(server))

        parent.send_signal(signal.SIGKILL)

    assert eventually(lambda: not Path(folder).exists())
    assert eventually(lambda: not processes_in(Path(folder)))  # whoever removes the folder ends after that
    assert not serves(port_of(server))


def test_a_cluster_started_by_the_command_outlives_it_until_down(kube_binaries: Binaries, tmp_path: Path) -> None:
    folder = tmp_path / "kube"

    up = localkube("up", "--dir", str(folder), "-o", "json", binaries=kube_binaries)
    assert up.returncode == 0, up.stderr
    started = json.loads(up.stdout)
    assert started["state"] == "running"
    assert list(started["components"]) == COMPONENTS

    again = localkube("up", "--dir", str(folder), "-o", "json", binaries=kube_binaries)
    assert json.loads(again.stdout) == started

    env = json.loads(localkube("env", "--dir", str(folder), "-o", "json", binaries=kube_binaries).stdout)
    kubectl = subprocess.run(
        ["kubectl", "get", "ns"], env=env | {"HOME": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    assert "default" in kubectl.stdout

    ended = localkube("down", "--dir", str(folder), "--purge", binaries=kube_binaries)
    assert ended.returncode == 0, ended.stderr
    assert not folder.exists()
    assert processes_in(folder) == []
    assert not serves(port_of(started["server"]))


def test_a_folder_holds_one_cluster_at_a_time(kube_binaries: Binaries, tmp_path: Path) -> None:
    with (
        Cluster(tmp_path, binaries=kube_binaries),
        pytest.raises(LocalkubeError, match="another cluster uses"),
    ):
        Cluster(tmp_path, binaries=kube_binaries).start()


def test_a_detached_cluster_is_protected_from_a_second_start(kube_binaries: Binaries, tmp_path: Path) -> None:
    Cluster(tmp_path, binaries=kube_binaries, detached=True).start()
    try:
        with pytest.raises(LocalkubeError, match="localkube down --dir"):
            Cluster(tmp_path, binaries=kube_binaries).start()
        state = State.load(tmp_path)
        assert state is not None
        assert state.alive == COMPONENTS
    finally:
        down(tmp_path)

    assert status(tmp_path)["state"] == "stopped"


def test_down_never_ends_a_process_that_took_over_a_number(tmp_path: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    recorded = {"pid": stranger.pid, "started": "long ago"}
    content = {"server": "https://127.0.0.1:1", "kubeconfig": "k", "kubectl": "k", "components": {"etcd": recorded}}
    (tmp_path / "localkube.json").write_text(json.dumps(content))

    ended = down(tmp_path)

    assert ended == []
    assert stranger.poll() is None
    stranger.communicate(b"\n")


def test_a_reserved_port_is_for_its_server_alone() -> None:
    kept = ports.reserve()
    try:
        with socket.socket() as server, socket.socket() as intruder:
            with pytest.raises(OSError, match="in use"):
                intruder.bind(("127.0.0.1", kept.port))

            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            server.bind(("127.0.0.1", kept.port))
            server.listen()

            assert serves(kept.port)
    finally:
        kept.release()


def test_programs_are_taken_from_kubebuilder_assets(
    kube_binaries: Binaries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for program in (kube_binaries.etcd, kube_binaries.kube_apiserver, kube_binaries.kubectl):
        (tmp_path / program.name).symlink_to(program)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    monkeypatch.setattr("localkube.build.cached", lambda names, _: {name: Path("/cache") / name for name in names})

    found = ensure_binaries()

    assert found.etcd == tmp_path / "etcd"
    assert found.kubectl == tmp_path / "kubectl"
    assert found.kube_controller_manager == Path("/cache/kube-controller-manager")
    with Cluster(
        binaries=Binaries(
            etcd=found.etcd,
            kube_apiserver=found.kube_apiserver,
            kubectl=found.kubectl,
            kube_controller_manager=kube_binaries.kube_controller_manager,
        )
    ) as cluster:
        assert "default" in cluster.kubectl("get", "namespaces", "-o", "name")
