"""One run of the workload: undisturbed, or disturbed and compared step by step with an undisturbed one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from crash.disturbance import MOMENTS, Disturbance, Point
from crash.picture import Creations, Picture, creations_of, picture_of
from crash.runs_workload import RUNS_WORKLOAD
from crash.steps import Step
from crash.workload import WORKLOAD
from crash.world import CrashWorld

LIVES = (WORKLOAD, RUNS_WORKLOAD)
"""What is lived, each in a world begun anew: the life of a schedule, and that of runs on demand."""

_LAST_LINES = 8


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """What a run without faults left after each step, what it had made by then, and what to strike as (step, label)."""

    pictures: dict[str, Picture]
    creations: dict[str, Creations]
    writes: tuple[tuple[str, str], ...]

    def points(self) -> list[Point]:
        """Every write, three times."""
        seen: Counter[tuple[str, str]] = Counter()
        points = []
        for step, label in self.writes:
            seen[step, label] += 1
            points += [Point(step, label, seen[step, label], moment) for moment in MOMENTS]
        return points

    def differences(self, world: CrashWorld, step: str) -> list[str]:
        """What the world holds otherwise after a step, and what was made otherwise by then."""
        seen = picture_of(world).differences(self.pictures[step])
        made = creations_of(world).differences(self.creations[step], crashes=1)
        return [f"{step}: {one}" for one in (*seen, *made)]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a case ended. `reached`: what was to be disturbed was there. `wrong` is empty where all is well."""

    case: str
    reached: bool
    wrong: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the fault was there, and did no harm."""
        return self.reached and not self.wrong


def undisturbed(world: CrashWorld) -> Undisturbed:
    """Live each life and write down what there is.

    Raises:
        NotAtRestError: a step does not come to rest.
    """
    pictures, creations, writes = {}, {}, []
    for life in LIVES:
        world.begin()
        for step in life:
            before = len(world.proxy.writes)
            _run(world, step)
            pictures[step.name], creations[step.name] = picture_of(world), creations_of(world)
            struck = world.proxy.writes[before:] if step.is_swept else ()
            writes += [(step.name, write.call.label) for write in struck]
        assert world.revivals == 0, "the controller ended by itself"
    return Undisturbed(pictures, creations, tuple(writes))


def disturbed(
    world: CrashWorld, case: str, disturbance: Disturbance, wanted: Undisturbed, *, is_brief: bool = False
) -> Verdict:
    """Run the workload anew with a disturbance, and stop at the first step after which something is wrong.

    `is_brief` stops at the last step that the disturbance is about, and does not look whether it hurts later.
    """
    world.begin(replicas=disturbance.replicas)
    with world.proxy.breaking(disturbance):
        compares = not disturbance.from_step
        for step in _life_of(disturbance):
            compares = compares or step.name == disturbance.from_step
            wrong = _step(world, step, disturbance) or (wanted.differences(world, step.name) if compares else [])
            if wrong:
                return Verdict(case, disturbance.reached, tuple(wrong))
            if is_brief and step.name == disturbance.last_step:
                break
    ends = [f"the controller ended {world.revivals} times"] if world.revivals > disturbance.most_ends else []
    return Verdict(case, disturbance.reached, tuple(ends))


def _life_of(disturbance: Disturbance) -> tuple[Step, ...]:
    """The life in which the step is that is to be disturbed; that of a schedule where all of it is."""
    return next((life for life in LIVES if disturbance.from_step in {step.name for step in life}), WORKLOAD)


def _step(world: CrashWorld, step: Step, disturbance: Disturbance) -> list[str]:
    try:
        disturbance.before(world, step.name)
        _run(world, step, lambda: disturbance.acted(world, step.name))
    except AssertionError as error:
        return [f"{step.name}: {error}", *_last_words(world)]
    return []


def _last_words(world: CrashWorld) -> Iterator[str]:
    """What the controllers logged last: their logs go away with their world."""
    for controller in world.controllers:
        state = "runs" if controller.process.poll() is None else f"ended with {controller.process.returncode}"
        yield f"{controller.log.name} {state}"
        yield from (f"  {line}" for line in controller.lines()[-_LAST_LINES:])


def _run(world: CrashWorld, step: Step, acted: Callable[[], None] = lambda: None) -> None:
    """Make the moves of a step, each from rest to rest; `acted` is called once, after the first of them."""
    for move in step.moves:
        move.act(world)
        if move is step.moves[0]:
            acted()
        world.rest(partial(move.missing, world))
