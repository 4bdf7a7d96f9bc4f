"""The real API server keeps the promises that tests in memory count on."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from backgroundtask.api.crds import KINDS, crd_files
from backgroundtask.api.names import GROUP
from backgroundtask.kube.client import Kube, connect
from fixtures.kube_contract import KubeContract
from localkube import Cluster

SECONDS = 60.0  # the garbage collector looks for new kinds every 30 s


@pytest.fixture(scope="module")
def api(kube: Cluster) -> Kube:
    kube.kubectl("apply", "--server-side", "-f", "-", stdin="".join(crd_files().values()))
    names = [f"crd/{kind.plural}.{GROUP}" for kind in KINDS]
    kube.kubectl("wait", "--for=condition=Established", f"--timeout={SECONDS:.0f}s", *names)
    return connect(kubeconfig=str(kube.kubeconfig))


class TestRealKube(KubeContract):
    @pytest.fixture
    def home(self, namespace: str) -> str:
        return namespace

    @pytest.fixture
    def collected(self) -> Callable[[Callable[[], bool]], bool]:
        def look(condition: Callable[[], bool]) -> bool:
            end = time.monotonic() + SECONDS
            while not condition() and time.monotonic() < end:
                time.sleep(0.05)
            return condition()

        return look
