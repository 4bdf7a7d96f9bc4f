"""A loopback port that nobody else gets between choosing it and serving on it.

The port is kept by a socket that is bound and never listens. A server that sets SO_REUSEPORT (kube-apiserver and
kube-controller-manager do with `--permit-port-sharing`) may bind beside it; a process that asks for any free port, or
binds without SO_REUSEPORT, may not. So the server can be killed and started again on the same port, too.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reservation:
    """A port on 127.0.0.1, kept until `release`."""

    port: int
    _holder: socket.socket

    def release(self) -> None:
        """Let go of the port; a server that already serves on it is not disturbed."""
        self._holder.close()


def reserve() -> Reservation:
    """Keep a port that was free."""
    holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    holder.bind(("127.0.0.1", 0))
    return Reservation(holder.getsockname()[1], holder)
