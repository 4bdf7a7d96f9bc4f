"""What a user or the platform team may not do, and what they are told; and what is left alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backgroundtask.plan.names import Owner
from fixtures.world import INSTALLATION, Operator, World, eventually


def test_a_namespace_that_the_template_does_not_list_is_refused_until_it_does(world: World, operator: Operator) -> None:
    _offer(world, namespaces=[])
    world.apply("uninvited")
    eventually(lambda: world.condition("uninvited", "Stalled").get("reason") == "NamespaceNotAllowed", "it is refused")
    assert "spec.namespaces" in world.condition("uninvited")["message"]
    assert world.revisions("uninvited") == []

    _offer(world, namespaces=["default"])

    assert world.ready("uninvited")["taskDefinitionArn"]
    assert operator.process.poll() is None


def test_a_right_that_is_taken_away_switches_the_schedule_off_and_back_on(world: World, operator: Operator) -> None:
    world.apply("revoked")
    world.ready("revoked")

    _offer(world, namespaces=[])

    eventually(lambda: _state(world, "revoked") == "DISABLED", "its schedule is disabled")
    eventually(lambda: world.condition("revoked", "Stalled"), "it says why")
    _offer(world, namespaces=["default"])
    eventually(lambda: _state(world, "revoked") == "ENABLED", "its schedule is enabled again")
    world.ready("revoked")
    assert operator.process.poll() is None


@pytest.mark.parametrize(
    ("name", "spec", "reason"),
    [
        ("badcron", {"cron": "0 0 30 2 *"}, "InvalidSchedule"),
        ("badzone", {"timeZone": "Europe/Berln"}, "UnknownTimeZone"),
        ("badrole", {"taskRole": "admin"}, "TaskRoleNotOffered"),
        ("badsecret", {"env": [{"name": "A", "valueFrom": {"ssmParameter": "/other/a"}}]}, "SecretNotAllowed"),
    ],
)
def test_what_no_retry_can_mend_is_stalled_before_anything_is_touched(
    world: World, operator: Operator, name: str, spec: dict[str, Any], reason: str
) -> None:
    world.apply(name, **spec)

    eventually(lambda: world.condition(name, "Stalled").get("reason") == reason, f"{name} is refused: {reason}")

    assert world.revisions(name) == []
    body = world.get("bgt", name)
    assert body is not None
    assert "finalizers" not in body["metadata"]
    assert operator.process.poll() is None


def test_a_refused_edit_leaves_what_worked_and_still_suspends(world: World, operator: Operator) -> None:
    world.apply("edited")
    good = world.ready("edited")["taskDefinitionArn"]

    _patch(world, "edited", cron="61 * * * *", suspend=True)

    eventually(lambda: world.condition("edited", "Stalled"), "the edit is refused")
    eventually(lambda: _state(world, "edited") == "DISABLED", "its suspension holds all the same")
    assert world.revisions("edited") == [good]
    _patch(world, "edited", cron="0 4 * * *", suspend=False)
    world.ready("edited")
    assert _state(world, "edited") == "ENABLED"
    assert operator.process.poll() is None


def test_a_strangers_schedule_of_the_same_name_is_left_alone(world: World, operator: Operator) -> None:
    eventually(lambda: world.condition("default", kind="bglt"), "the schedule group is there")
    name = Owner(INSTALLATION, "default", "foreign").schedule_name(0)
    theirs = {
        "Name": name,
        "GroupName": f"bgt-{INSTALLATION}",
        "ScheduleExpression": "cron(0 1 * * ? *)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {
            "Arn": world.template["spec"]["queues"]["ticks"],
            "RoleArn": world.template["spec"]["schedulerRoleArn"],
            "Input": "theirs",
        },
    }
    scheduler = world.aws.client("scheduler")
    scheduler.create_schedule(**theirs)

    world.apply("foreign")

    eventually(lambda: world.condition("foreign", "Stalled").get("reason") == "NotOwned", "it is told whose it is")
    world.kubectl("delete", "bgt", "foreign", "--timeout=30s")
    assert scheduler.get_schedule(GroupName=f"bgt-{INSTALLATION}", Name=name)["Target"]["Input"] == "theirs"
    assert operator.process.poll() is None


def test_a_template_stays_until_no_task_uses_it(world: World, operator: Operator) -> None:
    second = {**world.template, "metadata": {"name": "second"}}
    world.kubectl("apply", "-f", "-", stdin=second)
    world.apply("tenant", launchTemplate="second")
    world.ready("tenant")

    world.kubectl("delete", "bglt", "second", "--wait=false")

    eventually(lambda: world.condition("second", "Reconciling", "bglt").get("reason") == "InUse", "it says who uses it")
    world.kubectl("delete", "bgt", "tenant", "--timeout=30s")
    eventually(lambda: world.get("bglt", "second") is None, "it is gone")
    assert world.revisions("tenant") == []
    assert operator.process.poll() is None


def test_a_template_whose_cluster_is_missing_says_what_to_create(world: World, operator: Operator) -> None:
    spec = {**world.template["spec"], "cluster": "nowhere"}
    world.kubectl("apply", "-f", "-", stdin={**world.template, "metadata": {"name": "lost"}, "spec": spec})

    eventually(lambda: world.condition("lost", kind="bglt").get("reason") == "ClusterNotActive", "it is told")

    assert "nowhere" in world.condition("lost", kind="bglt")["message"]
    world.aws.client("ecs").create_cluster(clusterName="nowhere")
    eventually(lambda: world.condition("lost", kind="bglt").get("status") == "True", "it recovers by itself")
    assert operator.process.poll() is None


def test_a_paused_task_is_left_alone_until_it_is_not(world: World, operator: Operator) -> None:
    world.apply("paused")
    before = world.ready("paused")["taskDefinitionArn"]
    world.kubectl("annotate", "bgt", "paused", "bgtask.dev/paused=true")
    eventually(lambda: world.condition("paused").get("reason") == "Paused", "it says so")

    _patch(world, "paused", image="busybox:2")

    eventually(lambda: world.condition("paused").get("reason") == "Paused", "the new generation is answered")
    assert world.revisions("paused") == [before]
    world.kubectl("annotate", "bgt", "paused", "bgtask.dev/paused-")
    eventually(lambda: world.ready("paused")["taskDefinitionArn"] != before, "it goes on")
    assert operator.process.poll() is None


def test_a_retained_task_leaves_aws_as_it_is(world: World, operator: Operator) -> None:
    world.apply("retained", deletionPolicy="Retain")
    [revision] = [world.ready("retained")["taskDefinitionArn"]]

    world.kubectl("delete", "bgt", "retained", "--timeout=30s")

    assert world.revisions("retained") == [revision]
    assert _state(world, "retained") == "ENABLED"
    world.apply("retained")
    assert world.ready("retained")["taskDefinitionArn"] == revision
    world.kubectl("delete", "bgt", "retained", "--timeout=30s")
    assert world.revisions("retained") == []
    assert operator.process.poll() is None


def test_a_deletion_that_aws_refuses_says_why_and_goes_on_when_it_may(world: World, operator: Operator) -> None:
    world.apply("stuck")
    world.ready("stuck")
    fault = world.aws.fault(
        "error", "scheduler", "DeleteSchedule", code="AccessDeniedException", message="not authorized", status=403
    )

    world.kubectl("delete", "bgt", "stuck", "--wait=false")

    eventually(lambda: world.condition("stuck").get("reason") == "AccessDenied", "it says what to grant")
    assert _state(world, "stuck") == "ENABLED"
    world.aws.remove_fault(fault)
    eventually(lambda: world.get("bgt", "stuck") is None, "it is gone")
    assert world.revisions("stuck") == []
    assert operator.process.poll() is None


def test_a_task_that_somebody_else_still_holds_is_not_taken_up_again(world: World, operator: Operator) -> None:
    world.apply("held")
    world.ready("held")
    hold = {"metadata": {"finalizers": ["bgtask.dev/finalizer", "example.com/hold"]}}
    world.kubectl("patch", "bgt", "held", "--type=merge", "-p", json.dumps(hold))

    world.kubectl("delete", "bgt", "held", "--wait=false")

    eventually(lambda: _finalizers(world, "held") == ["example.com/hold"], "the operator has let go")
    world.kubectl("label", "bgt", "held", "touched=yes")
    world.apply("after")
    world.ready("after")
    assert world.revisions("held") == []
    world.kubectl("patch", "bgt", "held", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
    eventually(lambda: world.get("bgt", "held") is None, "it is gone")
    assert operator.process.poll() is None


def test_what_aws_refuses_is_not_asked_for_again_and_again(world: World, operator: Operator) -> None:
    fault = world.aws.fault(
        "error", "ecs", "RegisterTaskDefinition", code="ClientException", message="No Fargate for you", status=400
    )
    world.apply("rejected")
    eventually(lambda: world.condition("rejected", "Stalled"), "AWS's refusal is told")
    before = world.now()

    world.kubectl("label", "bgt", "rejected", "touched=yes")
    world.apply("next")
    eventually(lambda: world.condition("next", "Stalled"), "what came later was worked on")
    world.aws.remove_fault(fault)

    world.kubectl("annotate", "bgt", "rejected", "bgtask.dev/reconcile-requested-at=now")
    world.ready("rejected")
    asked = [
        one for one in world.aws.journal(since=before, operation="RegisterTaskDefinition") if _is_for(one, "rejected")
    ]
    assert [one["outcome"] for one in asked] == ["ok"]
    assert world.status("rejected")["lastHandledReconcileAt"] == "now"
    assert operator.process.poll() is None


def _finalizers(world: World, name: str) -> list[str]:
    return (world.get("bgt", name) or {}).get("metadata", {}).get("finalizers", [])


def _is_for(entry: dict[str, Any], task: str) -> bool:
    return entry["params"].get("family", "").endswith(f"_{task}")


def _patch(world: World, name: str, **spec: Any) -> None:
    world.kubectl("patch", "bgt", name, "--type=merge", "-p", json.dumps({"spec": spec}))


def _offer(world: World, **spec: Any) -> None:
    world.kubectl("patch", "bglt", "default", "--type=merge", "-p", json.dumps({"spec": spec}))


def _state(world: World, task: str) -> str:
    name = Owner(INSTALLATION, "default", task).schedule_name(0)
    return world.aws.client("scheduler").get_schedule(GroupName=f"bgt-{INSTALLATION}", Name=name)["State"]
