"""The three servers of a cluster: with which flags they run in its folder, and when each is ready.

Paths are relative: the folder is the working directory, and a Unix socket's path may not be longer than some 100 bytes.
etcd listens on Unix sockets only: it needs no port and no other user of the machine reaches it.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable
from pathlib import Path

from localkube.binaries import Binaries
from localkube.process import Program

PKI = "pki"
AUDIT_LOG = "audit.log"
AUDIT_POLICY = "audit-policy.json"
CONTROLLER_MANAGER_KUBECONFIG = "kube-controller-manager.kubeconfig"
ETCD_DATA = "etcd"
ETCD_SOCKETS = ("etcd.sock", "etcd-peer.sock")

CONTROLLERS = (
    "clusterrole-aggregation-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
)
"""What makes owner references, namespaces, ServiceAccounts and aggregated roles behave; nothing here runs pods."""

_PROBE_SECONDS = 5.0
_CLIENT_SOCKET, _PEER_SOCKET = ETCD_SOCKETS


def etcd(binaries: Binaries, folder: Path) -> Program:
    """The store. Without fsync: what a test or a laptop holds need not survive a power cut."""
    # Nobody connects to the advertised addresses, but they must look like host:port and agree with each other.
    peer = "http://localhost:2380"
    return Program(
        name="etcd",
        arguments=[
            binaries.etcd,
            "--name=localkube",
            f"--data-dir={ETCD_DATA}",
            "--unsafe-no-fsync",
            f"--listen-client-urls=unix://{_CLIENT_SOCKET}",
            "--advertise-client-urls=http://localhost:2379",
            f"--listen-peer-urls=unix://{_PEER_SOCKET}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=localkube={peer}",
            "--log-level=warn",
        ],
        ready=(folder / _CLIENT_SOCKET).exists,
    )


def kube_apiserver(binaries: Binaries, folder: Path, port: int) -> Program:
    """The API server: RBAC, client certificates, ServiceAccount tokens, audit log."""
    return Program(
        name="kube-apiserver",
        arguments=[
            binaries.kube_apiserver,
            f"--etcd-servers=unix://{_CLIENT_SOCKET}",
            f"--secure-port={port}",
            "--permit-port-sharing",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--shutdown-watch-termination-grace-period=2s",  # or open watches keep it from ending for a minute
            "--endpoint-reconciler-type=none",  # it would refuse to publish a loopback address
            f"--tls-cert-file={PKI}/server.crt",
            f"--tls-private-key-file={PKI}/server.key",
            f"--client-ca-file={PKI}/ca.crt",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-signing-key-file={PKI}/service-account.key",
            f"--service-account-key-file={PKI}/service-account.key",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--disable-admission-plugins=ServiceAccount",  # pods here need no token mounted: none ever runs
            f"--audit-policy-file={AUDIT_POLICY}",
            f"--audit-log-path={AUDIT_LOG}",
            "--audit-log-maxsize=100",
            "--audit-log-maxbackup=1",
        ],
        ready=_probe(folder, port, "/readyz"),
    )


def kube_controller_manager(binaries: Binaries, folder: Path, port: int) -> Program:
    """The controllers, each under a ServiceAccount of its own, so the audit log tells them apart."""
    return Program(
        name="kube-controller-manager",
        arguments=[
            binaries.kube_controller_manager,
            f"--kubeconfig={CONTROLLER_MANAGER_KUBECONFIG}",
            "--use-service-account-credentials",
            f"--controllers={','.join(CONTROLLERS)}",
            f"--service-account-private-key-file={PKI}/service-account.key",
            "--leader-elect=false",
            f"--secure-port={port}",
            "--permit-port-sharing",
            "--bind-address=127.0.0.1",
            f"--tls-cert-file={PKI}/server.crt",
            f"--tls-private-key-file={PKI}/server.key",
            "--kube-api-qps=200",  # a test deletes a thousand objects and waits for what they own
            "--kube-api-burst=400",
        ],
        ready=_probe(folder, port, "/healthz"),
    )


def _probe(folder: Path, port: int, path: str) -> Callable[[], bool]:
    """Whether a health endpoint says yes; past any proxy of the user."""

    def healthy() -> bool:
        context = ssl.create_default_context(cafile=folder / PKI / "ca.crt")
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=_PROBE_SECONDS, context=context)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.HTTPStatus.OK
        except ssl.SSLCertVerificationError:
            raise  # waiting does not mend it
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return healthy
