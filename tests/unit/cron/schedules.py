"""Random schedules: valid by construction, and often with the traps in which the dialects differ."""

from hypothesis import strategies as st

from unit.cron.aws_model import MONTHS, WEEK


def _item(low: int, high: int, *, wraps: bool) -> st.SearchStrategy[str]:
    value = st.integers(low, high)
    pair = st.tuples(value, value) if wraps else st.tuples(value, value).map(lambda ends: tuple(sorted(ends)))
    step = st.integers(1, max(2, (high - low) // 2))
    span = pair.map(lambda ends: f"{ends[0]}-{ends[1]}")
    return st.one_of(
        value.map(str),
        span,
        st.just(f"{low}-{high}"),
        st.builds("{}/{}".format, st.one_of(st.just("*"), value, span), step),
    )


def _list(items: st.SearchStrategy[str], most: int = 3) -> st.SearchStrategy[str]:
    return st.lists(items, min_size=1, max_size=most).map(",".join)


def _unix_field(low: int, high: int, names: list[str]) -> st.SearchStrategy[str]:
    items = _item(low, high, wraps=False)
    if names:
        items |= st.sampled_from(names) | st.sampled_from([f"{names[0]}-{names[2]}", f"{names[1]}/2", "?", "*/1"])
    return st.one_of(st.just("*"), _list(items), _list(st.sampled_from(["*", "?", "*/1", "*/2"]) | items, 2))


UNIX = st.tuples(
    _unix_field(0, 59, []),
    _unix_field(0, 23, []),
    _unix_field(1, 31, []),
    _unix_field(1, 12, [name.lower() for name in MONTHS]),
    _unix_field(0, 6, WEEK),
).map(" ".join)

_AWS_DAYS = st.one_of(
    _list(_item(1, 31, wraps=True)).map(lambda days: (days, "?")),
    st.sampled_from(["*", "L", "LW"]).map(lambda days: (days, "?")),
    st.builds(lambda n: (f"{n}W", "?"), st.integers(1, 31)),
    st.builds(lambda n: (f"L-{n}", "?"), st.integers(1, 30)),
    st.sampled_from(["*", "L", "FRI-MON", "6-2", "MON,WED,FRI", "2-6"]).map(lambda days: ("?", days)),
    st.builds(lambda day, nth: ("?", f"{day}#{nth}"), st.sampled_from(WEEK), st.integers(1, 5)),
    st.builds(lambda day: ("?", f"{day}L"), st.integers(1, 7)),
)


def _aws(minute: str, hour: str, days: tuple[str, str], month: str, year: str) -> str:
    return f"cron({minute} {hour} {days[0]} {month} {days[1]} {year})"


AWS = st.builds(
    _aws,
    st.just("*") | _list(_item(0, 59, wraps=True)),
    st.just("*") | _list(_item(0, 23, wraps=True)),
    _AWS_DAYS,
    st.just("*") | _list(_item(1, 12, wraps=True)),
    st.sampled_from(["*", "2026-2030", "2027/2", "2028,2030"]),
)
