"""Time zones by their IANA name, always from the `tzdata` package: the same rules on a laptop and in the image.

`zoneinfo.ZoneInfo(name)` looks at the system's files first, and changing that is global; so the package's files are
read here. A name is only ever one of the package's own list, so no name can become a path.
"""

import datetime as dt
import difflib
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo

from backgroundtask.errors import Rejected

SUGGESTIONS = 3
LONGEST = 50  # characters of a ScheduleExpressionTimezone (botocore's model of CreateSchedule)


def time_zone(name: str) -> dt.tzinfo:
    """The time zone of this IANA name, such as `Europe/Berlin`; names are case-sensitive, as in Kubernetes.

    Raises:
        Rejected: `UnknownTimeZone`; the message has the nearest names.
    """
    if name not in _names():
        raise Rejected("UnknownTimeZone", _unknown(name))
    return _load(name)


def _unknown(name: str) -> str:
    likely = _nearest(name)
    advice = f"did you mean {' or '.join(likely)}?" if likely else "write an IANA name, such as Europe/Berlin or UTC"
    return f'"{name[:LONGEST]}" is no time zone; {advice}'


def _nearest(name: str) -> list[str]:
    """Names that look like it as a whole (`europe/berlin`, `Europe/Berln`) or in their last part (`Berlin`)."""
    known: dict[str, list[str]] = {}
    for zone in sorted(_names()):
        for spelling in {zone.lower(), zone.rpartition("/")[2].lower()}:
            known.setdefault(spelling, []).append(zone)
    wanted = name[:LONGEST].lower().replace(" ", "_")
    close = difflib.get_close_matches(wanted, known, n=SUGGESTIONS, cutoff=0.75)
    return list(dict.fromkeys(zone for spelling in close for zone in known[spelling]))[:SUGGESTIONS]


@cache
def _names() -> frozenset[str]:
    return frozenset(resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


@cache
def _load(name: str) -> ZoneInfo:
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)
