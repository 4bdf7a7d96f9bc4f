"""How a task stands: by the container that is ours, and with a word for every way in which ECS ends one."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backgroundtask.aws.tasks import task_of
from backgroundtask.plan.outcome import Outcome, Task, outcome, plain

TASK = Task(
    arn="arn:aws:ecs:eu-west-1:123456789012:task/jobs/0123abcd",
    definition_arn="arn:aws:ecs:eu-west-1:123456789012:task-definition/bgt_prod_reports_nightly:7",
    version=3,
    last_status="RUNNING",
    desired_status="RUNNING",
)
STARTED = datetime(2026, 11, 21, 3, 0, 30, tzinfo=UTC)
STOP_CODES = [
    None,
    "TaskFailedToStart",
    "EssentialContainerExited",
    "UserInitiated",
    "ServiceSchedulerInitiated",
    "SpotInterruption",
    "TerminationNotice",
    "InfrastructureHealth",
    "NewerThanWeAre",
]
INIT = "ResourceInitializationError:"
PULL = f"{INIT} unable to pull secrets or registry auth:"
EXITED = "Essential container in task exited"
RETIRED = "ECS is performing maintenance on the underlying infrastructure hosting the task."
LOG = "Its log, at status.logs, says why."


def stopped(**seen: Any) -> Outcome:
    return outcome(replace(TASK, last_status="STOPPED", desired_status="STOPPED", **seen))


@pytest.mark.parametrize(
    ("status", "started", "phase", "why"),
    [
        ("PROVISIONING", None, "Launching", "ECS makes its network interface"),
        ("PENDING", None, "Launching", "ECS pulls its image"),
        ("ACTIVATING", None, "Launching", "not yet there for others"),
        ("RUNNING", STARTED, "Running", "it runs"),
        ("RUNNING", None, "Running", "the status says so, even without a time"),
        ("DEACTIVATING", STARTED, "Running", "it ran; how it ends is known at STOPPED"),
        ("STOPPING", STARTED, "Running", "SIGTERM was sent"),
        ("DEPROVISIONING", STARTED, "Running", "its containers are gone, its exit code is not told yet"),
        ("DEPROVISIONING", None, "Launching", "it never started, so it never runs"),
        ("STOPPING", None, "Launching", "stopped before it started"),
        ("HIBERNATING", None, "Launching", "a status that ECS may have one day, before the start"),
        ("HIBERNATING", STARTED, "Running", "and after it"),
    ],
)
def test_a_task_that_has_not_ended_launches_until_it_has_started(
    status: str, started: datetime | None, phase: str, why: str
) -> None:
    seen = outcome(replace(TASK, last_status=status, started_at=started))

    assert (seen.phase, seen.reason) == (phase, phase), why
    assert seen.message.endswith(".")


@pytest.mark.parametrize("status", ["PROVISIONING", "PENDING", "RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING"])
def test_an_exit_code_ends_nothing_before_the_task_has_stopped(status: str) -> None:
    seen = outcome(replace(TASK, last_status=status, exit_code=0, stop_code="EssentialContainerExited"))

    assert seen.phase in {"Launching", "Running"}


@pytest.mark.parametrize("status", ["STOPPED", "DELETED"])
def test_a_task_has_ended_when_ecs_has_nothing_more_to_tell(status: str) -> None:
    seen = outcome(replace(TASK, last_status=status, exit_code=0))

    assert seen == Outcome(phase="Succeeded", reason="Succeeded", message="The container exited with code 0.")


@given(
    code=st.sampled_from(STOP_CODES),
    exit_code=st.none() | st.integers(0, 255),
    stopped_reason=st.text(max_size=40),
    container_reason=st.text(max_size=40),
)
def test_only_exit_code_0_is_success_and_only_where_nothing_cut_the_task_short(
    code: str | None, exit_code: int | None, stopped_reason: str, container_reason: str
) -> None:
    seen = stopped(
        stop_code=code, exit_code=exit_code, stopped_reason=stopped_reason, container_reason=container_reason
    )

    succeeded = exit_code == 0 and code in {None, "EssentialContainerExited", "NewerThanWeAre"}
    assert seen.phase == ("Succeeded" if succeeded else "Failed")
    assert seen.reason.isalnum()
    assert seen.message.isprintable()


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        ({"stop_code": "EssentialContainerExited", "exit_code": 3, "stopped_reason": EXITED}, "NonZeroExitCode"),
        ({"stop_code": "EssentialContainerExited", "exit_code": 137, "stopped_reason": EXITED}, "NonZeroExitCode"),
        ({"stop_code": None, "exit_code": 1}, "NonZeroExitCode"),
        ({"stop_code": "NewerThanWeAre", "exit_code": 1}, "NonZeroExitCode"),
        (
            {
                "stop_code": "EssentialContainerExited",
                "exit_code": 137,
                "stopped_reason": EXITED,
                "container_reason": "OutOfMemoryError: Container killed due to memory usage",
            },
            "OutOfMemory",
        ),
        (
            {
                "stop_code": "EssentialContainerExited",
                "stopped_reason": "OutOfMemoryError: container killed due to high memory usage",
            },
            "OutOfMemory",
        ),
        ({"stop_code": "SpotInterruption", "stopped_reason": "Your Spot Task was interrupted."}, "SpotInterruption"),
        ({"stop_code": "SpotInterruption", "exit_code": 143}, "SpotInterruption"),
        ({"stop_code": "SpotInterruption", "exit_code": 0}, "SpotInterruption"),
        ({"stop_code": "TerminationNotice", "exit_code": 0}, "SpotInterruption"),
        ({"stop_code": "InfrastructureHealth", "exit_code": 137}, "InfrastructureFailed"),
        ({"stop_code": "UserInitiated", "exit_code": 143, "stopped_reason": "Task stopped by user"}, "Stopped"),
        ({"stop_code": "UserInitiated", "stopped_reason": "Task stopped by user"}, "Stopped"),
        ({"stop_code": "UserInitiated", "exit_code": 0, "stopped_reason": "Task stopped by user"}, "Stopped"),
        ({"stop_code": "InfrastructureHealth", "exit_code": 0}, "InfrastructureFailed"),
        ({"stop_code": None, "exit_code": 0, "stopped_reason": RETIRED}, "InfrastructureFailed"),
        ({"stop_code": "ServiceSchedulerInitiated", "stopped_reason": RETIRED}, "InfrastructureFailed"),
        ({"stop_code": "NewerThanWeAre", "exit_code": 143, "stopped_reason": RETIRED}, "InfrastructureFailed"),
        ({"stop_code": "UserInitiated", "exit_code": 143, "stopped_reason": RETIRED}, "Stopped"),
        (
            {"stop_code": "UserInitiated", "stopped_reason": "BackgroundTask reports/retrieve secret was deleted"},
            "Stopped",
        ),
        ({"stop_code": "UserInitiated", "stopped_reason": "OutOfMemory, said Ann", "exit_code": 1}, "Stopped"),
        ({"stop_code": "ServiceSchedulerInitiated", "exit_code": 143}, "Stopped"),
        ({"stop_code": "EssentialContainerExited", "stopped_reason": EXITED}, "ExitCodeMissing"),
        ({"stop_code": None}, "ExitCodeMissing"),
        ({"stop_code": "TaskFailedToStart"}, "FailedToStart"),
        ({"stop_code": "TaskFailedToStart", "exit_code": 0}, "FailedToStart"),
        ({"stop_code": "TaskFailedToStart", "exit_code": 1}, "FailedToStart"),
    ],
    ids=str,
)
def test_every_end_has_its_word(seen: dict[str, Any], reason: str) -> None:
    end = stopped(**seen)

    assert (end.phase, end.reason) == ("Failed", reason)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("CannotPullContainerError: pull image manifest has been retried 5 time(s): i/o timeout", "ImagePullFailed"),
        ("CannotPullImageManifestError: Error response from daemon: manifest unknown", "ImagePullFailed"),
        ("CannotPullECRContainerError: AccessDeniedException", "ImagePullFailed"),
        ("CannotPullContainerError: secrets-sync: unable to retrieve secret from asm", "ImagePullFailed"),
        (
            f"{PULL} execution resource retrieval failed: unable to retrieve ecr registry auth: no route",
            "ImagePullFailed",
        ),
        (
            f"{PULL} execution resource retrieval failed: unable to retrieve secret from asm: AccessDenied",
            "SecretUnavailable",
        ),
        (
            "ResourceInitializationError: unable to retrieve secrets from ssm: invalid parameters: /reports/db",
            "SecretUnavailable",
        ),
        (f"{PULL} no route", "SecretUnavailable"),
        (f"{PULL} The task cannot pull registry auth from Amazon ECR: There is a connection issue", "ImagePullFailed"),
        (f"{PULL} execution resource retrieval failed: unable to get registry auth from asm", "SecretUnavailable"),
        (
            f"{PULL} unable to retrieve secrets from ssm: The task cannot pull secrets from AWS Systems Manager.",
            "SecretUnavailable",
        ),
        (f"{INIT} The task can't retrieve the secret with ARN 'x' from AWS Secrets Manager.", "SecretUnavailable"),
        (f"{INIT} The task can't pull the secret from Secrets Manager.", "SecretUnavailable"),
        (
            f"{INIT} failed to validate logger args: The task cannot find the Amazon CloudWatch log group",
            "ResourceInitializationFailed",
        ),
        ("ECS was unable to assume the role 'nightly' that was provided for this task.", "RoleNotAssumable"),
        (
            'CannotStartContainerError: ResourceInitializationError: runtime task: exec: "retrieve secret": not found',
            "ContainerCannotStart",
        ),
        ("CannotCreateContainerError: invalid mount", "ContainerCannotStart"),
        ("Timeout waiting for network interface provisioning to complete.", "NetworkUnavailable"),
        (
            "Unexpected EC2 error while attempting to Create Network Interface in subnet 'subnet-1': AuthFailure",
            "NetworkUnavailable",
        ),
        ("Timeout waiting for EphemeralStorage provisioning to complete.", "StorageUnavailable"),
        ("Subnet subnet-1 does not have enough free addresses to satisfy the request.", "NetworkUnavailable"),
        (
            'ResourceInitializationError: failed to invoke EFS utils commands: Failed to resolve "fs-01234567.efs"',
            "FileSystemUnavailable",
        ),
        (
            "ResourceInitializationError: failed to validate logger args: no such log group",
            "ResourceInitializationFailed",
        ),
        ("Capacity is unavailable at this time. Please try again later", "CapacityUnavailable"),
        ("Something that ECS says one day", "FailedToStart"),
    ],
)
@pytest.mark.parametrize("where", ["stopped_reason", "container_reason"])
def test_a_task_that_failed_to_start_is_told_by_what_ecs_says_of_it(words: str, reason: str, where: str) -> None:
    end = stopped(stop_code="TaskFailedToStart", **{where: words})

    assert (end.phase, end.reason) == ("Failed", reason)
    assert end.message.startswith(f"The task failed to start: {words.rstrip('.')}")


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("CannotPullContainerError: not found", "Check that spec.image exists with this tag"),
        (
            f"{PULL} unable to retrieve secret from asm",
            "Check that the secrets of spec.env and registryCredentials exist",
        ),
        ("Timeout waiting for network interface provisioning to complete.", "have free addresses"),
        ("CannotStartContainerError: exec format error", "Check command, entryPoint, volumes and cpuArchitecture"),
        ("ResourceInitializationError: failed to invoke EFS utils commands", "port 2049"),
        ("ResourceInitializationError: failed to validate logger args", "Check that the log group exists"),
        ("Capacity is unavailable at this time.", "subnets in more zones"),
    ],
)
def test_who_reads_why_a_task_failed_to_start_is_told_what_to_check(words: str, advice: str) -> None:
    assert advice in stopped(stop_code="TaskFailedToStart", stopped_reason=words).message


@pytest.mark.parametrize(
    ("seen", "is_transient", "why"),
    [
        ({"stop_code": "SpotInterruption", "exit_code": 143}, True, "AWS took the machine"),
        ({"stop_code": "TerminationNotice"}, True, "so it did"),
        (
            {"stop_code": "TaskFailedToStart", "stopped_reason": "Timeout waiting for network interface provisioning"},
            True,
            "AWS was slow",
        ),
        (
            {"stop_code": "TaskFailedToStart", "stopped_reason": "Timeout waiting for EphemeralStorage provisioning"},
            True,
            "AWS was slow",
        ),
        ({"stop_code": "TaskFailedToStart", "stopped_reason": "Capacity is unavailable"}, True, "it comes back"),
        ({"stop_code": "TaskFailedToStart", "stopped_reason": "CannotPullContainerError"}, False, "a tag stays wrong"),
        ({"stop_code": "TaskFailedToStart"}, False, "nobody knows why"),
        ({"stop_code": "EssentialContainerExited", "exit_code": 1}, False, "the container's own failure"),
        (
            {"stop_code": "EssentialContainerExited", "exit_code": 1, "stopped_reason": "network interface"},
            False,
            "it had started, so these are its own words",
        ),
        ({"stop_code": "UserInitiated", "exit_code": 143}, False, "somebody wanted it so"),
        ({"stop_code": "EssentialContainerExited", "exit_code": 0}, False, "it succeeded"),
    ],
    ids=str,
)
def test_only_what_is_no_fault_of_the_container_passes_by_itself(
    *,
    seen: dict[str, Any],
    is_transient: bool,
    why: str,
) -> None:
    assert stopped(**seen).is_transient is is_transient, why


def test_a_cause_is_told_even_where_the_stop_code_is_missing() -> None:
    assert stopped(stopped_reason="CannotPullContainerError: no such tag").reason == "ImagePullFailed"


@pytest.mark.parametrize("words", ["CannotPullContainerError", "Capacity is unavailable", "network interface"])
def test_a_container_that_exited_did_start_whatever_else_is_said(words: str) -> None:
    end = stopped(stop_code="EssentialContainerExited", exit_code=1, stopped_reason=words)

    assert end.reason == "NonZeroExitCode"


@pytest.mark.parametrize(
    ("seen", "message"),
    [
        ({"exit_code": 3}, f"The container exited with code 3. {LOG}"),
        ({"exit_code": 3, "stopped_reason": EXITED}, f"The container exited with code 3: {EXITED}. {LOG}"),
        ({"exit_code": 137}, f"The container was killed (exit code 137). {LOG}"),
        (
            {"exit_code": 137, "container_reason": "OOM"},
            f"The container was killed (exit code 137): OOM. {LOG}",
        ),
        (
            {},
            "The container did not report an exit code. Without an exit code it does not count as success.",
        ),
        (
            {"stopped_reason": "a", "container_reason": "b"},
            "The container did not report an exit code: a: b. Without an exit code it does not count as success.",
        ),
        (
            {"exit_code": 0, "stop_code": "SpotInterruption", "stopped_reason": "Your Spot Task was interrupted."},
            "The container exited with code 0: Your Spot Task was interrupted. AWS took its Spot capacity back.",
        ),
        (
            {"exit_code": 143, "stop_code": "UserInitiated", "stopped_reason": "Task stopped by user"},
            "The container exited with code 143: Task stopped by user. Somebody called StopTask: CloudTrail tells who.",
        ),
        (
            {
                "exit_code": 143,
                "stop_code": "UserInitiated",
                "stopped_reason": "BackgroundTaskRun reports/nightly-1 is stopped: Cancelled",
            },
            "The container exited with code 143: BackgroundTaskRun reports/nightly-1 is stopped: Cancelled",
        ),
        (
            {
                "exit_code": 143,
                "stop_code": "UserInitiated",
                "stopped_reason": "BackgroundTask reports/nightly was deleted",
            },
            "The container exited with code 143: BackgroundTask reports/nightly was deleted",
        ),
        (
            {"exit_code": 143, "stop_code": "ServiceSchedulerInitiated"},
            "The container exited with code 143. ECS stopped it.",
        ),
        ({"stop_code": "TaskFailedToStart"}, "The task failed to start."),
        ({"exit_code": 1, "stopped_reason": "Bye."}, f"The container exited with code 1: Bye. {LOG}"),
    ],
    ids=str,
)
def test_the_sentence_tells_the_exit_code_and_what_was_said(seen: dict[str, Any], message: str) -> None:
    assert stopped(**seen).message == message


@pytest.mark.parametrize(
    ("containers", "phase", "why"),
    [
        ([{"name": "proxy", "exitCode": 0}, {"name": "aws-bg-task", "exitCode": 1}], "Failed", "ours failed"),
        ([{"name": "proxy", "exitCode": 1}, {"name": "aws-bg-task", "exitCode": 0}], "Succeeded", "ours did not"),
        (
            [{"name": "aws-bg-task", "exitCode": 1}, {"name": "proxy", "exitCode": 0}],
            "Failed",
            "the order is no matter",
        ),
        ([{"name": "proxy", "exitCode": 0}], "Failed", "a sidecar's exit code never counts"),
        ([{"name": "aws-bg-task"}], "Failed", "no exit code"),
        ([], "Failed", "no container"),
        (None, "Failed", "no list of containers"),
    ],
)
def test_only_the_container_of_ours_decides(containers: list[dict[str, Any]] | None, phase: str, why: str) -> None:
    detail = {
        "taskArn": TASK.arn,
        "taskDefinitionArn": TASK.definition_arn,
        "version": 5,
        "lastStatus": "STOPPED",
        "desiredStatus": "STOPPED",
        "stopCode": "EssentialContainerExited",
        **({} if containers is None else {"containers": containers}),
    }

    assert outcome(task_of(detail)).phase == phase, why


@given(st.text())
def test_a_text_of_a_tenant_becomes_one_printable_line_of_bounded_length(text: str) -> None:
    line = plain(text)

    assert line.isprintable()
    assert len(line) <= 512
    assert line == line.strip()
    assert plain(line) == line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("one\ntwo\r\n\tthree", "one two three"),
        ("\x1b[31mred\x1b[0m", "[31mred [0m"),
        ("left\u202eright", "left right"),
        ("  spaces   inside  ", "spaces inside"),
        ("ä€", "ä€"),
        ("x" * 512, "x" * 512),
        ("x" * 513, "x" * 511 + "…"),
    ],
)
def test_what_would_move_a_terminals_cursor_is_a_space(text: str, line: str) -> None:
    assert plain(text) == line


def test_a_tasks_arn_tells_its_cluster_and_its_id() -> None:
    assert (TASK.cluster, TASK.id) == ("jobs", "0123abcd")
