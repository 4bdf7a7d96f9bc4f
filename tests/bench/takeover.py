"""Two replicas: how long nobody acts after the leader was killed, and after it was asked to end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from datetime import UTC, datetime

from bench.figures import Figure
from bench.life import SECONDS
from bench.stage import Controller, Stage
from bench.tally import OPERATORS, CannotMeasureError
from bench.workload import Plan, bodies

_TASKS = 100
"""In place while the lead changes; a replica that takes over lists nothing, so their number does not matter."""


class Takeover:
    """One world with two controllers at any time."""

    def __init__(self, stage: Stage, plan: Plan) -> None:
        self._stage = stage
        self._tasks = bodies(min(plan.tasks, _TASKS), datetime.now(UTC))

    def run(self) -> Iterator[Figure]:
        """Kill the leader; then, with a new standby, ask the new leader to end."""
        first, second = OPERATORS
        leader = self._stage.start_controller(user=first)
        standby = self._stage.start_controller(user=second, is_ready=False)
        self._apply(self._tasks)
        yield Figure("takeover_after_kill_s", self._take_over("kill", leader, standby, signal.SIGKILL))
        leader, standby = standby, self._stage.start_controller(user=first, is_ready=False)
        yield Figure("takeover_after_term_s", self._take_over("term", leader, standby, signal.SIGTERM))

    def _take_over(self, name: str, leader: Controller, standby: Controller, sign: signal.Signals) -> float:
        """Seconds from the signal to the standby's first write, for which a new task gives the reason at once."""
        self._stage.rest()
        gone = datetime.now(UTC)
        leader.process.send_signal(sign)
        (task,) = bodies(1, gone)
        self._apply([{**task, "metadata": {**task["metadata"], "name": f"bench-{name}"}}])
        leader.end(sign)
        self._stage.tally.now()
        writes = [at for user, at in self._stage.tally.wrote if user == standby.user and at > gone]
        if not writes:
            raise CannotMeasureError(f"the standby wrote nothing: see {standby.log.read_text()[-2000:]}")
        return (writes[0] - gone).total_seconds()

    def _apply(self, wanted: list[dict[str, object]]) -> None:
        answer = self._stage.client.ask(do="apply", bodies=wanted, until="ready", timeout=SECONDS)
        if answer["missing"]:
            raise CannotMeasureError(f"not ready: {', '.join(answer['missing'][:5])}")
