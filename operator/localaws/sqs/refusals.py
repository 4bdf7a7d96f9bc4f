"""The errors of Amazon SQS, in its words. Codes are those of its query protocol, which SDKs still show.

reported: the codes and wordings, from logs of clients and from moto, where no other source stands beside them.
"""

from __future__ import annotations

from localaws.contract import AwsError

_PREFIX = "AWS.SimpleQueueService."
MOST_ENTRIES = 10  # documented: API: SendMessageBatch, "up to 10 messages"


def no_queue() -> AwsError:
    """There is no queue at that URL, or of that name."""
    return AwsError(f"{_PREFIX}NonExistentQueue", "The specified queue does not exist.")


def other_queue(attribute: str) -> AwsError:
    """A queue of that name exists with other attributes."""
    message = f"A queue already exists with the same name and a different value for attribute {attribute}"
    return AwsError("QueueAlreadyExists", message)


def deleted_recently() -> AwsError:
    """The name is not free yet."""
    message = "You must wait 60 seconds after deleting a queue before you can create another with the same name."
    return AwsError(f"{_PREFIX}QueueDeletedRecently", message)


def purging(name: str) -> AwsError:
    """The queue was purged a moment ago; documented: 403 in API: PurgeQueue."""
    message = f"Only one PurgeQueue operation on {name} is allowed every 60 seconds."
    return AwsError(f"{_PREFIX}PurgeQueueInProgress", message, status=403)


def missing(name: str) -> AwsError:
    """A required parameter is not there."""
    return AwsError("MissingParameter", f"The request must contain the parameter {name}.")


def invalid(message: str) -> AwsError:
    """A parameter has a value that it must not have."""
    return AwsError("InvalidParameterValue", message)


def invalid_value(value: object, name: str, reason: str) -> AwsError:
    """The same, in the usual sentence."""
    return invalid(f"Value {value} for parameter {name} is invalid. Reason: {reason}")


def unknown_attribute(name: str) -> AwsError:
    """A queue has no such attribute, or none that can be set."""
    return AwsError("InvalidAttributeName", f"Unknown Attribute {name}.")


def invalid_attribute(name: str) -> AwsError:
    """An attribute of a queue cannot have that value."""
    return AwsError("InvalidAttributeValue", f"Invalid value for the parameter {name}.")


def bad_contents() -> AwsError:
    """The text has characters that SQS does not take; documented: API: SendMessage."""
    message = "Invalid binary character was found in the message body, the set of allowed characters is "
    characters = "#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF"
    return AwsError("InvalidMessageContents", message + characters)


def bad_receipt(handle: str) -> AwsError:
    """No receive of this queue handed out such a receipt; reported: getmoto/moto#4765."""
    return AwsError("ReceiptHandleIsInvalid", f'The input receipt handle "{handle}" is not a valid receipt handle.')


def not_in_flight(handle: str) -> AwsError:
    """The receipt is one of a message that is gone, or was received again; reported: aws/aws-sdk-net#1927."""
    reason = "Message does not exist or is not available for visibility timeout change."
    return invalid_value(handle, "ReceiptHandle", reason)


def waiting_again(handle: str) -> AwsError:
    """The receipt's message is in flight no more; documented: API: ChangeMessageVisibility, MessageNotInflight."""
    return AwsError(f"{_PREFIX}MessageNotInflight", f"The message of the receipt handle {handle} is not in flight.")


def too_many_in_flight() -> AwsError:
    """120,000 messages are received and not deleted; documented: 403 in API: ReceiveMessage; assumed: the wording."""
    return AwsError("OverLimit", "Too many messages in flight: the limit is 120000.", status=403)


def unsupported(message: str) -> AwsError:
    """This kind of queue, or localaws, does not do that."""
    return AwsError(f"{_PREFIX}UnsupportedOperation", message)


def empty_batch(entry: str) -> AwsError:
    """A batch has no entries."""
    return AwsError(f"{_PREFIX}EmptyBatchRequest", f"There should be at least one {entry} in the request.")


def too_many_entries(number: int) -> AwsError:
    """A batch has more than ten entries."""
    message = f"Maximum number of entries per request are {MOST_ENTRIES}. You have sent {number}."
    return AwsError(f"{_PREFIX}TooManyEntriesInBatchRequest", message)


def bad_entry_id() -> AwsError:
    """An entry's id is none."""
    message = (
        "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
        "It can be at most 80 letters long."
    )
    return AwsError(f"{_PREFIX}InvalidBatchEntryId", message)


def repeated_entry_id(entry_id: str) -> AwsError:
    """Two entries have the same id."""
    return AwsError(f"{_PREFIX}BatchEntryIdsNotDistinct", f"Id {entry_id} repeated.")


def too_long(size: int, most: int) -> AwsError:
    """The messages of a batch are too long in sum."""
    message = f"Batch requests cannot be longer than {most} bytes. You have sent {size} bytes."
    return AwsError(f"{_PREFIX}BatchRequestTooLong", message)
