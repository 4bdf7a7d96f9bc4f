"""What an ImageRepository asks of ECR: nothing at rest, one pass to rest, and hands off what bears no mark of ours."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, assert_never

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backgroundtask.api.repository import RepositorySpec
from backgroundtask.errors import Rejected
from backgroundtask.plan.names import Owner
from backgroundtask.plan.repository import (
    Create,
    Foreign,
    Held,
    KeepAll,
    Newest,
    Scan,
    Step,
    Tag,
    Trim,
    Wish,
    is_ours,
    lifecycle_of,
    lifecycle_text,
    plan,
    wish,
)
from backgroundtask.plan.site import Site
from fixtures.objects import CLUSTER, template

OWNER = Owner("test", "reports", "api")
OURS = {"bgtask.dev/owner": "test/reports/api", "bgtask.dev/uid": "uid-1"}


def site(**spec: Any) -> Site:
    return Site(template="default", spec=template(**spec).spec, cluster=CLUSTER, group="bgt-test")


def wanted(*, keep: int | None = None, name: str | None = None, tags: dict[str, str] | None = None) -> Wish:
    return wish(OWNER, "uid-1", RepositorySpec(name=name, keep_images=keep), site(tags=tags or {}))


def held(**members: Any) -> Held:
    made = Held(name="reports/api", arn="arn", uri="uri", scans_on_push=True, tags=OURS)
    return replace(made, **members)


def after(step: Step, before: Held | None) -> Held:
    """What ECR holds after a step."""
    if isinstance(step, Create):
        assert before is None
        return Held(name=step.name, arn="arn", uri="uri", scans_on_push=True, tags=dict(step.tags))
    assert before is not None
    match step:
        case Tag(tags):
            return replace(before, tags={**before.tags, **tags})
        case Scan():
            return replace(before, scans_on_push=True)
        case Trim(keep):
            return replace(before, lifecycle=keep)
        case KeepAll():
            return replace(before, lifecycle=None)
        case _:
            assert_never(step)


tag_maps = st.dictionaries(st.sampled_from(["team", "cost", "bgtask.dev/retained"]), st.sampled_from(["true", "b"]))
counts = st.integers(1, 10_000)
lifecycles = st.none() | st.builds(Foreign) | st.builds(Newest, counts)
wishes = st.builds(
    wanted, keep=st.none() | counts, tags=st.dictionaries(st.sampled_from(["team", "cost"]), st.just("b"))
)
ours = st.builds(
    lambda tags, owned, **members: held(tags={**tags, **OURS, **owned}, **members),
    tags=tag_maps,
    owned=st.sampled_from([{}, {"bgtask.dev/uid": "uid-of-another-life"}]),
    scans_on_push=st.booleans(),
    lifecycle=lifecycles,
)


@given(wanted=wishes, before=st.none() | ours)
def test_one_pass_brings_what_was_asked_for_and_the_next_has_nothing_to_do(wanted: Wish, before: Held | None) -> None:
    now = before
    for step in plan(wanted, before):
        now = after(step, now)

    assert now is not None
    assert plan(wanted, now) == ()
    assert now.scans_on_push
    assert wanted.tags.items() <= now.tags.items()
    assert now.tags.get("bgtask.dev/retained") != "true"
    assert now.lifecycle == wanted.keep or (wanted.keep is None and now.lifecycle == Foreign())


@given(wanted=wishes, before=ours)
def test_what_nobody_asked_for_stays_as_it_is(wanted: Wish, before: Held) -> None:
    now = before
    for step in plan(wanted, before):
        now = after(step, now)

    untouched = before.tags.keys() - wanted.tags.keys() - {"bgtask.dev/retained"}
    assert {key: now.tags[key] for key in untouched} == {key: before.tags[key] for key in untouched}
    assert (now.name, now.arn, now.uri) == (before.name, before.arn, before.uri)


@given(
    wanted=wishes,
    mark=st.none() | st.sampled_from(["test/reports/api2", "other/reports/api", "test/report/api", "", "test"]),
    lifecycle=lifecycles,
)
def test_what_bears_no_mark_of_ours_is_never_touched(wanted: Wish, mark: str | None, lifecycle: Any) -> None:
    tags = {"bgtask.dev/uid": "uid-1"} | ({} if mark is None else {"bgtask.dev/owner": mark})
    strangers = held(tags=tags, lifecycle=lifecycle, scans_on_push=False)

    with pytest.raises(Rejected) as caught:
        plan(wanted, strangers)

    assert caught.value.reason == "NotOwned"
    assert "bgtask.dev/owner=test/reports/api" in caught.value.message, "it says how to hand it over"
    assert not is_ours(strangers, OWNER)


@given(count=counts)
def test_a_policy_is_read_as_it_was_written(count: int) -> None:
    assert lifecycle_of(lifecycle_text(Newest(count))) == Newest(count)
    assert 100 <= len(lifecycle_text(Newest(count))) <= 30_720, "ECR API, PutLifecyclePolicy: lifecyclePolicyText"


def test_a_policy_is_the_same_however_it_is_spaced_and_ordered() -> None:
    rule = dict(reversed(json.loads(lifecycle_text(Newest(5)))["rules"][0].items()))

    assert lifecycle_of(json.dumps({"rules": [rule]}, indent=4)) == Newest(5)


def _edited(**members: Any) -> str:
    rule = {**json.loads(lifecycle_text(Newest(5)))["rules"][0], **members}
    return json.dumps({"rules": [rule]})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no JSON"),
        ("[]", "no object"),
        ('{"rules": []}', "no rule"),
        ('{"rules": null}', "no list"),
        ('{"rules": [5]}', "no rule"),
        (_edited(description="by hand"), "our description marks what is ours"),
        (_edited(selection={"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 5}), "fewer"),
        (_edited(selection={"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": True}), "no number"),
        (_edited(selection={"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": "5"}), "a text"),
        (json.dumps({"rules": json.loads(_edited())["rules"] * 2}), "a rule more"),
    ],
)
def test_any_other_policy_is_somebody_elses(text: str, why: str) -> None:
    assert lifecycle_of(text) == Foreign(), why


@pytest.mark.parametrize(
    ("keep", "lifecycle", "steps", "why"),
    [
        (5, None, (Trim(Newest(5)),), "it is asked for"),
        (5, Newest(5), (), "it is there"),
        (5, Newest(6), (Trim(Newest(5)),), "fewer are kept"),
        (5, Foreign(), (Trim(Newest(5)),), "the spec says what counts"),
        (None, Newest(5), (KeepAll(),), "it was ours, and nobody asks for it any more"),
        (None, Foreign(), (), "somebody else wrote it, and we say nothing about old images"),
        (None, None, (), "nothing is asked for"),
    ],
)
def test_old_images_are_the_operators_business_only_where_the_spec_says_so(
    keep: int | None, lifecycle: Any, steps: tuple[Step, ...], why: str
) -> None:
    assert plan(wanted(keep=keep), held(lifecycle=lifecycle)) == steps, why


def test_a_new_repository_bears_its_marks_from_its_first_moment() -> None:
    [step] = plan(wanted(tags={"team": "data"}), None)

    assert step == Create("reports/api", {"team": "data", **OURS})


@pytest.mark.parametrize("name", ["legacy", "reports", "report/api", "reports2/api", "other/reports/api"])
def test_no_namespace_makes_a_repository_whose_name_may_be_anothers(name: str) -> None:
    with pytest.raises(Rejected) as caught:
        plan(wanted(name=name), None)

    assert caught.value.reason == "NameNotAllowed"
    assert "reports/" in caught.value.message


@pytest.mark.parametrize("name", ["legacy", "other/reports/api"])
def test_any_name_is_adopted_that_was_handed_over_in_aws(name: str) -> None:
    assert plan(wanted(name=name), held(name=name)) == ()


def test_what_was_retained_is_taken_back() -> None:
    retained = held(tags={**OURS, "bgtask.dev/retained": "true"})

    assert plan(wanted(), retained) == (Tag({"bgtask.dev/retained": "false"}),)


def test_a_template_that_does_not_list_the_namespace_gives_it_no_repository() -> None:
    with pytest.raises(Rejected) as caught:
        wish(OWNER, "uid-1", RepositorySpec(), site(namespaces=["others"]))

    assert caught.value.reason == "NamespaceNotAllowed"
