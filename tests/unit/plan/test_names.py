"""Names in AWS: derived, unique per owner, inside what AWS allows, and readable back where they have to be."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backgroundtask.api.names import MAX_LABEL, MAX_TASK_NAME
from backgroundtask.plan.names import Owner, family_prefix, owner_of_definition, owner_of_family, run_name, slot_of

OWNER = Owner("prod", "reports", "nightly")
LONGEST = Owner("i" * 16, "n" * 63, "t" * 52)
TWINS = [LONGEST, Owner("i" * 16, "n" * 63, "t" * 51 + "u")]
"""Owners whose readable names are cut before they differ."""

labels = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?", fullmatch=True)
owners = st.builds(Owner, st.from_regex(r"[a-z0-9]{1,16}", fullmatch=True), labels, labels)
slots = st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone


@given(owners, owners)
@example(Owner("a", "b", "c-d"), Owner("a", "b-c", "d"))
@example(Owner("a", "b", "c"), Owner("ab", "c", "d"))
@example(*TWINS)
def test_two_owners_share_no_name(one: Owner, other: Owner) -> None:
    names = [{who.family, who.token_prefix, *who.schedule_names} for who in (one, other)]

    assert all(len(own) == 4 for own in names)
    assert names[0].isdisjoint(names[1]) == (one != other)


@given(owners)
@example(LONGEST)
def test_every_name_is_one_that_aws_takes(owner: Owner) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,255}", owner.family), "Amazon ECS API, RegisterTaskDefinition: family"
    assert re.fullmatch(r"[A-Za-z0-9_/-]{1,128}", owner.started_by), "Amazon ECS API, RunTask: startedBy"
    for name in owner.schedule_names:
        assert re.fullmatch(r"[0-9a-zA-Z_.-]{1,64}", name), "EventBridge Scheduler API, CreateSchedule: Name"
    assert re.fullmatch(r"[!-~]{33}", owner.token_prefix), "Amazon ECS API, RunTask: clientToken is ASCII 33-126"


@given(owners)
def test_a_client_token_with_its_slot_fits_the_64_characters_that_ecs_takes(owner: Owner) -> None:
    assert len(f"{owner.token_prefix}2022-03-22T18:59:43Z") <= 64


def test_the_same_owner_has_the_same_names_in_a_rebuilt_cluster() -> None:
    assert OWNER.family == "bgt_prod_reports_nightly"
    assert OWNER.started_by == "prod/reports/nightly"
    assert OWNER.schedule_names == ("2873deb485-reports-nightly", "2873deb485_2-reports-nightly")
    assert OWNER.token_prefix == "2873deb48598bb1cd63d93dd64c86906-"


def test_what_started_a_task_is_told_within_the_19_characters_that_ecs_keeps_of_a_schedules_name() -> None:
    first, second = (name[:19] for name in LONGEST.schedule_names)

    assert first != second
    assert first[:10] == second[:10] == LONGEST.token_prefix[:10]


@given(owners)
@example(LONGEST)
def test_a_family_tells_its_owner(owner: Owner) -> None:
    arn = f"arn:aws:ecs:eu-west-1:123456789012:task-definition/{owner.family}:42"

    assert owner_of_family(owner.family) == owner
    assert owner_of_definition(arn) == owner


@pytest.mark.parametrize(
    ("family", "why"),
    [
        ("", "nothing is nobody's"),
        ("web", "a stranger's"),
        ("bgt_prod_reports", "the name is missing"),
        ("bgt_prod_reports_nightly_2", "a part too many"),
        ("bgt_Prod_reports_nightly", "no installation has capitals"),
        ("bgt_prod_reports_nightly\n", "not the whole text"),
        ("xbgt_prod_reports_nightly", "another prefix"),
        (f"bgt_{'i' * 17}_reports_nightly", "longer than an installation can be"),
        (f"bgt_prod_reports_{'t' * 53}", "longer than a task's name can be"),
        (f"bgt_prod_{'n' * 64}_nightly", "longer than a namespace can be"),
    ],
)
def test_a_strangers_family_tells_no_owner(family: str, why: str) -> None:
    assert owner_of_family(family) is None, why
    assert owner_of_definition(f"arn:aws:ecs:eu-west-1:123456789012:task-definition/{family}:1") is None, why


@given(owners, owners)
@example(Owner("a", "b", "c"), Owner("a", "d", "e"))
@example(Owner("a", "b", "c"), Owner("ab", "b", "c"))
def test_an_installations_prefix_catches_its_families_and_no_others(one: Owner, other: Owner) -> None:
    caught = other.family.startswith(family_prefix(one.installation))

    assert caught == (one.installation == other.installation)


@given(slots)
def test_a_runs_name_fits_a_label_for_the_longest_task(slot: datetime) -> None:
    name = run_name("t" * MAX_TASK_NAME, slot)

    assert len(name) <= MAX_LABEL
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name)


@given(slots, slots)
def test_two_slots_share_a_run_when_they_lie_in_the_same_minute(one: datetime, other: datetime) -> None:
    same_minute = one.replace(second=0, microsecond=0) == other.replace(second=0, microsecond=0)

    assert (run_name("nightly", one) == run_name("nightly", other)) == same_minute


def test_a_run_is_named_after_the_unix_minutes_of_its_slot_as_cronjob_names_jobs() -> None:
    slot = datetime(2026, 11, 21, 4, 0, 59, 999_999, tzinfo=timezone(timedelta(hours=1)))

    assert run_name("nightly", slot) == "nightly-29920500"


@given(slots)
def test_the_slot_that_a_task_was_told_is_read_back(slot: datetime) -> None:
    assert slot_of(slot.isoformat()) == slot


def test_a_slot_is_read_into_utc() -> None:
    slot = slot_of("2026-11-21T04:00:00+01:00")

    assert slot == datetime(2026, 11, 21, 3, tzinfo=UTC)
    assert slot is not None
    assert slot.tzinfo is UTC


def test_the_first_moment_that_has_a_run_name_is_a_slot() -> None:
    assert slot_of("1970-01-01T00:00:00Z") == datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the variable is not there"),
        ("<aws.scheduler.scheduled-time>", "Scheduler did not replace it"),
        ("nightly", "no time"),
        ("2026-11-21T03:00:00", "no time zone: of which moment it speaks is a guess"),
        ("2026-02-30T03:00:00Z", "no such day"),
        ("1969-12-31T23:59:59Z", "its run would have a name with two dashes, or one too long for a label"),
        ("0001-01-01T00:00:00+14:00", "in UTC it lies before all time"),
        ("9999-12-31T23:59:59-14:00", "in UTC it lies after all time"),
    ],
)
def test_what_is_no_slot_is_none(text: str, why: str) -> None:
    assert slot_of(text) is None, why
