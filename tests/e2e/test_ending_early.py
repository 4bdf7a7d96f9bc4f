"""A process that is told to end while it still begins."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.kubeconfigs import plain_kubeconfig
from fixtures.world import PORTS, SECONDS


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_at_once_though_the_api_server_does_not_answer(tmp_path: Path, told: signal.Signals) -> None:
    """Linux takes no signal to the first process of a container for which that process has set nothing."""
    kubeconfig = tmp_path / "kubeconfig"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(SECONDS)
        kubeconfig.write_text(json.dumps(plain_kubeconfig(f"http://127.0.0.1:{silent.getsockname()[1]}")))
        command = [sys.executable, "-m", "backgroundtask", "controller", "--installation", "early"]
        process = subprocess.Popen([*command, *PORTS], env={**os.environ, "KUBECONFIG": str(kubeconfig)})
        try:
            connection, _ = silent.accept()
            with connection:
                process.send_signal(told)

                assert process.wait(SECONDS) == 0
        finally:
            process.kill()
            process.wait()
