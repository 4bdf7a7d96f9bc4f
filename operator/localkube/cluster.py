"""A Kubernetes API server with its store and controllers, as an object: start, use, break, stop.

Knows the order of things and the folder they live in; which flags each program needs is told in programs.py.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from localkube import audit, kubeconfig, pki, ports, programs
from localkube.binaries import Binaries, ensure_binaries
from localkube.errors import LocalkubeError
from localkube.process import Component, Watchdog
from localkube.state import KUBECONFIG, KUBECONFIGS, STATE, State, claim

KUBECTL_SECONDS = 120.0

_ADMIN = ("localkube-admin", ("system:masters",))
_CONTROLLER_MANAGER = ("system:kube-controller-manager", ())
_NAME_MAX = 64  # of a common name and of an organisation: RFC 5280, appendix A.1


class Cluster:
    """One cluster in one folder; many may run side by side.

    Attached (the default), it ends with this process at the latest, even if that is killed. Detached, it goes on until
    `stop`, or `localkube.down` from any process. Without a folder it lives in a temporary one, which is removed at the
    end; a folder that is given keeps its content, and the next start in it goes on with the same objects.
    """

    def __init__(self, folder: Path | None = None, *, binaries: Binaries | None = None, detached: bool = False) -> None:
        """Describe it; `binaries` are by default found or, without a word, built (`ensure_binaries` tells more)."""
        if detached and folder is None:
            raise LocalkubeError("a detached cluster needs a folder: how else would anyone find it again")
        self._temporary = folder is None
        self._folder = folder.absolute() if folder else None
        self._binaries = binaries
        self._detached = detached
        self._lock: TextIO | None = None
        self._watchdog: Watchdog | None = None
        self._ports: list[ports.Reservation] = []
        self._components: list[Component] = []

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()

    @property
    def folder(self) -> Path:
        """Where its files are."""
        if self._folder is None:
            raise LocalkubeError("the cluster was not started: call start()")
        return self._folder

    @property
    def binaries(self) -> Binaries:
        """The programs it runs, and kubectl."""
        if self._binaries is None:
            self._binaries = ensure_binaries()
        return self._binaries

    @property
    def server(self) -> str:
        """The URL of the API server."""
        if not self._ports:
            raise LocalkubeError("the cluster was not started: call start()")
        return f"https://127.0.0.1:{self._ports[0].port}"

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig with all rights (group system:masters)."""
        return self.folder / KUBECONFIG

    @property
    def audit_log(self) -> Path:
        """Who did what, a JSON line a request; `localkube.audit.entries` reads it."""
        return self.folder / programs.AUDIT_LOG

    @property
    def env(self) -> dict[str, str]:
        """KUBECONFIG and PATH (with kubectl) to use the cluster from another program."""
        return self._state().env

    def component(self, name: str) -> Component:
        """One of "etcd", "kube-apiserver", "kube-controller-manager": to kill it, and to start it again."""
        for component in self._components:
            if component.name == name:
                return component
        running = ", ".join(component.name for component in self._components)
        raise LocalkubeError(f"no component {name!r} runs; there are: {running or 'none, call start() first'}")

    def start(self) -> None:
        """Start it, and return when the API server is ready and the controllers work: a few seconds.

        Raises:
            LocalkubeError: a cluster runs in the folder, the folder cannot be written, or a program did not get ready.
        """
        binaries = self.binaries
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="localkube-"))
        self._lock = claim(self._folder)
        try:
            if not self._detached:
                self._watchdog = Watchdog(self._folder if self._temporary else None)
            self._prepare()
            self._run(binaries)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End its processes, and remove its folder if it was temporary. Stopping what is stopped is fine."""
        for component in reversed(self._components):
            component.stop()
        for reservation in self._ports:
            reservation.release()
        if self._components:
            (self.folder / STATE).unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.close()
        if self._temporary and self._folder is not None:
            shutil.rmtree(self._folder)
            self._folder = None
        if self._watchdog is not None:
            self._watchdog.dismiss()
        self._components, self._ports, self._watchdog, self._lock = [], [], None, None

    def kubeconfig_for(self, user: str, groups: Sequence[str] = ()) -> Path:
        """A kubeconfig for anyone, with a client certificate that names the user and the groups.

        What they may do is what RBAC says. A ServiceAccount is the user `system:serviceaccount:NAMESPACE:NAME`.

        Raises:
            LocalkubeError: a name is empty or longer than the 64 characters of a certificate's subject.
        """
        for name in (user, *groups):
            if not 1 <= len(name) <= _NAME_MAX:
                raise LocalkubeError(f"a user or group in a certificate has 1 to {_NAME_MAX} characters: {name!r}")
        folder = self.folder / KUBECONFIGS
        folder.mkdir(exist_ok=True)
        digest = hashlib.sha256(json.dumps([user, *groups]).encode()).hexdigest()[:16]
        return self._write_kubeconfig(folder / digest, user, groups)

    def kubectl(self, *arguments: str, stdin: str | None = None, as_: Path | None = None) -> str:
        """Run kubectl, with all rights or those of another kubeconfig, and return what it prints.

        Raises:
            LocalkubeError: it failed; with what it says.
        """
        env = {
            "PATH": os.defpath,
            "HOME": str(self.folder),
            "KUBECONFIG": str(as_ or self.kubeconfig),
        }
        done = subprocess.run(
            [self.binaries.kubectl, *arguments],
            env=env,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=KUBECTL_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise LocalkubeError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def _prepare(self) -> None:
        """Write what the programs read, and reserve their ports."""
        self._ports = [ports.reserve(), ports.reserve()]
        for socket in programs.ETCD_SOCKETS:
            (self.folder / socket).unlink(missing_ok=True)
        (self.folder / programs.AUDIT_POLICY).write_text(json.dumps(audit.POLICY, indent=2))
        self._write_kubeconfig(self.kubeconfig, *_ADMIN)
        self._write_kubeconfig(self.folder / programs.CONTROLLER_MANAGER_KUBECONFIG, *_CONTROLLER_MANAGER)

    def _run(self, binaries: Binaries) -> None:
        api, controllers = (reservation.port for reservation in self._ports)
        for program in (
            programs.etcd(binaries, self.folder),
            programs.kube_apiserver(binaries, self.folder, api),
            programs.kube_controller_manager(binaries, self.folder, controllers),
        ):
            component = Component(program, folder=self.folder, watchdog=self._watchdog, started=self._save_state)
            self._components.append(component)
            component.start()
        # The controllers act: of what they do unasked, this comes first.
        self.kubectl("wait", "--for=create", "--namespace=default", "serviceaccount/default", "--timeout=60s")
        if self._detached:
            self._let_go()

    def _let_go(self) -> None:
        """Leave the cluster to itself: from now on the state file tells that it runs."""
        for component in self._components:
            component.let_go()
        for reservation in self._ports:
            reservation.release()
        if self._lock is not None:
            self._lock.close()

    def _save_state(self) -> None:
        self._state().save(self.folder)

    def _state(self) -> State:
        running = {component.name: component.identity for component in self._components}
        return State(
            server=self.server,
            kubeconfig=self.kubeconfig,
            kubectl=self.binaries.kubectl,
            components={name: identity for name, identity in running.items() if identity is not None},
        )

    def _write_kubeconfig(self, path: Path, user: str, groups: Sequence[str]) -> Path:
        now = dt.datetime.now(dt.UTC)
        authority = pki.load_or_create(self.folder / programs.PKI, now)
        credential = authority.client(user, groups, now)
        kubeconfig.write(path, server=self.server, authority=authority, user=user, credential=credential)
        return path
