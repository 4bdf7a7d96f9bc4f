"""How tests ask for chance, in JSON: members that are known, numbers within bounds, a whole seed.

Knows no member by name but the seed; what is asked for is each asker's own business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def check(wanted: Mapping[str, object], of: str, members: Iterable[str], numbers: Mapping[str, float]) -> None:
    """Check what is asked `of` something: its `members`, and those that are `numbers` from 0 to a bound.

    Raises:
        ValueError: a member is unknown or wrong; the text says which.
    """
    unknown = sorted(wanted.keys() - set(members))
    if unknown:
        raise ValueError(f"{of} have no {unknown[0]!r}; they have {', '.join(members)}")
    for name, most in numbers.items():
        value = wanted.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
            raise ValueError(f"{name!r} must be a number from 0 to {most}")
    if type(wanted.get("seed", 0)) is not int:
        raise ValueError("'seed' must be a whole number")
