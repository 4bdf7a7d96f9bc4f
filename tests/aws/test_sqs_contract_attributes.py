"""The contract of Amazon SQS, by what boto3 sees of it: a queue's attributes.

Each test is named after a rule of AWS and marked with how it is known (`API` is the SQS API Reference, `DG` the SQS
Developer Guide).
"""

from __future__ import annotations

import json

import pytest

from fixtures.sqs_account import Account, refusal
from localaws.running import Running


@pytest.fixture
def account(aws: Running) -> Account:
    return Account(aws)


@pytest.mark.documented("API: CreateQueue, GetQueueAttributes")
def test_a_new_queue_has_the_default_attributes(account: Account) -> None:
    queue = account.queue()

    found = account.sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["All"])["Attributes"]

    assert abs(int(found.pop("CreatedTimestamp")) - int(found.pop("LastModifiedTimestamp"))) <= 1
    assert found == {
        "QueueArn": f"arn:aws:sqs:{account.aws.region}:{account.aws.account}:work",
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
        "DelaySeconds": "0",
        "MaximumMessageSize": "1048576",
        "MessageRetentionPeriod": "345600",
        "ReceiveMessageWaitTimeSeconds": "0",
        "VisibilityTimeout": "30",
        "SqsManagedSseEnabled": "true",
    }


@pytest.mark.documented("API: SetQueueAttributes")
@pytest.mark.localaws_only("it moves the clock")
def test_set_queue_attributes_changes_what_it_names_and_when_the_queue_was_modified(account: Account) -> None:
    queue = account.queue(DelaySeconds="3")
    account.aws.advance(10)

    queue.set(VisibilityTimeout="60")

    assert (queue.attribute("VisibilityTimeout"), queue.attribute("DelaySeconds")) == ("60", "3")
    assert int(queue.attribute("LastModifiedTimestamp")) - int(queue.attribute("CreatedTimestamp")) >= 10


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DelaySeconds", "901"),
        ("MaximumMessageSize", "1023"),
        ("MaximumMessageSize", "1048577"),
        ("MessageRetentionPeriod", "59"),
        ("MessageRetentionPeriod", "1209601"),
        ("ReceiveMessageWaitTimeSeconds", "21"),
        ("VisibilityTimeout", "43201"),
        ("VisibilityTimeout", "-1"),
        ("VisibilityTimeout", "soon"),
        ("Policy", "no JSON"),
    ],
)
@pytest.mark.documented("API: CreateQueue, SetQueueAttributes, InvalidAttributeValue")
def test_an_attribute_out_of_its_range_is_refused(account: Account, name: str, value: str) -> None:
    queue = account.queue()

    created = refusal(account.sqs.create_queue, QueueName="other", Attributes={name: value})
    changed = refusal(account.sqs.set_queue_attributes, QueueUrl=queue.url, Attributes={name: value})

    assert created == changed == ("InvalidAttributeValue", f"Invalid value for the parameter {name}.")


@pytest.mark.parametrize("name", ["Colour", "QueueArn", "FifoQueue", "ContentBasedDeduplication"])
@pytest.mark.reported("aws/aws-sdk-php#1331; documented: API: SetQueueAttributes, InvalidAttributeName")
def test_an_attribute_that_a_standard_queue_does_not_let_one_set_is_unknown(account: Account, name: str) -> None:
    queue = account.queue()

    refused = refusal(account.sqs.set_queue_attributes, QueueUrl=queue.url, Attributes={name: "true"})

    assert refused == ("InvalidAttributeName", f"Unknown Attribute {name}.")


@pytest.mark.documented("API: GetQueueAttributes, InvalidAttributeName")
def test_get_queue_attributes_answers_what_is_named_and_knows_no_other_names(account: Account) -> None:
    queue = account.queue()

    none = account.sqs.get_queue_attributes(QueueUrl=queue.url)
    unknown = refusal(account.sqs.get_queue_attributes, QueueUrl=queue.url, AttributeNames=["Colour"])
    unset = account.sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["Policy"])

    assert "Attributes" not in none
    assert "Attributes" not in unset
    assert unknown == ("InvalidAttributeName", "Unknown Attribute Colour.")


@pytest.mark.documented("API: CreateQueue, KmsMasterKeyId, SqsManagedSseEnabled: one option a queue")
def test_a_queue_is_encrypted_by_a_key_or_by_sqs(account: Account) -> None:
    queue = account.queue(KmsMasterKeyId="alias/mine")

    by_key = (queue.attribute("KmsMasterKeyId"), queue.attribute("SqsManagedSseEnabled"))
    queue.set(SqsManagedSseEnabled="true")

    assert by_key == ("alias/mine", "false")
    assert queue.attribute("SqsManagedSseEnabled") == "true"
    found = account.sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["KmsMasterKeyId"])
    assert "Attributes" not in found


@pytest.mark.assumed("SetQueueAttributes says nothing of how a policy is taken back")
def test_an_empty_policy_takes_the_policy_back(account: Account) -> None:
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    queue = account.queue(Policy=policy)

    kept = queue.attribute("Policy")
    queue.set(Policy="")

    found = account.sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["Policy"])
    assert (kept, "Attributes" in found) == (policy, False)
