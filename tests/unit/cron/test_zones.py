"""Time zones by name, from the tzdata package and nowhere else."""

import datetime as dt
import zoneinfo
from pathlib import Path

import pytest

from backgroundtask.cron import time_zone
from backgroundtask.errors import Rejected


def refusal(name: str) -> str:
    with pytest.raises(Rejected) as refused:
        time_zone(name)
    assert refused.value.reason == "UnknownTimeZone"
    return refused.value.message


@pytest.mark.parametrize(
    ("name", "hours"), [("UTC", 0), ("Europe/Berlin", 1), ("Etc/GMT+5", -5), ("America/Argentina/Buenos_Aires", -3)]
)
def test_a_name_of_the_iana_database_is_a_time_zone(name: str, hours: int) -> None:
    winter = dt.datetime(2026, 1, 1, tzinfo=time_zone(name))

    assert winter.utcoffset() == dt.timedelta(hours=hours)


def test_the_files_of_the_machine_are_not_looked_at(tmp_path: Path) -> None:
    (tmp_path / "Indian").mkdir()
    (tmp_path / "Indian" / "Maldives").write_text("no time zone at all")
    zoneinfo.reset_tzpath([tmp_path])
    try:
        zone = time_zone("Indian/Maldives")
    finally:
        zoneinfo.reset_tzpath()

    assert dt.datetime(2026, 1, 1, tzinfo=zone).utcoffset() == dt.timedelta(hours=5)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Europe/Berln", "did you mean Europe/Berlin"),
        ("europe/berlin", "did you mean Europe/Berlin"),
        ("Berlin", "did you mean Europe/Berlin?"),
        ("New York", "did you mean America/New_York"),
        ("utc", "UTC"),
    ],
)
def test_a_name_that_is_nearly_right_is_put_right(name: str, meant: str) -> None:
    assert meant in refusal(name)


def test_no_more_than_three_names_are_suggested() -> None:
    assert refusal("easte").count(" or ") == 2


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "Local",
        "Mars/Olympus_Mons",
        "../../../etc/passwd",
        "/etc/localtime",
        "Europe/../UTC",
        "a\0b",
        "x" * 999,
    ],
)
def test_what_is_no_name_is_refused_and_never_a_path(name: str) -> None:
    message = refusal(name)

    assert "no time zone" in message
    assert len(message) < 250
