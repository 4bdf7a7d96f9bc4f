"""From what a user wrote to what AWS has to hold, and what a LaunchTemplate refuses."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backgroundtask.errors import Rejected
from backgroundtask.plan.changes import Desired
from backgroundtask.plan.checks import refuse_namespace
from backgroundtask.plan.definition import Logs
from backgroundtask.plan.desired import desired, logs
from backgroundtask.plan.firing import too_late_at
from backgroundtask.plan.names import Owner
from backgroundtask.plan.schedule import Placement
from backgroundtask.plan.scheduler import to_scheduler
from backgroundtask.plan.site import Site, schedule_group
from fixtures.objects import ACCOUNT, CLUSTER, REGION, TASK_UID, task, template

OWNER = Owner("test", "reports", "nightly")
SECRETS = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret"
PAIR = "0 3 1 * 1"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def site(**spec: Any) -> Site:
    return Site(template="default", spec=template(**spec).spec, cluster=CLUSTER, group="bgt-test")


def wish(*, owner: Owner = OWNER, at: Site | None = None, now: datetime = NOW, **spec: Any) -> Desired:
    return desired(owner, TASK_UID, task(**spec).spec, at or site(), now=now)


def with_secret(reference: str, *, patterns: list[str], namespace: str = "reports") -> Desired:
    kind = "secretsManager" if ":secretsmanager:" in reference else "ssmParameter"
    env = [{"name": "SECRET", "valueFrom": {kind: reference}}]
    owner = Owner("test", namespace, "nightly")
    return wish(owner=owner, at=site(secrets=patterns, namespaces=["*"]), env=env)


def refusal(**spec: Any) -> Rejected:
    with pytest.raises(Rejected) as caught:
        wish(**spec)
    return caught.value


def test_a_task_becomes_a_definition_with_all_that_its_template_gives() -> None:
    spec: dict[str, Any] = {
        "command": ["python", "-m", "reports"],
        "entryPoint": ["tini", "--"],
        "env": [
            {"name": "REGION", "value": "emea"},
            {"name": "EMPTY", "value": ""},
            {"name": "DB", "valueFrom": {"ssmParameter": "/reports/db"}},
            {"name": "KEY", "valueFrom": {"secretsManager": f"{SECRETS}:reports/key-AbCdEf:json-key::"}},
        ],
        "taskRole": "reader",
        "cpuArchitecture": "ARM64",
        "ephemeralStorageGiB": 40,
        "terminationGracePeriodSeconds": 90,
        "tags": {"team": "reports", "cost": "1"},
    }

    wanted = wish(at=site(tags={"cost": "2", "stage": "test"}, logs={"group": "/g", "mode": "blocking"}), **spec)

    found = wanted.definition
    assert found.owner == OWNER
    assert (found.image, found.cpu, found.memory) == ("reports:1.4", 256, 512)
    assert (found.command, found.entry_point) == (("python", "-m", "reports"), ("tini", "--"))
    assert found.env == {"REGION": "emea", "EMPTY": ""}
    assert found.secrets == {"DB": "/reports/db", "KEY": f"{SECRETS}:reports/key-AbCdEf:json-key::"}
    assert found.task_role == f"arn:aws:iam::{ACCOUNT}:role/reader"
    assert found.execution_role == f"arn:aws:iam::{ACCOUNT}:role/execution"
    assert (found.architecture, found.storage, found.stop_timeout) == ("ARM64", 40, 90)
    assert found.logs == Logs(group="/g", region=REGION, stream_prefix="reports/nightly", mode="blocking")
    assert found.tags == {"team": "reports", "cost": "2", "stage": "test"}, "of two the template's counts"
    assert wanted.uid == TASK_UID
    assert wanted.owner == "test/reports/nightly"


def test_a_task_without_a_role_gets_none() -> None:
    assert wish().definition.task_role is None


def test_a_schedule_carries_everything_that_scheduler_has_to_know() -> None:
    (schedule,) = wish(cron="0 3 * * *", timeZone="Europe/Berlin").schedules

    assert schedule.name == OWNER.schedule_name(0)
    assert schedule.group == "bgt-test"
    assert schedule.expression == "cron(0 3 * * ? *)"
    assert schedule.time_zone == "Europe/Berlin"
    assert schedule.enabled
    assert schedule.role == f"arn:aws:iam::{ACCOUNT}:role/scheduler"
    assert schedule.dead_letters == f"arn:aws:sqs:{REGION}:{ACCOUNT}:ticks"
    assert (schedule.owner, schedule.uid) == (str(OWNER), TASK_UID)
    assert schedule.request["cluster"] == CLUSTER
    assert schedule.request["clientToken"] == f"{OWNER.token_prefix}<aws.scheduler.scheduled-time>"
    (override,) = schedule.request["overrides"]["containerOverrides"]
    assert override["environment"] == [
        {"name": "BGT_TASK_UID", "value": TASK_UID},
        {"name": "BGT_SCHEDULED_TIME", "value": "<aws.scheduler.scheduled-time>"},
    ]
    assert schedule.definition_arn == "", "which revision it starts is known only once there is one"


def test_day_of_month_or_day_of_week_are_two_schedules_that_launch_with_one_request() -> None:
    first, second = wish(cron=PAIR).schedules

    assert (first.name, second.name) == OWNER.schedule_names
    assert [first.expression, second.expression] == ["cron(0 3 1 * ? *)", "cron(0 3 ? * MON *)"]
    assert to_scheduler(first)["Target"] == to_scheduler(second)["Target"]


def test_without_cron_there_is_no_schedule() -> None:
    assert wish(cron=None).schedules == ()


@pytest.mark.parametrize("cron", ["0 3 * * *", PAIR])
def test_a_suspended_task_keeps_its_schedules_switched_off(cron: str) -> None:
    suspended = wish(cron=cron, suspend=True)

    assert [one.enabled for one in suspended.schedules] == [False] * len(wish(cron=cron).schedules)


def test_the_place_is_the_templates_whatever_the_order_it_was_written_in() -> None:
    subnets, groups = [f"subnet-0000000{n}" for n in (2, 1)], [f"sg-0000000{n}" for n in (2, 1)]
    providers = [
        {"capacityProvider": "FARGATE_SPOT", "weight": 3},
        {"capacityProvider": "FARGATE", "weight": 1, "base": 2},
    ]

    one = site(
        network={"subnets": subnets, "securityGroups": groups, "assignPublicIp": True},
        capacityProviderStrategy=providers,
        platformVersion="1.4.0",
    )

    assert one.placement == Placement(
        cluster=CLUSTER,
        subnets=("subnet-00000001", "subnet-00000002"),
        security_groups=("sg-00000001", "sg-00000002"),
        public_ip=True,
        providers=(("FARGATE", 1, 2), ("FARGATE_SPOT", 3, 0)),
        platform_version="1.4.0",
    )


def test_the_schedule_group_is_the_templates_or_else_the_installations() -> None:
    assert schedule_group(template().spec, "test") == "bgt-test"
    assert schedule_group(template(scheduleGroup="nights").spec, "test") == "nights"


def test_the_output_of_a_task_goes_where_its_template_says() -> None:
    place = logs(OWNER, template().spec)

    assert place == Logs(group="/bgt/test", region=REGION, stream_prefix="reports/nightly", mode=None)


@given(order=st.permutations(range(4)))
def test_the_same_wish_in_another_order_is_the_same_wish(order: list[int]) -> None:
    env = [{"name": f"V{n}", "value": str(n)} for n in range(4)]
    subnets = [f"subnet-0000000{n}" for n in range(4)]
    tags = [f"tag-{n}" for n in range(4)]

    shuffled = wish(
        at=site(network={"subnets": [subnets[n] for n in order]}),
        env=[env[n] for n in order],
        tags={tags[n]: "" for n in order},
    )

    assert shuffled.digest == wish(at=site(network={"subnets": subnets}), env=env, tags=dict.fromkeys(tags, "")).digest


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"image": "reports:1.5"}, "another definition"),
        ({"cron": "0 4 * * *"}, "another time"),
        ({"cron": None}, "no time"),
        ({"timeZone": "Europe/Berlin"}, "another zone"),
        ({"suspend": True}, "switched off"),
        ({"at": site(network={"subnets": ["subnet-00000009"]})}, "another network"),
        ({"at": site(schedulerRoleArn=f"arn:aws:iam::{ACCOUNT}:role/other")}, "another launcher"),
        ({"at": Site(template="default", spec=template().spec, cluster=CLUSTER, group="other")}, "another group"),
    ],
)
def test_another_wish_has_another_digest(change: dict[str, Any], why: str) -> None:
    assert wish(**change).digest != wish().digest, why


def test_what_is_only_for_people_or_for_the_history_is_no_other_wish() -> None:
    told = wish(description="for the board", successfulRunsHistoryLimit=9, failedRunsHistoryLimit=9)

    assert told.digest == wish().digest


@pytest.mark.parametrize(
    ("namespaces", "namespace", "why"),
    [
        ([], "reports", "an empty list is nobody"),
        (["billing"], "reports", "another namespace"),
        (["report"], "reports", "the beginning of a name is not the name"),
        (["reports-test"], "reports", "nor is a name that begins so"),
    ],
)
def test_a_namespace_that_the_template_does_not_list_is_refused(
    namespaces: list[str], namespace: str, why: str
) -> None:
    with pytest.raises(Rejected) as caught:
        wish(owner=Owner("test", namespace, "nightly"), at=site(namespaces=namespaces))

    assert caught.value.reason == "NamespaceNotAllowed", why
    assert caught.value.message == (
        "LaunchTemplate default does not list namespace reports in spec.namespaces: ask its owner to add it, "
        "or name another template."
    )


@pytest.mark.parametrize("namespaces", [["reports"], ["billing", "reports"], ["*"], ["billing", "*"]])
def test_a_namespace_that_the_template_lists_may_use_it(namespaces: list[str]) -> None:
    refuse_namespace("reports", "default", template(namespaces=namespaces).spec)

    assert wish(at=site(namespaces=namespaces)).schedules


@pytest.mark.parametrize(
    ("role", "offered", "hint", "why"),
    [
        ("readr", ["reader", "writer"], "did you mean reader?", "a near match is named"),
        ("Reader", ["reader"], "did you mean reader?", "names have one spelling"),
        ("admin", ["writer", "reader"], "it offers reader, writer.", "nothing is near: all that there is, in order"),
        ("admin", [], "it offers none.", "nothing is offered"),
    ],
)
def test_a_role_that_the_template_does_not_offer_is_refused(role: str, offered: list[str], hint: str, why: str) -> None:
    roles = {name: f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in offered}

    error = refusal(at=site(taskRoles=roles), taskRole=role)

    assert error.reason == "TaskRoleNotOffered", why
    assert error.message == f"LaunchTemplate default offers no task role named {role}: {hint}", why


@pytest.mark.parametrize(
    ("pattern", "reference", "why"),
    [
        ("/reports/db", "/reports/db", "the very name"),
        ("/{namespace}/*", "/reports/db", "the namespace's own folder"),
        ("/{namespace}/*", "/reports/a/b/c", "* stands for any text"),
        ("/{namespace}/*/{namespace}", "/reports/a/reports", "the placeholder counts wherever it stands"),
        ("/shared*", "/shared", "* stands for no text, too"),
        ("*", "plain", "* alone is everything"),
        ("/a.b/*", "/a.b/d", "no other character is special"),
        (f"{SECRETS}:{{namespace}}/*", f"{SECRETS}:reports/db-AbCdEf", "a secret of the namespace"),
        (f"{SECRETS}:reports/db-AbCdEf", f"{SECRETS}:reports/db-AbCdEf:key:AWSCURRENT:", "a key of an allowed secret"),
        ("arn:aws:secretsmanager:*:secret:{namespace}/*", f"{SECRETS}:reports/db-AbCdEf", "one * for two parts"),
        (
            f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/{{namespace}}/*",
            f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/reports/db",
            "a parameter by its ARN",
        ),
    ],
)
def test_a_secret_inside_a_pattern_is_allowed_and_handed_on_as_it_is(pattern: str, reference: str, why: str) -> None:
    found = with_secret(reference, patterns=["/nobody/else", pattern])

    assert found.definition.secrets == {"SECRET": reference}, why


@pytest.mark.parametrize(
    ("pattern", "reference", "why"),
    [
        ("/{namespace}/*", "/reports-ab/db", "a namespace whose name begins alike"),
        ("/{namespace}/*", "/reports", "the folder itself is no secret in it"),
        ("/{namespace}/*", "/billing/reports/db", "in another's folder"),
        ("/{namespace}/*", "reports/db", "another name, without the slash"),
        ("/{namespace}/*", f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/reports/db", "a name allows no ARN"),
        ("/reports/db", "/reports/db2", "longer than the very name"),
        ("/reports/db", "/reports/d", "shorter than the very name"),
        ("/a.b/*", "/axb/d", "a dot is a dot"),
        ("/reports/db", "/Reports/db", "letters have a case"),
        (f"{SECRETS}:{{namespace}}/*", f"{SECRETS}:reports2/db-AbCdEf", "a namespace whose name begins alike"),
        (
            f"{SECRETS}:{{namespace}}/*",
            f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:reports/db-AbCdEf",
            "another region",
        ),
        (
            "arn:aws:secretsmanager:*:*:secret:{namespace}/*",
            f"{SECRETS}:billing-AbCdEf:secret:reports/x:",
            "another's secret, its key and version named so that the ARN looks like one of ours",
        ),
        (
            "arn:aws:secretsmanager:*:secret:*/{namespace}/*",
            f"{SECRETS}:billing-AbCdEf:x/reports/y::",
            "another's secret, its key named like our folder",
        ),
    ],
)
def test_a_secret_outside_of_every_pattern_is_refused(pattern: str, reference: str, why: str) -> None:
    with pytest.raises(Rejected) as caught:
        with_secret(reference, patterns=["/nobody/else", pattern])

    assert caught.value.reason == "SecretNotAllowed", why
    assert caught.value.message == (
        "The secret of env variable SECRET matches none of spec.secrets of LaunchTemplate default for namespace "
        "reports: use one that it allows, or ask its owner."
    )


def test_a_template_without_patterns_allows_no_secret() -> None:
    with pytest.raises(Rejected, match="SECRET"):
        with_secret("/reports/db", patterns=[])


def test_the_placeholder_is_the_namespace_of_the_task_that_asks() -> None:
    patterns = ["/{namespace}/*"]

    assert with_secret("/billing/db", patterns=patterns, namespace="billing").definition.secrets
    with pytest.raises(Rejected):
        with_secret("/billing/db", patterns=patterns, namespace="reports")


@pytest.mark.parametrize(
    ("spec", "reason", "words"),
    [
        ({"cron": "0 25 * * *"}, "InvalidSchedule", "25"),
        ({"cron": "0 0 30 2 *"}, "InvalidSchedule", "never runs"),
        ({"cron": "@reboot"}, "InvalidSchedule", "@reboot"),
        ({"cron": "rate(0 minutes)"}, "InvalidSchedule", "rate"),
        ({"timeZone": "Europe/Berln"}, "UnknownTimeZone", "Europe/Berlin"),
        ({"timeZone": "Europe/Berln", "cron": "rate(5 minutes)"}, "UnknownTimeZone", "Europe/Berlin"),
    ],
)
def test_a_schedule_that_aws_cannot_keep_is_refused(spec: dict[str, Any], reason: str, words: str) -> None:
    error = refusal(**spec)

    assert error.reason == reason
    assert words in error.message


def test_a_suspended_task_whose_schedule_cannot_be_kept_is_refused_all_the_same() -> None:
    assert refusal(cron="0 25 * * *", suspend=True).reason == "InvalidSchedule"


def numbered(prefix: str, count: int) -> dict[str, str]:
    return {f"{prefix}-{number}": "" for number in range(count)}


def test_as_many_tags_as_ecs_has_room_for_beside_our_marks_are_taken() -> None:
    assert len(wish(at=site(tags=numbered("theirs", 6)), tags=numbered("own", 40)).definition.tags) == 46


@pytest.mark.parametrize("theirs", [7, 40])
def test_more_tags_than_ecs_has_room_for_are_refused(theirs: int) -> None:
    error = refusal(at=site(tags=numbered("theirs", theirs)), tags=numbered("own", 40))

    assert error.reason == "TooManyTags"
    assert error.message == (
        f"spec.tags and the tags of LaunchTemplate default are {40 + theirs} together, and ECS has room for 46: "
        f"remove {theirs - 6}."
    )


def test_tags_that_template_and_task_share_are_counted_once() -> None:
    tags = {f"tag-{n}": "own" for n in range(40)}

    assert wish(at=site(tags=dict.fromkeys(tags, "template")), tags=tags).definition.tags == dict.fromkeys(
        tags, "template"
    )


def test_no_refusal_tells_a_value_of_env_or_the_name_of_a_secret() -> None:
    env = [
        {"name": "PASSWORD", "value": "hunter2"},
        {"name": "SECRET", "valueFrom": {"ssmParameter": "/billing/hunter3"}},
    ]

    error = refusal(env=env)

    assert "hunter" not in error.message


@pytest.mark.parametrize(
    ("now", "enabled", "why"),
    [
        ("2026-11-21T10:59:00+00:00", True, "its slot is still to come"),
        ("2026-11-21T11:49:59+00:00", True, "ECS still knows the token of a run that has started"),
        ("2026-11-21T11:50:00+00:00", False, "an edit from now on would run the job a second time"),
    ],
)
def test_a_one_time_schedule_is_switched_off_once_its_slot_is_too_late_to_run(
    now: str, *, enabled: bool, why: str
) -> None:
    moment = datetime.fromisoformat(now)

    [schedule] = wish(cron="at(2026-11-21T12:00:00)", timeZone="Europe/Berlin", now=moment).schedules

    assert schedule.enabled is enabled, why


def test_only_a_one_time_schedule_is_ever_too_late() -> None:
    assert too_late_at(task(cron="at(2026-11-21T12:00:00)").spec) == datetime(2026, 11, 21, 12, 50, tzinfo=UTC)
    assert [too_late_at(task(cron=cron).spec) for cron in (None, "@daily", "rate(5 minutes)")] == [None] * 3
