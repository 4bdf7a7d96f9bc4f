"""SendMessage and SendMessageBatch: from a request to a message in a queue."""

from __future__ import annotations

from localaws.contract import AwsError, Call, Params
from localaws.sqs import batches, deduplication, letter, refusals
from localaws.sqs.backlog import Message
from localaws.sqs.letter import Letter
from localaws.sqs.queue import Queue
from localaws.sqs.region import Region
from localaws.sqs.settings import LARGEST_MESSAGE, NUMBERS

_CLIENT = "AIDALOCALAWSCLIENT000"
"""Documented: API: ReceiveMessage, SenderId: the id of the user; there is one user here."""


def send(region: Region, call: Call) -> Params:
    """SendMessage."""
    return _send(region.by_url(call.params), call.params, call.principal)


def send_batch(region: Region, call: Call) -> Params:
    """SendMessageBatch."""
    queue = region.by_url(call.params)
    entries = batches.entries(call.params, "SendMessageBatchRequestEntry")
    size = sum(map(letter.size, entries))
    if size > LARGEST_MESSAGE:  # documented: API: SendMessageBatch, the sum of all messages
        raise refusals.too_long(size, LARGEST_MESSAGE)
    return batches.each(entries, lambda entry: _send(queue, entry, call.principal))


def _send(queue: Queue, params: Params, principal: str) -> Params:
    delay = _delay(queue, params)
    sender = _CLIENT if principal == "client" else principal
    written = letter.read(params, sender=sender, largest=queue.settings.largest)
    now = queue.settle()
    if not queue.settings.fifo:
        if params.get("MessageDeduplicationId"):
            raise _not_of_this_type(params["MessageDeduplicationId"], "MessageDeduplicationId")
        queue.add(Message(0, written, now), now=now, delay=delay)
        return _answer(written)
    return _send_in_order(queue, params, written, now=now, delay=delay)


def _send_in_order(queue: Queue, params: Params, written: Letter, *, now: int, delay: int) -> Params:
    if not written.group:
        raise refusals.missing("MessageGroupId")
    by_content = queue.settings.texts.get("ContentBasedDeduplication") == "true"
    wanted = deduplication.deduplication_id(params, by_content=by_content)
    by_group = queue.settings.texts.get("DeduplicationScope") == "messageGroup"
    scope = written.group if by_group else ""
    known = queue.deduplication.find(scope, wanted, now)
    if known is None:
        known = queue.deduplication.remember(scope, wanted, written.id, now)
        written = written.numbered(known.sequence, wanted)
        queue.add(Message(0, written, now), now=now, delay=delay)
    return {**_answer(written), "MessageId": known.message_id, "SequenceNumber": known.sequence}


def _delay(queue: Queue, params: Params) -> int:
    delay: int | None = params.get("DelaySeconds")
    if delay is None:
        return queue.settings.delay
    least, most, _ = NUMBERS["DelaySeconds"]
    if not least <= delay <= most:
        raise refusals.invalid_value(delay, "DelaySeconds", f"DelaySeconds must be >= {least} and <= {most}.")
    if queue.settings.fifo and delay != queue.settings.delay:  # documented: API: SendMessage, DelaySeconds
        raise _not_of_this_type(delay, "DelaySeconds")
    return delay


def _not_of_this_type(value: object, name: str) -> AwsError:
    reason = "The request include parameter that is not valid for this queue type"  # reported: the wording
    return refusals.invalid_value(value, name, reason)


def _answer(written: Letter) -> Params:
    answer = {"MessageId": written.id, "MD5OfMessageBody": written.body_digest}
    if written.attributes_digest:
        answer["MD5OfMessageAttributes"] = written.attributes_digest
    if written.trace_digest:
        answer["MD5OfMessageSystemAttributes"] = written.trace_digest
    return answer
