"""`bgt doctor`: each thing that keeps the operator from its work is found, and told with how to mend it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from backgroundtask.api.crds import crd_documents
from backgroundtask.aws import Feed, Trust
from backgroundtask.cli.cluster_checks import CRDS
from backgroundtask.errors import Blocked, Busy
from backgroundtask.kube.resource import LEASES, TASKS, TEMPLATES, Body, Resource
from backgroundtask.kube.rights import RIGHTS
from fixtures.command_line import Person
from fixtures.fake_kube import FakeKube
from fixtures.fake_process import INSTALLATION
from fixtures.fake_world import EVENTS, TICKS, World, settled
from fixtures.objects import ACCOUNT, CLUSTER

FAMILY = f"family:bgt_{INSTALLATION}_"
RULE = f"arn:aws:events:eu-west-1:{ACCOUNT}:rule/tasks"
LETS_RULE_SEND = {
    "Effect": "Allow",
    "Principal": {"Service": "events.amazonaws.com"},
    "Action": "sqs:SendMessage",
    "Resource": EVENTS,
    "Condition": {"ArnEquals": {"aws:SourceArn": RULE}},
}
ROLE = f"arn:aws:iam::{ACCOUNT}:role/"
ESTABLISHED = {"conditions": [{"type": "Established", "status": "True"}]}
INSTALLED = {crd["metadata"]["name"]: {**crd, "status": ESTABLISHED} for crd in crd_documents()}


class Answering(FakeKube):
    """A cluster whose CRDs are installed, and which says what one may do."""

    crds: dict[str, Body]
    refused: set[tuple[str, str]]  # verb, resource
    asked: list[dict[str, Any]]

    def get(self, resource: Resource, namespace: str, name: str) -> Body | None:
        return self.crds.get(name) if resource == CRDS else super().get(resource, namespace, name)

    def create(self, resource: Resource, body: Mapping[str, Any], *, dry_run: bool = False) -> tuple[Body, bool]:
        if not resource.kind.endswith("AccessReview"):
            return super().create(resource, body, dry_run=dry_run)
        self.asked.append(body["spec"])
        wanted = body["spec"]["resourceAttributes"]
        name = "/".join(filter(None, (wanted["resource"], wanted["subresource"])))
        return {**body, "status": {"allowed": (wanted["verb"], name) not in self.refused}}, True


class Patient(Person):
    """A person in front of a world that is well."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.store, self.account, self.trace = world.store, world.account, world.trace
        self.kube = Answering(self.store, self.trace, uid="cluster-uid")
        self.kube.crds = dict(INSTALLED)
        self.kube.refused, self.kube.asked = set(), []
        account = world.account
        account.feeds[EVENTS] = [Feed("tasks", RULE, is_enabled=True, pattern=FAMILY)]
        account.policies[EVENTS] = [LETS_RULE_SEND]
        account.roles |= {
            f"{ROLE}execution": Trust(frozenset({"ecs-tasks.amazonaws.com"})),
            f"{ROLE}reader": Trust(frozenset({"ecs-tasks.amazonaws.com"})),
            f"{ROLE}scheduler": Trust(frozenset({"scheduler.amazonaws.com"})),
        }

    def _connect(self, target: object) -> Answering:
        del target
        return self.kube

    def findings(self, *arguments: str) -> tuple[list[tuple[str, str, str]], int]:
        """(level, message, mend) of what is not ok, and the exit code."""
        told = self("doctor", "-o", "json", *arguments)
        found = json.loads(told.out)["findings"]
        return [(one["level"], one["message"], one.get("mend", "")) for one in found if one["level"] != "ok"], told.code


@pytest.fixture
def world() -> World:
    return settled()


@pytest.fixture
def bgt(world: World, monkeypatch: pytest.MonkeyPatch) -> Patient:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    return Patient(world)


def test_a_world_that_is_well_has_nothing_to_mend(bgt: Patient) -> None:
    told = bgt("doctor")

    assert told.code == 0, told.out
    assert {line.split()[0] for line in told.out.splitlines()} == {"ok"}
    for words in ("CRD backgroundtasks.bgtask.dev", "Your rights", "ECS cluster jobs is ACTIVE", "feeds queue events",
                  "Schedule group bgt-test is of this cluster", "Role execution", "AWS knows you as"):  # fmt: skip
        assert words in told.out


def test_nothing_is_written_to_look(bgt: Patient, world: World) -> None:
    before = len(world.trace.writes)

    bgt("doctor")

    assert len(world.trace.writes) == before


def test_a_crd_that_is_missing_of_another_version_or_not_established_is_found(bgt: Patient) -> None:
    crds = bgt.kube.crds
    del crds["backgroundtasks.bgtask.dev"]
    runs = crds["backgroundtaskruns.bgtask.dev"]
    crds["backgroundtaskruns.bgtask.dev"] = {**runs, "status": {}}
    old = json.loads(json.dumps(crds["launchtemplates.bgtask.dev"]))
    old["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["description"] = "of yesterday"
    crds["launchtemplates.bgtask.dev"] = old

    found, code = bgt.findings()

    assert code == 1
    mend = "bgt crd | kubectl apply --server-side -f -"
    assert ("fail", "It is not installed.", mend) in found
    assert ("warn", "Its fields are those of another version than this bgt's.", mend) in found
    assert (
        "fail",
        "The API server has not established it.",
        "kubectl describe crd backgroundtaskruns.bgtask.dev",
    ) in found


def test_a_crd_that_serves_another_version_only_is_of_no_use(bgt: Patient) -> None:
    crd = json.loads(json.dumps(bgt.kube.crds["backgroundtasks.bgtask.dev"]))
    crd["spec"]["versions"][0]["name"] = "v9"
    bgt.kube.crds["backgroundtasks.bgtask.dev"] = crd

    [(level, message, _)], code = bgt.findings()

    assert (level, code) == ("fail", 1)
    assert message == "It does not serve v1alpha1, but v9."


def test_each_right_is_asked_for_and_of_a_person_a_missing_one_is_only_a_doubt(bgt: Patient) -> None:
    bgt.kube.refused = {("patch", "backgroundtasks/status"), ("delete", "backgroundtaskruns")}

    found, code = bgt.findings()

    assert code == 0
    assert [message for _, message, _ in found] == [
        "No right to delete backgroundtaskruns of bgtask.dev.",
        "No right to patch backgroundtasks/status of bgtask.dev.",
    ]
    assert all("--service-account" in mend for _, _, mend in found)
    assert len(bgt.kube.asked) == sum(len(right.verbs) for right in RIGHTS)


def test_of_the_operators_account_a_missing_right_is_a_fault(bgt: Patient) -> None:
    bgt.kube.refused = {("update", "leases")}

    [(level, message, _)], code = bgt.findings("--service-account", "bgt-system/controller")

    assert (level, code) == ("fail", 1)
    assert message == "No right to update leases of coordination.k8s.io in namespace bgt-system."
    assert {one["user"] for one in bgt.kube.asked} == {"system:serviceaccount:bgt-system:controller"}


@pytest.mark.parametrize("account", ["controller", "a/b/c", "/b"])
def test_a_service_account_without_namespace_is_a_wrong_call(bgt: Patient, account: str) -> None:
    assert bgt("doctor", "--service-account", account).code == 2


def test_what_the_operator_says_of_a_template_is_told(bgt: Patient, world: World) -> None:
    world.account.clusters[CLUSTER] = "INACTIVE"
    world.edit_template(tags={"cost": "1"})
    world.pass_time(5)

    found, code = bgt.findings()

    assert code == 1
    assert [message for _, message, _ in found] == [
        "The operator says ClusterNotActive.",
        "ECS cluster jobs is INACTIVE.",
    ]


def test_a_cluster_that_is_not_there_is_found(bgt: Patient, world: World) -> None:
    world.account.clusters.clear()

    [(level, message, mend)], code = bgt.findings()

    assert (level, code) == ("fail", 1)
    assert (message, mend) == ("There is no ECS cluster jobs in eu-west-1.", "Create it there.")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [({"has_redrive": False}, "QueueWithoutRedrive"), ({"visibility_timeout": 10}, "QueueVisibilityTooShort")],
)
def test_a_queue_that_the_operator_would_refuse_is_found(
    bgt: Patient, world: World, settings: dict[str, Any], reason: str
) -> None:
    for name, value in settings.items():
        setattr(world.account.queues[EVENTS], name, value)

    [(level, message, mend)], code = bgt.findings()

    assert (level, code) == ("fail", 1)
    assert message == f"Queue events: {reason}."
    assert mend


def test_a_queue_that_is_gone_is_found(bgt: Patient, world: World) -> None:
    del world.account.queues[TICKS]

    [(_, message, mend)], _ = bgt.findings()

    assert "QueueNotFound" in message
    assert mend


@pytest.mark.parametrize(
    ("feeds", "policies", "said"),
    [
        ([], [LETS_RULE_SEND], "No EventBridge rule sends to events"),
        ([Feed("tasks", RULE, is_enabled=True, pattern="family:bgt_other_")], [LETS_RULE_SEND], "does not match"),
        ([Feed("tasks", RULE, is_enabled=True, pattern=None)], [LETS_RULE_SEND], "does not match"),
        ([Feed("tasks", RULE, is_enabled=True, pattern=f"{FAMILY}@STOPPED")], [LETS_RULE_SEND], "does not match"),
        ([Feed("tasks", RULE, is_enabled=False, pattern=FAMILY)], [LETS_RULE_SEND], "Rule tasks is disabled."),
        ([Feed("tasks", RULE, is_enabled=True, pattern=FAMILY)], [], "may not send"),
        ([Feed("tasks", f"{RULE}-2", is_enabled=True, pattern=FAMILY)], [LETS_RULE_SEND], "may not send"),
    ],
)
def test_a_rule_that_would_not_feed_the_queue_is_found(
    bgt: Patient, world: World, feeds: list[Feed], policies: list[dict[str, Any]], said: str
) -> None:
    world.account.feeds[EVENTS], world.account.policies[EVENTS] = feeds, policies

    [(level, message, mend)], code = bgt.findings()

    assert (level, code) == ("fail", 1)
    assert said in message
    assert mend


@pytest.mark.parametrize(
    "statement",
    [
        {**LETS_RULE_SEND, "Condition": {"ArnLike": {"AWS:SourceArn": f"arn:aws:events:*:{ACCOUNT}:rule/*"}}},
        {**LETS_RULE_SEND, "Condition": {}},
        {**LETS_RULE_SEND, "Principal": "*", "Action": ["SQS:*"]},
    ],
)
def test_a_policy_may_let_the_rule_in_in_other_words(bgt: Patient, world: World, statement: dict[str, Any]) -> None:
    world.account.policies[EVENTS] = [statement]

    assert bgt.findings() == ([], 0)


@pytest.mark.parametrize(
    ("role", "trust", "said"),
    [
        ("execution", None, "There is no role execution (executionRoleArn)."),
        ("scheduler", Trust(frozenset({"ec2.amazonaws.com"})), "does not trust scheduler.amazonaws.com."),
        ("reader", Trust(), "Role reader (taskRoles.reader) does not trust ecs-tasks.amazonaws.com."),
    ],
)
def test_a_role_that_nobody_could_assume_is_found(
    bgt: Patient, world: World, role: str, trust: Trust | None, said: str
) -> None:
    world.account.roles.pop(f"{ROLE}{role}")
    if trust is not None:
        world.account.roles[f"{ROLE}{role}"] = trust

    [(level, message, _)], code = bgt.findings()

    assert (level, code) == ("fail", 1)
    assert said in message


@pytest.mark.parametrize("method", ["trust", "feeds", "matches", "senders"])
def test_what_may_not_be_looked_at_is_told_with_what_to_grant_and_is_no_fault(
    bgt: Patient, world: World, method: str
) -> None:
    world.account.denied.add(method)

    found, code = bgt.findings()

    assert code == 0
    assert {level for level, _, _ in found} == {"warn"}
    assert {mend for _, _, mend in found} == {f"Grant {method} on * to somebody."}


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"bgtask.dev/cluster": "another"}, "is of another cluster."),
        ({"bgtask.dev/installation": "other"}, "is of installation other."),
    ],
)
def test_a_schedule_group_of_somebody_else_is_found(
    bgt: Patient, world: World, tags: dict[str, str], said: str
) -> None:
    group = f"bgt-{INSTALLATION}"
    world.account.groups[group] |= tags

    [(level, message, _)], code = bgt.findings()

    assert (level, code) == ("fail", 1)
    assert said in message


def test_messages_for_people_are_told(bgt: Patient, world: World) -> None:
    world.account.queues[EVENTS].poisoned = 1

    [(level, message, mend)], code = bgt.findings()

    assert (level, code) == ("warn", 0)
    assert message == "1 messages wait for people in events-poison."
    assert "runbook" in mend


def test_without_credentials_nothing_of_aws_can_be_told(bgt: Patient, world: World) -> None:
    world.trace.fail_next("inspection.caller", Blocked("NoCredentials", "Give some."))

    [(level, message, mend)], code = bgt.findings()

    assert (level, code) == ("fail", 1)
    assert (message, mend) == ("Its AWS cannot be looked at (NoCredentials).", "Give some.")


def test_credentials_of_another_account_are_told_apart(bgt: Patient, world: World) -> None:
    template = world.object(TEMPLATES, "default")
    queues = {key: arn.replace(ACCOUNT, "210987654321") for key, arn in template["spec"]["queues"].items()}
    world.store.replace(TEMPLATES, template, {**template, "spec": {**template["spec"], "queues": queues}})

    [(level, message, mend)], code = bgt.findings()

    assert (level, code) == ("fail", 1)
    assert "OtherAccount" in message
    assert "AWS_PROFILE" in mend


def test_one_sick_template_does_not_hide_another(bgt: Patient, world: World) -> None:
    world.furnish(name="second", cluster="nowhere")
    world.pass_time(5)

    found, _ = bgt.findings()

    assert any("ECS cluster nowhere" in message for _, message, _ in found)
    assert "LaunchTemplate default" in bgt("doctor").out


def test_a_cluster_without_templates_runs_nothing(bgt: Patient, world: World) -> None:
    world.delete()
    world.pass_time(5)
    world.delete(TEMPLATES, "default")
    world.pass_time(5)

    [(level, message, _)], code = bgt.findings()

    assert (level, code) == ("warn", 0)
    assert message == "There is none: no task can run."


def test_where_nothing_tells_the_installation_it_has_to_be_said(bgt: Patient, world: World) -> None:
    template = world.object(TEMPLATES, "default")
    world.store.replace(TEMPLATES, template, {**template, "status": {"observedGeneration": -1}})
    task = world.task()
    world.store.replace(TASKS, task, {**task, "status": {"observedGeneration": -1}})

    [(level, _, mend)], code = bgt.findings()
    told, _ = bgt.findings("--installation", INSTALLATION)

    assert (level, mend, code) == ("fail", "Say it with --installation.", 1)
    assert [message for _, message, _ in told] == ["No operator has looked at it."]


@pytest.mark.parametrize(
    ("holder", "renewed_ago", "level", "said"),
    [
        ("pod-1_x", timedelta(seconds=70), "ok", "pod-1_x leads."),
        ("pod-1_x", timedelta(minutes=12), "fail", "No operator leads: pod-1_x last renewed it 12m ago."),
        ("", timedelta(seconds=1), "fail", "No operator leads: the last one gave it back."),
    ],
)
def test_a_lease_that_nobody_renews_is_found(
    bgt: Patient, holder: str, renewed_ago: timedelta, level: str, said: str
) -> None:
    renewed = (bgt.clock.now - renewed_ago).isoformat()
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": renewed}
    name = {"namespace": "bgt-system", "name": f"bgt-{INSTALLATION}"}
    bgt.store.insert(LEASES, {"metadata": name, "spec": spec})

    told = json.loads(bgt("doctor", "-o", "json", "-n", "bgt-system").out)["findings"]

    about = f"Lease bgt-system/bgt-{INSTALLATION}"
    assert [(one["level"], one["message"]) for one in told if one["about"] == about] == [(level, said)]


def test_where_the_api_server_does_not_answer_nothing_is_well(bgt: Patient, world: World) -> None:
    world.trace.fail_next("kube.*", Busy("Unreachable", "The API server at https://k8s does not answer"), times=99)

    told = bgt("doctor")

    assert (told.err, told.code) == ("Error: The API server at https://k8s does not answer\n", 1)
