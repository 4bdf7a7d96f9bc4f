"""Many cases, a few at a time, each lane in a world of its own; and the table of how they ended."""

from __future__ import annotations

import queue
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from crash.cases import Undisturbed, Verdict, disturbed, undisturbed
from crash.disturbance import Point, Strike
from crash.scenarios import SCENARIOS
from crash.world import CrashWorld, crash_world
from localkube import Binaries

_TRIES = 3
"""How often a case is run whose write is not reached: messages are deleted in batches, and timing decides how many."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """All verdicts, in the order of the cases, and how long they took."""

    verdicts: tuple[Verdict, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether every case did."""
        return all(verdict.passed for verdict in self.verdicts)

    def table(self) -> str:
        """Points and scenarios: how many there were, how many passed, how many failed."""
        rows = [("", "cases", "passed", "failed")]
        points = [verdict for verdict in self.verdicts if verdict.case not in SCENARIOS]
        groups = {
            moment: [one for one in points if one.case.endswith(moment)] for moment in ("before", "after", "lost")
        }
        groups["other faults"] = [verdict for verdict in self.verdicts if verdict.case in SCENARIOS]
        groups["all"] = list(self.verdicts)
        for name, found in groups.items():
            passed = sum(verdict.passed for verdict in found)
            rows.append((name, str(len(found)), str(passed), str(len(found) - passed)))
        lines = ["  ".join((row[0].ljust(12), *(cell.rjust(6) for cell in row[1:]))) for row in rows]
        return "\n".join([*lines, f"{self.seconds:.0f} s"])


class Sweep:
    """Runs cases in `lanes` worlds at once; `tell` gets lines, from any thread; `is_brief` as for `disturbed`."""

    def __init__(self, binaries: Binaries, *, lanes: int, tell: Callable[[str], None], is_brief: bool = False) -> None:
        self._binaries = binaries
        self._lanes = lanes
        self._tell = tell
        self._is_brief = is_brief
        self._waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._verdicts: dict[str, Verdict] = {}
        self._wanted: Undisturbed | None = None
        self._known = threading.Event()
        self._errors: list[BaseException] = []

    def run(self, cases: Sequence[str] | None) -> Outcome:
        """Run the cases named, or every point and every scenario.

        Raises:
            Exception: what ended a lane: the undisturbed run failed, or a world could not be made.
        """
        begun = time.monotonic()
        lanes = [threading.Thread(target=self._lane, args=(number, cases)) for number in range(self._lanes)]
        for lane in lanes:
            lane.start()
        for lane in lanes:
            lane.join()
        if self._errors:
            raise self._errors[0]
        order = {case: at for at, case in enumerate(self._cases(cases))}
        verdicts = sorted(self._verdicts.values(), key=lambda verdict: order[verdict.case])
        return Outcome(tuple(verdicts), time.monotonic() - begun)

    def _lane(self, number: int, cases: Sequence[str] | None) -> None:
        try:
            with tempfile.TemporaryDirectory(prefix="crash-") as folder, crash_world(self._binaries, Path(folder)) as w:
                self._learn(number, w, cases)
                while not self._errors:
                    self._judge(w, self._waiting.get_nowait())
        except queue.Empty:
            return
        except BaseException as error:  # noqa: BLE001 - told by the thread that started this one
            self._errors.append(error)
            self._known.set()

    def _learn(self, number: int, world: CrashWorld, cases: Sequence[str] | None) -> None:
        """The first lane runs the workload undisturbed; the others wait for what it finds."""
        if number == 0:
            self._wanted = undisturbed(world)
            for case in self._cases(cases):
                self._waiting.put(case)
            self._known.set()
        self._known.wait()

    def _cases(self, cases: Sequence[str] | None) -> list[str]:
        if cases is not None:
            return list(cases)
        points = self._wanted.points() if self._wanted else []
        return [*map(str, points), *SCENARIOS]

    def _judge(self, world: CrashWorld, case: str) -> None:
        assert self._wanted is not None
        begun = time.monotonic()
        verdict = self._tried(world, case, self._wanted)
        self._verdicts[case] = verdict
        state = "passed" if verdict.passed else "FAILED"
        self._tell(f"{state} {case} ({time.monotonic() - begun:.0f} s)")
        for line in verdict.wrong or (() if verdict.reached else ("the write was not made",)):
            self._tell(f"    {line}")
        if not verdict.passed:
            self._tell(f"    again: uv run poe crash --only '{case}'")

    def _tried(self, world: CrashWorld, case: str, wanted: Undisturbed) -> Verdict:
        for _ in range(_TRIES):
            disturbance = SCENARIOS[case]() if case in SCENARIOS else Strike(Point.parse(case), world)
            verdict = disturbed(world, case, disturbance, wanted, is_brief=self._is_brief)
            if verdict.reached or verdict.wrong:
                return verdict
        return Verdict(case, reached=False)
