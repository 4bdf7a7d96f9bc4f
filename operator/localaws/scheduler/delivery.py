"""One slot of one schedule, delivered: attempts with backoff until one is answered, and a dead letter where none is.

Knows the retry policy and dead letters. Time is the world's clock, and only the error of the call counts: an answer
with HTTP 200 and `failures[]` is a delivery (assumed; the documentation speaks of errors only).
"""

from __future__ import annotations

import datetime as dt
import enum
import logging
from collections.abc import Callable
from dataclasses import dataclass

from localaws.contract import AwsError, Clock, Params, World
from localaws.scheduler.definition import Definition
from localaws.scheduler.invocation import Attempt, Invocation, zulu
from localaws.scheduler.role import PRINCIPAL
from localaws.scheduler.target import Queue

_LOG = logging.getLogger(__name__)
_LONGEST_PAUSE = 512  # seconds; assumed: with it the default 185 retries and 24 hours end at about the same time
_SERVER_ERROR, _TOO_MANY_REQUESTS, _REQUEST_TIMEOUT = 500, 429, 408
_MESSAGE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """What is to be delivered: the definition as it was when the slot came, whatever becomes of the schedule."""

    schedule_arn: str
    scheduled_time: dt.datetime
    definition: Definition


class _End(enum.StrEnum):
    """Why there is no further attempt: the condition that is exhausted, empty where the error was final by itself."""

    FINAL = ""
    ATTEMPTS = "MaximumRetryAttempts"
    AGE = "MaximumEventAgeInSeconds"


async def deliver(world: World, slot: Slot, new_id: Callable[[], str]) -> None:
    """Call the target until it answers or the retry policy is exhausted; then send a dead letter, if wanted."""
    retry = slot.definition.retry
    # Age counts from the first attempt (assumed): the virtual clock may have jumped over the slot.
    deadline = world.clock.now() + retry.age
    number = 0
    while True:
        number += 1
        attempt = Attempt(
            schedule_arn=slot.schedule_arn,
            scheduled_time=slot.scheduled_time,
            execution_id=new_id(),
            number=number,
        )
        invocation = slot.definition.target.invocation(attempt)
        error = await _call(world, invocation)
        if error is None:
            return
        end = _end(error, number, retry.retries)
        if end is None:
            end = await _pause(world.clock, number, deadline)
        if end is not None:
            await _give_up(world, slot, _Failure(attempt, invocation, error, end))
            return


@dataclass(frozen=True, slots=True)
class _Failure:
    """The last attempt, what came back, and why there is no other."""

    attempt: Attempt
    invocation: Invocation
    error: AwsError
    end: _End


async def _call(world: World, invocation: Invocation) -> AwsError | None:
    try:
        await world.call(
            invocation.service,
            invocation.operation,
            invocation.params,
            region=invocation.region,
            principal=PRINCIPAL,
        )
    except AwsError as error:
        return error
    return None


def _end(error: AwsError, number: int, retries: int) -> _End | None:
    if not retryable(error):
        return _End.FINAL
    return _End.ATTEMPTS if number > retries else None


async def _pause(clock: Clock, number: int, deadline: dt.datetime) -> _End | None:
    """Wait for the next attempt; where it would come too late, wait for the deadline."""
    # Documented: API, RetryPolicy, "exponential backoff". Assumed: from one second on, doubling, without jitter.
    pause = dt.timedelta(seconds=min(2 ** min(number - 1, 9), _LONGEST_PAUSE))
    again = clock.now() + pause
    await clock.sleep_until(min(again, deadline))
    return _End.AGE if again > deadline else None


def retryable(error: AwsError) -> bool:
    """Is an error worth another attempt?

    Documented for rules (EventBridge User Guide, "How EventBridge retries delivering events"): missing permissions and
    missing targets are not. Assumed: so are all errors of the caller, throttling and timeouts excepted.
    """
    throttled = "Throttl" in error.code or error.code in {"TooManyRequestsException", "RequestLimitExceeded"}
    return throttled or error.status >= _SERVER_ERROR or error.status in {_TOO_MANY_REQUESTS, _REQUEST_TIMEOUT}


async def _give_up(world: World, slot: Slot, failure: _Failure) -> None:
    arn = slot.definition.dead_letters
    if arn is None:
        _LOG.warning("%s at %s: dropped, %s", slot.schedule_arn, zulu(slot.scheduled_time), failure.error.code)
        return
    try:
        await world.call(
            "sqs", "SendMessage", _dead_letter(arn, slot, failure), region=Queue.of(arn).region, principal=PRINCIPAL
        )
    except AwsError as error:
        _LOG.warning("%s at %s: no dead letter, %s", slot.schedule_arn, zulu(slot.scheduled_time), error.code)


def _dead_letter(arn: str, slot: Slot, failure: _Failure) -> Params:
    """The message (documented: UG, "Configuring a dead-letter queue"): the target's request, the rest as attributes."""
    facts = {
        "ERROR_CODE": failure.error.code,
        "ERROR_MESSAGE": failure.error.message,
        "EXECUTION_ID": failure.attempt.execution_id,
        "EXHAUSTED_RETRY_CONDITION": failure.end.value,
        "IS_PAYLOAD_TRUNCATED": "false",
        "RETRY_ATTEMPTS": str(failure.attempt.number - 1),
        "SCHEDULED_TIME": zulu(slot.scheduled_time),
        "SCHEDULE_ARN": slot.schedule_arn,
        "TARGET_ARN": slot.definition.target.arn,
    }
    # SQS takes no empty attribute: an error that was final by itself exhausted no condition (assumed).
    texts = {name: text for name, text in facts.items() if text}
    room = _MESSAGE_BYTES - sum(len(name) + len("String") + len(text.encode()) for name, text in texts.items())
    body = failure.invocation.body.encode()
    if len(body) > room:
        texts["IS_PAYLOAD_TRUNCATED"] = "true"
    return {
        "QueueUrl": Queue.of(arn).url,
        "MessageBody": body[:room].decode(errors="ignore"),
        "MessageAttributes": {name: {"DataType": "String", "StringValue": text} for name, text in texts.items()},
    }
