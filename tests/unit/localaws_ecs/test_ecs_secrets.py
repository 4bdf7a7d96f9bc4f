"""Secrets of a container: where they come from, and what happens where they are not."""

from __future__ import annotations

import pytest

from fixtures.ecs_world import ROLE, Ecs, awslogs, container, job

pytestmark = pytest.mark.timeout(10)  # real processes, perhaps on a busy machine

ASM = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-a1b2c3"
SSM = "arn:aws:ssm:eu-west-1:123456789012:parameter"


def run_with(ecs: Ecs, value_from: str) -> dict[str, object]:
    secret = {"name": "PASSWORD", "valueFrom": value_from}
    prints = container("sh", "-c", "echo $PASSWORD", secrets=[secret], logConfiguration=awslogs())
    ecs.world.groups["/bgt/reports"] = {}
    ecs.ready()
    ecs("RegisterTaskDefinition", **job(prints, executionRoleArn=ROLE))
    return ecs.finish(ecs.run())


FOUND = [
    (ASM, "whole", "the ARN of a secret"),
    (f"{ASM}:user:AWSCURRENT:", "reports", "a key of a secret that is JSON"),
    (f"{ASM}:port::", "5432", "a value that is no text"),
    (f"{SSM}/db/password", "nested", "the ARN of a parameter of several levels"),
    (f"{SSM}/simple", "flat", "the ARN of a parameter without a slash in its name"),
    ("/db/password", "nested", "the name of a parameter of the same region"),
]


@pytest.mark.parametrize(("value_from", "expected", "why"), FOUND, ids=[row[2] for row in FOUND])
def test_a_secret_becomes_a_variable(ecs: Ecs, value_from: str, expected: str, why: str) -> None:
    whole = "whole" if value_from == ASM else '{"user": "reports", "port": 5432}'
    ecs.world.secrets[ASM] = {"SecretString": whole}
    ecs.world.parameters |= {"/db/password": "nested", "simple": "flat"}

    run_with(ecs, value_from)

    assert list(ecs.world.groups["/bgt/reports"].values()) == [[expected]], why


def test_a_binary_secret_stops_the_task_although_its_bytes_are_text(ecs: Ecs) -> None:
    ecs.world.secrets[ASM] = {"SecretBinary": b"bytes"}

    ended = run_with(ecs, ASM)

    assert ended["stopCode"] == "TaskFailedToStart"
    assert f"the secret with ARN '{ASM}' has no SecretString" in str(ended["stoppedReason"])


MISSING = [
    (f"{ASM}x", "retrieve the secret with ARN", "no such secret"),
    (f"{ASM}:pass::", "did not contain json key pass", "no such key"),
    ("/no/parameter", "invalid ssm parameters: /no/parameter", "no such parameter"),
]


@pytest.mark.parametrize(("value_from", "words", "why"), MISSING, ids=[row[2] for row in MISSING])
def test_a_missing_secret_stops_the_task_as_resource_initialization_error(
    ecs: Ecs, value_from: str, words: str, why: str
) -> None:
    ecs.world.secrets[ASM] = {"SecretString": '{"user": "hidden-value"}'}

    ended = run_with(ecs, value_from)

    reason = ended["stoppedReason"]
    assert ended["stopCode"] == "TaskFailedToStart", why
    assert reason.startswith("ResourceInitializationError: unable to pull secrets or registry auth: ")
    assert words in reason
    assert "exitCode" not in ended["containers"][0]
    assert "hidden-value" not in str(ecs.world.events)


def test_a_secret_that_is_no_json_is_not_quoted(ecs: Ecs) -> None:
    ecs.world.secrets[ASM] = {"SecretString": "hidden-value"}

    ended = run_with(ecs, f"{ASM}:user::")

    assert "is not a JSON object" in ended["stoppedReason"]
    assert "hidden-value" not in str(ecs.world.events)


def test_values_of_secrets_appear_in_no_event_and_no_answer(ecs: Ecs) -> None:
    ecs.world.secrets[ASM] = {"SecretString": "hidden-value"}

    ended = run_with(ecs, ASM)

    assert ended["containers"][0]["exitCode"] == 0
    assert "hidden-value" not in f"{ended}{ecs.world.events}"
