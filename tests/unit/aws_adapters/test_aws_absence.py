"""What is not there is known by proof only: each operation has its own, and nothing else counts as one."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from backgroundtask.aws import Ecs, Queues, Repositories, Schedules
from backgroundtask.aws.clients import Clients
from backgroundtask.errors import Expected
from fixtures.wire import REGION, Wire

REVISION = f"arn:aws:ecs:{REGION}:111122223333:task-definition/bgt_prod_ns_job:7"
TASK = f"arn:aws:ecs:{REGION}:111122223333:task/main/0123456789abcdef"
QUEUE_URL = "https://sqs.eu-west-1.amazonaws.com/111122223333/events"


@dataclass(frozen=True)
class Question:
    """A call whose answer may be that something is not there, and the operations that it makes."""

    ask: Callable[[Clients], object]
    operations: tuple[str, ...]


QUESTIONS = {
    "a cluster": Question(lambda clients: Ecs(clients).cluster("main"), ("DescribeClusters",)),
    "revisions": Question(lambda clients: Ecs(clients).active_revisions("fam"), ("ListTaskDefinitions",)),
    "all revisions": Question(lambda clients: list(Ecs(clients).all_active_revisions("f")), ("ListTaskDefinitions",)),
    "a revision": Question(
        lambda clients: Ecs(clients).revision(REVISION), ("DescribeTaskDefinition", "ListTaskDefinitions")
    ),
    "a revision to retire": Question(
        lambda clients: Ecs(clients).deregister(REVISION), ("DeregisterTaskDefinition", "ListTaskDefinitions")
    ),
    "tasks of a family": Question(lambda clients: Ecs(clients).tasks_of("main", "f"), ("ListTasks", "DescribeTasks")),
    "tasks": Question(lambda clients: Ecs(clients).tasks("main", [TASK]), ("DescribeTasks",)),
    "a task to stop": Question(lambda clients: Ecs(clients).stop("main", TASK, "why"), ("StopTask", "DescribeTasks")),
    "a schedule": Question(lambda clients: Schedules(clients).find("group", "name"), ("GetSchedule",)),
    "a schedule to remove": Question(lambda clients: Schedules(clients).remove("group", "name"), ("DeleteSchedule",)),
    "schedules": Question(lambda clients: Schedules(clients).enabled_by_name("group"), ("ListSchedules",)),
    "a group": Question(lambda clients: Schedules(clients).group("group"), ("GetScheduleGroup",)),
    "a repository": Question(lambda clients: Repositories(clients).find("a/b"), ("DescribeRepositories",)),
    "a repository to delete": Question(lambda clients: Repositories(clients).delete("a/b"), ("DeleteRepository",)),
    "a policy to delete": Question(lambda clients: Repositories(clients).keep_all("a/b"), ("DeleteLifecyclePolicy",)),
    "messages": Question(lambda clients: Queues(clients).receive(QUEUE_URL), ("ReceiveMessage",)),
}

NO_PROOF: dict[str, Callable[[Wire, str], None]] = {
    "a denial": lambda wire, operation: wire.refuses(operation, "AccessDeniedException", "no", status=403),
    "a throttle": lambda wire, operation: wire.refuses(operation, "ThrottlingException", "Rate exceeded"),
    "a throttle that blames the request": lambda wire, operation: wire.refuses(
        operation, "ClientException", "Rate exceeded (Error Code: Throttling)"
    ),
    "an outage": lambda wire, operation: wire.refuses(operation, "InternalServerException", "oops", status=500),
    "an outage without a name": lambda wire, operation: wire.says(operation, "<html>Bad gateway</html>", status=502),
    "a proxy's not found": lambda wire, operation: wire.says(operation, "<html>Not Found</html>", status=404),
    "expired credentials": lambda wire, operation: wire.refuses(operation, "ExpiredTokenException", "old", status=403),
    "a time-out": lambda wire, operation: wire.breaks(operation, ReadTimeoutError(endpoint_url="https://x")),
    "a refused connection": lambda wire, operation: wire.breaks(
        operation, EndpointConnectionError(endpoint_url="https://x", error="refused")
    ),
}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS.keys())
@pytest.mark.parametrize("answer", NO_PROOF.values(), ids=NO_PROOF.keys())
def test_a_failure_is_never_taken_for_absence(
    wire: Wire, question: Question, answer: Callable[[Wire, str], None]
) -> None:
    for operation in question.operations:
        answer(wire, operation)

    with pytest.raises(Expected):
        question.ask(wire.clients())


@pytest.mark.parametrize(
    "name",
    [
        "a cluster",
        "revisions",
        "all revisions",
        "tasks of a family",
        "tasks",
        "schedules",
        "a group",
        "a schedule",
        "a repository",
    ],
)
def test_an_answer_without_the_members_of_aws_is_a_bug_and_no_empty_world(wire: Wire, name: str) -> None:
    question = QUESTIONS[name]
    for operation in question.operations:
        wire.says(operation, "<html>Welcome</html>", status=200)

    with pytest.raises(KeyError):
        question.ask(wire.clients())


def test_a_failure_on_a_later_page_is_no_shorter_list(wire: Wire) -> None:
    wire.says("ListTaskDefinitions", {"taskDefinitionArns": [REVISION], "nextToken": "more"})
    wire.refuses("ListTaskDefinitions", "ServerException", "oops", status=500)

    with pytest.raises(Expected):
        Ecs(wire.clients()).active_revisions("bgt_prod_ns_job")


def test_a_cluster_is_absent_when_ecs_says_missing(wire: Wire) -> None:
    wire.says("DescribeClusters", {"clusters": [], "failures": [{"arn": "main", "reason": "MISSING"}]})

    assert Ecs(wire.clients()).cluster("main") is None


@pytest.mark.parametrize("name", ["a cluster", "tasks"])
def test_another_reason_than_missing_proves_nothing(wire: Wire, name: str) -> None:
    failures = [{"arn": TASK, "reason": "SERVICE_DOWN"}]
    wire.says("DescribeClusters", {"clusters": [], "failures": failures})
    wire.says("DescribeTasks", {"tasks": [], "failures": failures})

    with pytest.raises(Expected, match="SERVICE_DOWN"):
        QUESTIONS[name].ask(wire.clients())


def test_a_task_that_ecs_does_not_mention_is_not_missing(wire: Wire) -> None:
    wire.says("DescribeTasks", {"tasks": [], "failures": []})

    with pytest.raises(Expected, match="some tasks only"):
        Ecs(wire.clients()).tasks("main", [TASK])


def test_a_task_is_missing_when_ecs_says_so(wire: Wire) -> None:
    wire.says("DescribeTasks", {"tasks": [], "failures": [{"arn": TASK, "reason": "MISSING"}]})

    assert Ecs(wire.clients()).tasks("main", [TASK]) == ({}, frozenset({TASK}))


def test_a_listed_task_that_is_not_described_yet_is_not_taken_for_gone(wire: Wire) -> None:
    wire.says("ListTasks", {"taskArns": [TASK]})
    wire.says("DescribeTasks", {"tasks": [], "failures": [{"arn": TASK, "reason": "MISSING"}]})

    with pytest.raises(Expected, match="does not describe yet"):
        Ecs(wire.clients()).tasks_of("main", "bgt_prod_ns_job")


def test_a_schedule_and_a_group_are_absent_when_scheduler_says_so(wire: Wire) -> None:
    for operation in ("GetSchedule", "GetScheduleGroup", "DeleteSchedule", "ListSchedules"):
        wire.refuses(operation, "ResourceNotFoundException", "does not exist.", status=404)
    schedules = Schedules(wire.clients())

    assert schedules.find("group", "name") is None
    assert schedules.group("group") is None
    assert schedules.enabled_by_name("group") == {}
    schedules.remove("group", "name")


@pytest.mark.parametrize(
    "message", ["Unable to describe task definition.", "The specified task definition is inactive."]
)
def test_a_revision_is_retired_when_its_familys_list_does_not_hold_it(wire: Wire, message: str) -> None:
    wire.refuses("DeregisterTaskDefinition", "ClientException", message)
    wire.says("ListTaskDefinitions", {"taskDefinitionArns": [REVISION.replace(":7", ":8")]})

    Ecs(wire.clients()).deregister(REVISION)

    assert wire.operations() == ["DeregisterTaskDefinition", "ListTaskDefinitions"]


def test_a_revision_that_is_still_listed_is_not_retired_whatever_ecs_says(wire: Wire) -> None:
    wire.refuses("DeregisterTaskDefinition", "ClientException", "Too many concurrent attempts")
    wire.says("ListTaskDefinitions", {"taskDefinitionArns": [REVISION]})

    with pytest.raises(Expected, match="how often"):
        Ecs(wire.clients()).deregister(REVISION)


def test_a_task_to_stop_is_done_when_ecs_says_missing(wire: Wire) -> None:
    wire.refuses("StopTask", "InvalidParameterException", "The referenced task was not found.")
    wire.says("DescribeTasks", {"tasks": [], "failures": [{"arn": TASK, "reason": "MISSING"}]})

    Ecs(wire.clients()).stop("main", TASK, "why")

    assert wire.operations() == ["StopTask", "DescribeTasks"]
