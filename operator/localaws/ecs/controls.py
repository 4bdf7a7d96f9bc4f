"""What tests ask of ECS under `/_localaws/ecs/`: shortages, interruptions, and what AWS leaves open.

Knows JSON and who does what is asked; each thing asked for has its own place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from localaws.contract import NoSuchControlError, Params
from localaws.ecs.shortages import Shortages

DEREGISTERED_RUNS = "deregistered-runs"
_LONGEST = 86400.0

Interrupt = Callable[[str], Params]
"""Interrupt the task of an ARN and show it. Raises ValueError where it cannot be interrupted."""


@dataclass(slots=True)
class Leeway:
    """What the documentation lets AWS do, or not: for how many seconds a deregistered definition still runs.

    documented: API: DeregisterTaskDefinition, "there might be up to a 10-minute window"; without being asked, none.
    """

    deregistered_runs: float = 0.0


class Controls:
    """Answers the requests of tests; a path is a word, and an id behind it where something is removed."""

    def __init__(self, shortages: Shortages, leeway: Leeway, interrupt: Interrupt) -> None:
        self._shortages = shortages
        self._leeway = leeway
        self._interrupt = interrupt
        self._routes: dict[tuple[str, str], Callable[[str, Params], Params]] = {
            ("GET", "shortages"): self._list_shortages,
            ("POST", "shortages"): self._add_shortage,
            ("DELETE", "shortages"): self._remove_shortages,
            ("POST", "interrupt"): self._interrupt_task,
            ("GET", "leeway"): self._show_leeway,
            ("PUT", "leeway"): self._set_leeway,
        }

    @property
    def routes(self) -> Sequence[tuple[str, str]]:
        """Method and first word of each request that is answered."""
        return tuple(self._routes)

    def answer(self, method: str, path: str, wanted: Params) -> Params:
        """Do what is asked, as `contract.Controlled` says."""
        word, _, rest = path.partition("/")
        route = self._routes.get((method, word))
        if route is None:
            known = ", ".join(f"{method} ecs/{name}" for method, name in self._routes)
            raise NoSuchControlError(f"there is no {method} ecs/{path}; there are {known}")
        return route(rest, wanted)

    def _list_shortages(self, _rest: str, _wanted: Params) -> Params:
        return {"shortages": [shortage.as_json() for shortage in self._shortages]}

    def _add_shortage(self, _rest: str, wanted: Params) -> Params:
        return self._shortages.add(wanted).as_json()

    def _remove_shortages(self, rest: str, _wanted: Params) -> Params:
        if rest:
            self._shortages.remove(rest)
        else:
            self._shortages.clear()
        return {}

    def _interrupt_task(self, _rest: str, wanted: Params) -> Params:
        arn = wanted.get("task")
        if wanted.keys() != {"task"} or not isinstance(arn, str):
            raise ValueError('an interruption takes {"task": ARN}')
        task = self._interrupt(arn)
        return {name: task[name] for name in ("taskArn", "lastStatus", "desiredStatus", "stopCode", "stoppedReason")}

    def _show_leeway(self, _rest: str, _wanted: Params) -> Params:
        return {DEREGISTERED_RUNS: self._leeway.deregistered_runs}

    def _set_leeway(self, rest: str, wanted: Params) -> Params:
        seconds = wanted.get(DEREGISTERED_RUNS)
        if wanted.keys() != {DEREGISTERED_RUNS} or isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise ValueError(f'the leeway takes {{"{DEREGISTERED_RUNS}": SECONDS}}')
        if not 0 <= seconds <= _LONGEST:
            raise ValueError(f"{DEREGISTERED_RUNS!r} must be a number from 0 to {_LONGEST:.0f}")
        self._leeway.deregistered_runs = float(seconds)
        return self._show_leeway(rest, wanted)
