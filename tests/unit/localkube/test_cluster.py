"""What a cluster answers before it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from localkube import Binaries, Cluster, LocalkubeError

NOWHERE = Path("/absent")
BINARIES = Binaries(kube_apiserver=NOWHERE, kube_controller_manager=NOWHERE, kubectl=NOWHERE, etcd=NOWHERE)


@pytest.mark.parametrize("question", ["folder", "server", "kubeconfig"])
def test_a_cluster_that_was_not_started_says_so(question: str) -> None:
    with pytest.raises(LocalkubeError, match=r"not started: call start\(\)"):
        getattr(Cluster(binaries=BINARIES), question)


def test_a_detached_cluster_needs_a_folder() -> None:
    with pytest.raises(LocalkubeError, match="needs a folder"):
        Cluster(binaries=BINARIES, detached=True)


def test_stopping_what_was_not_started_is_fine() -> None:
    Cluster(binaries=BINARIES).stop()


@pytest.mark.parametrize("user", ["", "u" * 65])
def test_a_user_that_fits_no_certificate_is_refused(user: str, tmp_path: Path) -> None:
    with pytest.raises(LocalkubeError, match="1 to 64 characters"):
        Cluster(tmp_path, binaries=BINARIES).kubeconfig_for(user)


@pytest.mark.enable_socket  # ports are reserved before programs start
def test_a_failed_start_leaves_no_watchdog_and_no_claim(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(LocalkubeError, match="/absent cannot be run"):
            Cluster(tmp_path, binaries=BINARIES).start()
