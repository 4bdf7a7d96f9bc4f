"""What a look at something has found: well, to be watched, or wrong, and then how it is mended."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from backgroundtask.errors import Expected, Rejected
from backgroundtask.kube.transport import UNREACHABLE

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing. `mend` says what to do; it is empty where all is well."""

    level: Level
    about: str
    message: str
    mend: str = ""


def well(about: str, message: str) -> Finding:
    """All is well."""
    return Finding(level="ok", about=about, message=message)


def doubtful(about: str, message: str, mend: str) -> Finding:
    """It may be wrong, or could not be looked at."""
    return Finding(level="warn", about=about, message=message, mend=mend)


def wrong(about: str, message: str, mend: str) -> Finding:
    """The operator cannot work so."""
    return Finding(level="fail", about=about, message=message, mend=mend)


def looked(about: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """What a look finds; where one may not look, or AWS does not answer, that is the finding.

    Raises:
        Busy: Unreachable, as nothing can be found where the API server does not answer.
    """
    try:
        yield from look()
    except Rejected as error:
        yield wrong(about, f"{error.reason}.", error.message)
    except Expected as error:
        if error.reason == UNREACHABLE:
            raise
        yield doubtful(about, f"It could not be looked at ({error.reason}).", error.message)
