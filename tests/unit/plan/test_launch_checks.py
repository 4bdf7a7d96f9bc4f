"""What a run may ask for beyond its task is judged before anything is launched."""

from typing import Any

import pytest

from backgroundtask.api.run import BackgroundTaskRun
from backgroundtask.api.task import TaskSpec
from backgroundtask.errors import Rejected
from backgroundtask.plan.allowance import role_of_launch
from backgroundtask.plan.checks import refuse_launch
from backgroundtask.plan.observed import Revision
from backgroundtask.plan.site import Site
from fixtures.objects import CLUSTER, task, template
from fixtures.runs import asked_run, made_run, slot_run

SECRET = {"name": "DB", "valueFrom": {"ssmParameter": "/reports/db"}}


def site(**spec: Any) -> Site:
    return Site(template="default", spec=template(**spec).spec, cluster=CLUSTER, group="bgt-test")


def spec(**members: Any) -> TaskSpec:
    return task(**members).spec


def overriding(**overrides: Any) -> BackgroundTaskRun:
    return made_run(spec={"overrides": overrides})


def check(run: BackgroundTaskRun, of: TaskSpec | None = None, at: Site | None = None) -> None:
    refuse_launch(run, namespace="reports", spec=of or spec(), site=at or site())


@pytest.mark.parametrize(
    ("run", "of", "at", "why"),
    [
        (slot_run(), spec(), site(), "a slot has no overrides"),
        (overriding(), spec(), site(), "none are some"),
        (overriding(cpu=512, memory=1024), spec(), site(limits={"cpu": 512, "memory": 1024}), "as much as is allowed"),
        (overriding(memory=1024), spec(), site(), "Fargate offers it with the cpu of the task"),
        (overriding(cpu=999999 % 196608 + 256), spec(), site(), "a cpu that we do not know is ECS's to judge"),
        (overriding(taskRole="reader"), spec(), site(), "the template offers it"),
        (overriding(env=[{"name": "DAY", "value": "x"}]), spec(env=[SECRET]), site(), "another variable"),
        (asked_run(item="emea", index=0), spec(forEach=["emea", "apac"]), site(), "an item of the task"),
        (overriding(command=["x" * 7000]), spec(), site(), "long, and not too long"),
    ],
)
def test_what_is_offered_may_be_used(run: BackgroundTaskRun, of: TaskSpec, at: Site, why: str) -> None:
    assert why
    check(run, of, at)


@pytest.mark.parametrize(
    ("run", "of", "at", "reason", "hint"),
    [
        (slot_run(), spec(), site(namespaces=["others"]), "NamespaceNotAllowed", "does not list namespace reports"),
        (slot_run(), spec(), site(images=["other/*"]), "ImageNotAllowed", "spec.images"),
        (slot_run(), spec(cpu=512, memory=1024), site(limits={"cpu": 256}), "LimitExceeded", "limits.cpu"),
        (slot_run(), spec(taskRole="gone"), site(), "TaskRoleNotOffered", "gone"),
        (slot_run(), spec(env=[SECRET]), site(secrets=[]), "SecretNotAllowed", "spec.secrets"),
        (overriding(cpu=512, memory=1024), spec(), site(limits={"cpu": 256}), "LimitExceeded", "the 256 of limits.cpu"),
        (overriding(memory=1024), spec(), site(limits={"memory": 512}), "LimitExceeded", "limits.memory"),
        (overriding(cpu=1024), spec(), site(), "InvalidFargateSize", "cpu 1024 and memory 512"),
        (overriding(memory=30000), spec(), site(), "InvalidFargateSize", "256: 512, 1024, 2048"),
        (overriding(taskRole="raeder"), spec(), site(), "TaskRoleNotOffered", "did you mean reader?"),
        (asked_run(), spec(forEach=["emea", "apac"]), site(), "ItemRequired", "one of emea, apac"),
        (made_run(spec={"item": "mars"}), spec(forEach=["emea"]), site(), "UnknownItem", "one of emea"),
        (made_run(spec={"item": "mars"}), spec(), site(), "UnknownItem", "the task has no forEach"),
        (
            made_run(spec={"item": "mars"}),
            spec(forEach=[f"item-{number}" for number in range(50)]),
            site(),
            "UnknownItem",
            "item-9, ….",
        ),
        (
            overriding(env=[{"name": "DB", "value": "x"}]),
            spec(env=[SECRET]),
            site(),
            "VariableIsSecret",
            "reads DB from a secret",
        ),
        (overriding(command=["x" * 8200]), spec(), site(), "OverridesTooLong", "ECS takes 8192"),
        (overriding(command=["ä" * 1400]), spec(), site(), "OverridesTooLong", "as JSON"),
        (
            overriding(env=[{"name": f"NAME_{number}", "value": "x" * 30} for number in range(130)]),
            spec(),
            site(),
            "OverridesTooLong",
            "S3",
        ),
    ],
)
def test_what_is_not_offered_is_refused_with_what_to_change(
    *, run: BackgroundTaskRun, of: TaskSpec, at: Site, reason: str, hint: str
) -> None:
    with pytest.raises(Rejected) as refusal:
        check(run, of, at)

    assert refusal.value.reason == reason
    assert hint in refusal.value.message
    assert refusal.value.message.endswith((".", "?"))


def test_no_value_of_a_variable_is_told() -> None:
    with pytest.raises(Rejected) as refusal:
        check(overriding(env=[{"name": "TOKEN", "value": "hush" * 2000}, {"name": "MORE", "value": "hush" * 200}]))

    assert "hush" not in refusal.value.message


def test_the_operators_own_variables_count_in_the_length() -> None:
    longest = next(
        length for length in range(8192, 0, -1) if _fits(made_run(spec={"overrides": {"command": ["x" * length]}}))
    )

    assert 7000 < longest < 8192 - 200
    assert not _fits(made_run("b" * 60, spec={"overrides": {"command": ["x" * longest]}}))


def _fits(run: BackgroundTaskRun) -> bool:
    try:
        check(run)
    except Rejected:
        return False
    return True


REVISION = Revision(arn="arn:family:1", digest="d", owner="o", uid="u", image="reports:1", cpu=512, memory=1024)


@pytest.mark.parametrize(
    ("run", "of", "at", "reason", "why"),
    [
        (slot_run(), spec(image="bad:2"), site(images=["reports:*"]), None, "the last good revision is what there is"),
        (asked_run(), spec(image="bad:2"), site(images=["reports:*"]), "ImageNotAllowed", "the spec is what is meant"),
        (slot_run(), spec(), site(images=["bad:*"]), "RightRevoked", "what it would start is not allowed"),
        (slot_run(), spec(), site(limits={"cpu": 256}), "LimitExceeded", "what it would start is too big"),
        (slot_run(), spec(), site(limits={"memory": 512}), "LimitExceeded", "or has too much memory"),
        (slot_run(), spec(), site(namespaces=["others"]), "NamespaceNotAllowed", "nothing is launched from there"),
        (
            slot_run(spec={"overrides": {"cpu": 1024, "memory": 2048}}),
            spec(),
            site(limits={"cpu": 512}),
            "LimitExceeded",
            "somebody made it with the name of a slot",
        ),
    ],
)
def test_of_a_slot_the_revision_that_it_starts_is_judged_and_of_a_request_the_spec(
    run: BackgroundTaskRun, of: TaskSpec, at: Site, reason: str | None, why: str
) -> None:
    if reason is None:
        assert role_of_launch(run, spec=of, site=at, revision=REVISION) is None, why
        return
    with pytest.raises(Rejected) as caught:
        role_of_launch(run, spec=of, site=at, revision=REVISION)

    assert caught.value.reason == reason, why
