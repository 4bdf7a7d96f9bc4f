"""Ends a cluster whose owner died without a word, SIGKILL included: run as a program, never imported.

Standard input is a pipe whose other end only the owner holds, so reading ends when the owner does, on Linux and macOS
alike. The watchdog leads the process group that the cluster's programs run in, so the group's number cannot come to
mean other processes while it watches. It imports little: there is one for each cluster.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time

_GROUP_GONE_SECONDS = 5.0


def main(folder: str | None) -> None:
    """Wait for the owner's end, then kill the group and remove the folder if it was temporary."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    group = os.getpgrp()
    if os.fork() != 0:
        signal.pause()  # keeps the group's number taken until the kill
    os.setsid()  # out of the group, to survive it
    os.killpg(group, signal.SIGKILL)
    deadline = time.monotonic() + _GROUP_GONE_SECONDS
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says EPERM of a group of zombies
        while time.monotonic() < deadline:
            os.killpg(group, 0)
            time.sleep(0.01)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
