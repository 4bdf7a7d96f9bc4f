"""The contract of Amazon SQS, by what boto3 sees of it: time. Visibility, delays, retention.

Each test is named after a rule of AWS and marked with how it is known (`API` is the SQS API Reference, `DG` the SQS
Developer Guide).
"""

from __future__ import annotations

import pytest

from fixtures.sqs_account import Account, refusal
from localaws.running import Running


@pytest.fixture
def account(aws: Running) -> Account:
    return Account(aws)


def frozen(account: Account) -> Account:
    """The account with a clock that stands still, so that only `advance` moves it."""
    account.aws.set_rate(0)
    return account


@pytest.mark.documented("DG, Amazon SQS visibility timeout")
@pytest.mark.localaws_only("it moves the clock")
def test_a_received_message_is_hidden_until_its_visibility_timeout_is_over(account: Account) -> None:
    queue = frozen(account).queue(VisibilityTimeout="60")
    queue.send("x")

    first = queue.bodies()
    account.aws.advance(59)
    hidden = queue.bodies()
    account.aws.advance(1)

    assert (first, hidden, queue.bodies()) == (["x"], [], ["x"])


@pytest.mark.documented("API: ReceiveMessage, VisibilityTimeout; ChangeMessageVisibility")
@pytest.mark.localaws_only("it moves the clock")
def test_the_visibility_timeout_of_a_receive_and_of_a_change_go_before_that_of_the_queue(account: Account) -> None:
    queue = frozen(account).queue()
    queue.send("x")

    (message,) = queue.receive(VisibilityTimeout=10)
    account.aws.advance(5)
    queue.hide(message, 60)
    account.aws.advance(59)
    hidden = queue.counts()
    account.aws.advance(1)

    assert (hidden, queue.counts()) == ((0, 1, 0), (1, 0, 0))


@pytest.mark.documented("API: ChangeMessageVisibility: the timeout is not saved for the next receive")
@pytest.mark.localaws_only("it moves the clock")
def test_a_changed_visibility_is_that_of_one_receive_only(account: Account) -> None:
    queue = frozen(account).queue(VisibilityTimeout="20")
    queue.send("x")
    queue.hide(queue.receive()[0], 0)

    again = queue.bodies()
    account.aws.advance(20)

    assert (again, queue.bodies()) == (["x"], ["x"])


@pytest.mark.documented("API: ChangeMessageVisibility: 12 hours; reported: localstack/localstack#3956")
@pytest.mark.localaws_only("it moves the clock")
def test_a_message_can_be_hidden_for_twelve_hours_from_its_receive(account: Account) -> None:
    queue = frozen(account).queue()
    queue.send("x")
    (message,) = queue.receive()
    account.aws.advance(10)

    refused = refusal(queue.hide, message=message, seconds=43_200)
    queue.hide(message, 43_190)

    what = "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]"
    assert refused == (
        "InvalidParameterValue",
        f"Value 43200 for parameter VisibilityTimeout is invalid. Reason: {what}",
    )


@pytest.mark.documented("API: ChangeMessageVisibility, MessageNotInflight")
def test_the_visibility_of_a_message_that_waits_cannot_be_changed(account: Account) -> None:
    queue = account.queue()
    queue.send("x")
    (message,) = queue.receive(VisibilityTimeout=0)

    assert refusal(queue.hide, message=message, seconds=5)[0] == "AWS.SimpleQueueService.MessageNotInflight"


@pytest.mark.reported("aws/aws-sdk-net#1927")
def test_the_visibility_of_a_message_that_is_gone_cannot_be_changed(account: Account) -> None:
    queue = account.queue()
    queue.send("x")
    (message,) = queue.receive()
    queue.delete(message)

    code, said = refusal(queue.hide, message=message, seconds=5)

    assert code == "InvalidParameterValue"
    assert said.endswith("Reason: Message does not exist or is not available for visibility timeout change.")


@pytest.mark.documented("API: ChangeMessageVisibilityBatch")
def test_a_batch_of_changes_tells_which_it_could_not_make(account: Account) -> None:
    queue = account.queue()
    queue.send("x", "y")
    first, second = queue.receive()
    queue.delete(second)

    answer = account.sqs.change_message_visibility_batch(
        QueueUrl=queue.url,
        Entries=[
            {"Id": "waits", "ReceiptHandle": first["ReceiptHandle"], "VisibilityTimeout": 0},
            {"Id": "gone", "ReceiptHandle": second["ReceiptHandle"], "VisibilityTimeout": 0},
            {"Id": "endless", "ReceiptHandle": first["ReceiptHandle"], "VisibilityTimeout": 43_201},
        ],
    )

    assert [one["Id"] for one in answer["Successful"]] == ["waits"]
    assert [(one["Id"], one["Code"]) for one in answer["Failed"]] == [
        ("gone", "InvalidParameterValue"),
        ("endless", "InvalidParameterValue"),
    ]
    assert queue.bodies() == [first["Body"]]


@pytest.mark.documented("API: SendMessage, DelaySeconds; CreateQueue, DelaySeconds")
@pytest.mark.localaws_only("it moves the clock")
def test_a_message_is_delayed_as_the_queue_or_itself_says(account: Account) -> None:
    queue = frozen(account).queue(DelaySeconds="20", VisibilityTimeout="3600")
    queue.send("as the queue says")
    queue.send("longer", DelaySeconds=40)
    queue.send("not at all", DelaySeconds=0)

    at_once = (queue.bodies(), queue.counts())
    account.aws.advance(20)
    later = queue.bodies()
    account.aws.advance(20)

    assert at_once == (["not at all"], (0, 1, 2))
    assert (later, queue.bodies()) == (["as the queue says"], ["longer"])


@pytest.mark.documented("API: CreateQueue, MessageRetentionPeriod")
@pytest.mark.localaws_only("it moves the clock")
def test_a_message_is_kept_for_the_retention_period_whether_it_was_received_or_not(account: Account) -> None:
    queue = frozen(account).queue(MessageRetentionPeriod="60")
    queue.send("waits")
    account.aws.advance(10)
    queue.send("flies")
    queue.receive(VisibilityTimeout=600)

    account.aws.advance(49)
    before = queue.counts()
    account.aws.advance(1)
    between = queue.counts()
    account.aws.advance(10)

    assert (before, between, queue.counts()) == ((0, 2, 0), (0, 1, 0), (0, 0, 0))


@pytest.mark.documented("API: SetQueueAttributes: a shorter period expires existing messages")
@pytest.mark.localaws_only("it moves the clock")
def test_a_shorter_retention_period_counts_for_the_messages_that_are_there(account: Account) -> None:
    queue = frozen(account).queue()
    queue.send("x")
    account.aws.advance(61)

    queue.set(MessageRetentionPeriod="60")

    assert queue.counts() == (0, 0, 0)
