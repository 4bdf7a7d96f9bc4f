"""localaws alone: what it takes, as the two load generators beside this module measure it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.figures import Figure
from bench.tally import CannotMeasureError
from bench.workload import Plan

_SECONDS = 300.0


def localaws(_: Plan) -> Iterator[Figure]:
    """ECS calls a second, and what 10,000 tasks cost."""
    told = _run("localaws_load.py")
    for operation, calls in told["calls"].items():
        yield Figure(f"localaws_{operation}_per_s", calls["per_second"], 1500, more_is_better=True)
    yield Figure("localaws_10000_tasks_MiB", told["rss_mb"], 300)


def sqs(_: Plan) -> Iterator[Figure]:
    """Messages a second through one queue in which 10,000 wait."""
    told = _run("sqs_load.py")
    yield Figure("localaws_sqs_messages_per_s", told["batches"]["messagesPerSecond"], 2000, more_is_better=True)
    yield Figure("localaws_sqs_singly_per_s", told["singly"]["messagesPerSecond"])


def _run(program: str) -> dict[str, Any]:
    """What a load generator prints as its last line."""
    path = Path(__file__).with_name(program)
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=_SECONDS, check=False)
    if done.returncode != 0:
        raise CannotMeasureError(f"{program}: {done.stderr[-2000:]}")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told
