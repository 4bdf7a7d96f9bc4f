"""With --account the contract is asked of an account, which is left as it was found; a localaws plays the account."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import localaws
from localaws.running import Running

ROOT = Path(__file__).parents[2]
NUMBER, PLACE = "210987654321", "eu-central-1"
SECONDS = 400
"""For a run of pytest on a loaded machine; alone it takes some seconds."""

pytestmark = pytest.mark.timeout(2 * SECONDS)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Running]:
    """An account with a number and a region that the tests do not know, and something on it that is not theirs."""
    with localaws.start(account=NUMBER, region=PLACE, log=tmp_path / "log") as running:
        running.client("ecs").create_cluster(clusterName="contract")
        running.client("sqs").create_queue(QueueName="work")
        running.control("DELETE", "journal")
        yield running


def asked(*tests: str, **environment: str) -> tuple[int, str]:
    """Run tests with --account: exit code and output of pytest."""
    clean = {name: it for name, it in os.environ.items() if not name.startswith(("AWS_", "BGT_", "PYTEST_"))}
    nothing = {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "1",
    }
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--account", *tests]
    ended = subprocess.run(
        command,
        cwd=ROOT,
        env=clean | nothing | environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return ended.returncode, ended.stdout + ended.stderr


def holdings(aws: Running) -> dict[str, list[Any]]:
    """All that an account holds, as far as the contract makes it."""
    ecs, scheduler = aws.client("ecs"), aws.client("scheduler")
    revisions = [ecs.list_task_definitions(status=status)["taskDefinitionArns"] for status in ("ACTIVE", "INACTIVE")]
    groups = scheduler.list_schedule_groups()["ScheduleGroups"]
    return {
        "clusters": [arn.rpartition("/")[2] for arn in ecs.list_clusters()["clusterArns"]],
        "revisions": [*itertools.chain(*revisions)],
        "groups": [group["Name"] for group in groups if group["State"] == "ACTIVE"],
        "schedules": scheduler.list_schedules()["Schedules"],
        "queues": [url.rpartition("/")[2] for url in aws.client("sqs").list_queues().get("QueueUrls", [])],
        "rules": aws.client("events").list_rules()["Rules"],
        "roles": aws.client("iam").list_roles()["Roles"],
        "logs": aws.client("logs").describe_log_groups()["logGroups"],
        "secrets": aws.client("secretsmanager").list_secrets()["SecretList"],
    }


FOUND: dict[str, list[Any]] = {
    **{kind: [] for kind in ("revisions", "schedules", "rules", "roles", "logs", "secrets")},
    "clusters": ["contract"],
    "groups": ["default"],
    "queues": ["work"],
}


def test_an_account_is_asked_under_names_of_its_own_and_left_as_it_was_found(elsewhere: Running) -> None:
    life = "tests/aws/test_ecs_contract_life.py"
    code, said = asked(
        f"{life}::test_a_task_runs_its_command_and_tells_its_exit_code",
        f"{life}::test_a_secret_is_taken_by_json_key_version_stage_and_version_id",
        f"{life}::test_only_spot_is_interrupted",
        "tests/aws/test_scheduler_contract_groups.py",
        "tests/aws/test_sqs_contract.py",
        "tests/aws/test_events_contract.py::test_a_rule_with_targets_cannot_be_deleted",
        "tests/aws/test_localaws_core.py::test_it_ends_with_the_process_that_started_it",
        **{**elsewhere.environment, "BGT_CONTRACT_SUBNET": "subnet-0abc"},
        BGT_CONTRACT_EXECUTION_ROLE=f"arn:aws:iam::{NUMBER}:role/theirs",
    )

    assert code == 0, said
    assert f"account {NUMBER} in {PLACE} is asked" in said
    assert "marked localaws_only, 1 without a source" in said
    assert holdings(elsewhere) == FOUND
    (ran,) = elsewhere.journal(operation="RunTask")[:1]
    assert ran["params"]["cluster"].startswith("bgtct-")
    assert ran["params"]["networkConfiguration"]["awsvpcConfiguration"]["subnets"] == ["subnet-0abc"]
    roles = {call["params"]["executionRoleArn"] for call in elsewhere.journal(operation="RegisterTaskDefinition")}
    assert roles == {f"arn:aws:iam::{NUMBER}:role/theirs"}


def test_an_account_is_left_as_it_was_found_where_a_test_fails(elsewhere: Running) -> None:
    elsewhere.fault("error", "ecs", "DescribeTasks", code="AccessDeniedException", status=400)

    code, said = asked(
        "tests/aws/test_ecs_contract_life.py::test_a_task_runs_its_command_and_tells_its_exit_code",
        **elsewhere.environment,
    )

    assert (code, "AccessDeniedException" in said) == (1, True), said
    assert len(elsewhere.journal(operation="RunTask", outcome="ok")) == 1
    assert holdings(elsewhere) == FOUND


def test_without_an_account_it_fails_at_once_and_says_what_to_set(elsewhere: Running) -> None:
    test = "tests/aws/test_sqs_contract.py"
    refused = {**elsewhere.environment, "AWS_REGION": PLACE}
    elsewhere.fault("error", "sts", "*", code="InvalidClientTokenId", message="unknown key", status=403)

    nowhere = asked(test)
    unsigned = asked(test, AWS_REGION=PLACE)
    unknown = asked(test, **refused)

    assert [code for code, _ in (nowhere, unsigned, unknown)] == [pytest.ExitCode.USAGE_ERROR] * 3
    assert "--account needs a region: set AWS_REGION" in nowhere[1]
    assert "--account needs credentials of AWS: set AWS_PROFILE" in unsigned[1]
    assert "AWS did not say which this is: " in unknown[1]
    assert elsewhere.journal(service="sqs") == []
