"""The contract of Amazon SQS, by what boto3 sees of it: queues, their tags and their permissions.

Each test is named after a rule of AWS and marked with how it is known (`API` is the SQS API Reference, `DG` the SQS
Developer Guide).
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from fixtures.sqs_account import Account, refusal
from localaws.running import Running

NO_QUEUE = ("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")


@pytest.fixture
def account(aws: Running) -> Account:
    return Account(aws)


@pytest.mark.documented("API: CreateQueue")
def test_create_queue_again_with_the_same_attributes_answers_the_same_url(account: Account) -> None:
    first = account.queue(DelaySeconds="3", VisibilityTimeout="60")

    again = account.queue(DelaySeconds="3")

    assert again.url == first.url


@pytest.mark.documented("API: CreateQueue, QueueNameExists")
def test_create_queue_with_another_value_of_an_attribute_is_refused(account: Account) -> None:
    account.queue(DelaySeconds="3")

    refused = refusal(account.sqs.create_queue, QueueName="work", Attributes={"DelaySeconds": "4"})

    what = "A queue already exists with the same name and a different value for attribute DelaySeconds"
    assert refused == ("QueueAlreadyExists", what)


@pytest.mark.documented("API: CreateQueue, QueueDeletedRecently")
@pytest.mark.localaws_only("it moves the clock")
def test_a_queue_cannot_be_created_within_a_minute_of_the_deletion_of_one_of_its_name(account: Account) -> None:
    queue = account.queue()
    account.sqs.delete_queue(QueueUrl=queue.url)

    refused = refusal(account.sqs.create_queue, QueueName="work")
    account.aws.advance(61)

    assert refused[0] == "AWS.SimpleQueueService.QueueDeletedRecently"
    assert account.queue().url == queue.url


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("a" * 81, {}),
        ("a.b", {}),
        ("work.fifo", {}),
        ("work", {"FifoQueue": "true"}),
        (f"{'a' * 76}.fifo", {"FifoQueue": "true"}),
    ],
)
@pytest.mark.documented("API: CreateQueue, QueueName")
def test_a_queue_name_has_up_to_80_characters_and_ends_in_fifo_for_a_fifo_queue_only(
    account: Account, name: str, attributes: dict[str, str]
) -> None:
    assert refusal(account.sqs.create_queue, QueueName=name, Attributes=attributes)[0] == "InvalidParameterValue"


@pytest.mark.documented("API: GetQueueUrl")
def test_the_url_of_a_queue_is_found_by_its_name_in_its_account_only(account: Account) -> None:
    queue = account.queue()

    found = account.sqs.get_queue_url(QueueName="work", QueueOwnerAWSAccountId=account.aws.account)["QueueUrl"]
    elsewhere = refusal(account.sqs.get_queue_url, QueueName="work", QueueOwnerAWSAccountId="999999999999")

    assert found == queue.url
    assert elsewhere == NO_QUEUE
    assert refusal(account.sqs.get_queue_url, QueueName="other") == NO_QUEUE


@pytest.mark.documented("DG, Amazon SQS queue and message identifiers: a name is unique in its account and region")
def test_a_queue_is_in_one_region(account: Account) -> None:
    account.queue()

    elsewhere = account.aws.client("sqs", region="us-east-1")

    assert refusal(elsewhere.get_queue_url, QueueName="work") == NO_QUEUE


@pytest.mark.documented("API: ListQueues")
def test_queues_are_listed_by_prefix_and_in_pages_only_where_a_page_has_a_size(account: Account) -> None:
    urls = [account.queue(name).url for name in ("a-1", "a-2", "a-3", "b-1")]

    everything = account.sqs.list_queues()
    first = account.sqs.list_queues(QueueNamePrefix="a-", MaxResults=2)
    second = account.sqs.list_queues(QueueNamePrefix="a-", MaxResults=2, NextToken=first["NextToken"])

    assert (sorted(everything["QueueUrls"]), "NextToken" in everything) == (urls, False)
    assert [*first["QueueUrls"], *second["QueueUrls"]] == urls[:3]
    assert "NextToken" not in second
    assert refusal(account.sqs.list_queues, MaxResults=1001)[0] == "InvalidParameterValue"


@pytest.mark.documented("API: GetQueueUrl, QueueDoesNotExist; Smithy, awsQueryCompatible")
def test_an_error_is_known_by_its_code_of_old_and_by_its_name(account: Account) -> None:
    with pytest.raises(account.sqs.exceptions.QueueDoesNotExist) as refused:
        account.sqs.get_queue_url(QueueName="other")

    error = refused.value.response["Error"]
    assert (error["Code"], error["QueryErrorCode"]) == (NO_QUEUE[0], "QueueDoesNotExist")


@pytest.mark.documented("API: DeleteQueue")
def test_a_deleted_queue_does_not_exist(account: Account) -> None:
    queue = account.queue()

    account.sqs.delete_queue(QueueUrl=queue.url)

    assert refusal(account.sqs.send_message, QueueUrl=queue.url, MessageBody="x") == NO_QUEUE
    assert refusal(account.sqs.delete_queue, QueueUrl=queue.url) == NO_QUEUE


@pytest.mark.documented("API: PurgeQueue")
@pytest.mark.localaws_only("it moves the clock")
def test_a_queue_can_be_purged_of_all_messages_once_a_minute(account: Account) -> None:
    queue = account.queue()
    queue.send("waits", "flies")
    queue.receive(1)
    queue.send("late", DelaySeconds=5)

    account.sqs.purge_queue(QueueUrl=queue.url)
    again = refusal(account.sqs.purge_queue, QueueUrl=queue.url)
    account.aws.advance(61)

    assert queue.counts() == (0, 0, 0)
    what = "Only one PurgeQueue operation on work is allowed every 60 seconds."
    assert again == ("AWS.SimpleQueueService.PurgeQueueInProgress", what)
    account.sqs.purge_queue(QueueUrl=queue.url)


@pytest.mark.documented("API: TagQueue, UntagQueue, ListQueueTags")
def test_a_queue_has_tags(account: Account) -> None:
    url = account.sqs.create_queue(QueueName="work", tags={"team": "a", "stage": "test"})["QueueUrl"]

    account.sqs.tag_queue(QueueUrl=url, Tags={"team": "b"})
    account.sqs.untag_queue(QueueUrl=url, TagKeys=["stage", "unknown"])

    assert account.sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"team": "b"}


@pytest.mark.documented("API: AddPermission, RemovePermission")
def test_a_permission_is_a_statement_of_the_policy_by_its_label(account: Account) -> None:
    queue = account.queue()
    wanted: dict[str, Any] = {
        "QueueUrl": queue.url,
        "Label": "send",
        "AWSAccountIds": ["111122223333"],
        "Actions": ["SendMessage", "ReceiveMessage"],
    }

    account.sqs.add_permission(**wanted)

    (statement,) = json.loads(queue.attribute("Policy"))["Statement"]
    assert (statement["Sid"], statement["Effect"], statement["Resource"]) == ("send", "Allow", queue.arn)
    assert statement["Principal"] == {"AWS": "arn:aws:iam::111122223333:root"}
    assert statement["Action"] == ["SQS:SendMessage", "SQS:ReceiveMessage"]
    assert refusal(account.sqs.add_permission, **wanted)[0] == "InvalidParameterValue"
    account.sqs.remove_permission(QueueUrl=queue.url, Label="send")
    found = account.sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["Policy"])
    assert "Attributes" not in found


@pytest.mark.documented("API: AddPermission: at most seven actions a statement")
def test_a_permission_has_at_most_seven_actions(account: Account) -> None:
    actions = [
        *("SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility"),
        *("GetQueueAttributes", "GetQueueUrl", "PurgeQueue", "ListDeadLetterSourceQueues"),
    ]

    refused = refusal(
        account.sqs.add_permission,
        QueueUrl=account.queue().url,
        Label="all",
        AWSAccountIds=["111122223333"],
        Actions=actions,
    )

    assert refused == ("OverLimit", "8 Actions were found, maximum allowed is 7.")
