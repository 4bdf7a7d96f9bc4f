"""What a receiver does with a receipt: delete the message, or hide it for another while, alone or in batches."""

from __future__ import annotations

from localaws.contract import Call, Params
from localaws.sqs import batches, receipts, refusals
from localaws.sqs.backlog import Message
from localaws.sqs.queue import SECOND, Queue
from localaws.sqs.region import Region
from localaws.sqs.settings import NUMBERS

LONGEST = NUMBERS["VisibilityTimeout"][1]
"""Seconds from its receive for which a message can be hidden (documented: API: ChangeMessageVisibility)."""


def delete(region: Region, call: Call) -> Params:
    """DeleteMessage."""
    return _delete(region.by_url(call.params), call.params)


def delete_batch(region: Region, call: Call) -> Params:
    """DeleteMessageBatch."""
    queue = region.by_url(call.params)
    entries = batches.entries(call.params, "DeleteMessageBatchRequestEntry")
    return batches.each(entries, lambda entry: _delete(queue, entry))


def change(region: Region, call: Call) -> Params:
    """ChangeMessageVisibility."""
    return _change(region.by_url(call.params), call.params)


def change_batch(region: Region, call: Call) -> Params:
    """ChangeMessageVisibilityBatch."""
    queue = region.by_url(call.params)
    entries = batches.entries(call.params, "ChangeMessageVisibilityBatchRequestEntry")
    return batches.each(entries, lambda entry: _change(queue, entry))


def _delete(queue: Queue, params: Params) -> Params:
    handle = _handle(params)
    receipt = receipts.read(queue.seal, handle)
    now = queue.settle()
    message = queue.backlog.find(receipt)
    # documented: API: DeleteMessage: with an old receipt "the request will succeed, but the message might not be
    # deleted"; so it does for one that is gone
    if message is None:
        return {}
    if queue.settings.fifo and not queue.backlog.is_in_flight(message):
        reason = "The receipt handle has expired."  # reported: localstack/localstack#12442, of FIFO queues only
        raise refusals.invalid_value(handle, "ReceiptHandle", reason)
    queue.backlog.delete(message, now)
    queue.stirred()
    return {}


def _change(queue: Queue, params: Params) -> Params:
    handle, seconds = _handle(params), params.get("VisibilityTimeout")
    if seconds is None:
        raise refusals.missing("VisibilityTimeout")
    if not 0 <= seconds <= LONGEST:
        reason = f"VisibilityTimeout must be an integer between 0 and {LONGEST}"
        raise refusals.invalid_value(seconds, "VisibilityTimeout", reason)
    receipt = receipts.read(queue.seal, handle)
    now = queue.settle()
    message = queue.backlog.find(receipt)
    if message is None:
        raise refusals.not_in_flight(handle)
    if not queue.backlog.is_in_flight(message):
        raise refusals.waiting_again(handle)
    _hide(queue, message, seconds, now)
    return {}


def _hide(queue: Queue, message: Message, seconds: int, now: int) -> None:
    until = now + seconds * SECOND
    if until > message.last_received + LONGEST * SECOND:  # reported: localstack/localstack#3956
        reason = f"Total VisibilityTimeout for the message is beyond the limit [{LONGEST} seconds]"
        raise refusals.invalid_value(seconds, "VisibilityTimeout", reason)
    queue.backlog.hide(message, until, now)
    queue.stirred()


def _handle(params: Params) -> str:
    handle: str = params.get("ReceiptHandle") or ""
    if not handle:
        raise refusals.missing("ReceiptHandle")
    return handle
