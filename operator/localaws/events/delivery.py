"""Delivers one event to one target: permission, retries, dead letters.

Source: "Retrying event delivery" and "Using dead-letter queues", EventBridge User Guide: what can pass (throttling, a
server error) is tried again with growing pauses until the retry policy is used up; what cannot (no permission, no
queue) is not.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Protocol

from localaws.contract import AwsError, Clock, Params
from localaws.events import rule

PRINCIPAL = "events.amazonaws.com"
MOST_ATTEMPTS = 185
LONGEST_AGE = 86400
LONGEST_PAUSE = 300.0

_THROTTLED = frozenset(
    {"ThrottlingException", "Throttling", "RequestThrottled", "KmsThrottled", "TooManyRequestsException"}
)
_SERVER_ERROR = 500


class Mail(Protocol):
    """What delivering needs of the world."""

    @property
    def clock(self) -> Clock:
        """Virtual time."""

    async def send_message(
        self, queue_arn: str, body: str, attributes: dict[str, str], *, principal: str, source_arn: str, group: str = ""
    ) -> None:
        """Send to a queue whose policy must allow it.

        Raises:
            AwsError: AccessDenied, or what SQS answered.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """An event on its way to a target of a rule."""

    rule_arn: str
    target: Params
    body: str

    async def run(self, mail: Mail) -> bool:
        """Deliver, or send the dead letter; whether the target got it."""
        policy = self.target.get("RetryPolicy", {})
        most = policy.get("MaximumRetryAttempts", MOST_ATTEMPTS)
        end = mail.clock.now() + dt.timedelta(seconds=policy.get("MaximumEventAgeInSeconds", LONGEST_AGE))
        attempts = 0
        while True:
            try:
                await self._send(mail)
            except AwsError as e:
                pause = dt.timedelta(seconds=min(2.0**attempts, LONGEST_PAUSE))
                exhausted = _exhausted(e, late=mail.clock.now() + pause > end, attempts_left=attempts < most)
                if exhausted is None:
                    attempts += 1
                    await mail.clock.sleep_until(mail.clock.now() + pause)
                    continue
                await self._bury(mail, e, attempts, exhausted)
                return False
            return True

    async def _send(self, mail: Mail) -> None:
        group = self.target.get("SqsParameters", {}).get("MessageGroupId", "")
        arn = self.target["Arn"]
        await mail.send_message(arn, self.body, {}, principal=PRINCIPAL, source_arn=self.rule_arn, group=group)

    async def _bury(self, mail: Mail, error: AwsError, attempts: int, exhausted: str) -> None:
        queue = self.target.get("DeadLetterConfig", {}).get("Arn")
        if queue is None:
            return
        attributes = {
            "RULE_ARN": self.rule_arn,
            "TARGET_ARN": self.target["Arn"],
            "ERROR_CODE": _CODES.get(error.code, "SDK_CLIENT_ERROR"),
            "ERROR_MESSAGE": error.message,
            "RETRY_ATTEMPTS": str(attempts),
        }
        if exhausted:
            attributes["EXHAUSTED_RETRY_CONDITION"] = exhausted
        try:
            await mail.send_message(queue, self.body, attributes, principal=PRINCIPAL, source_arn=self.rule_arn)
        except AwsError:
            return  # an event that neither target nor dead-letter queue takes is lost; the journal has both refusals


_CODES = {
    "AccessDenied": "NO_PERMISSIONS",
    "AWS.SimpleQueueService.NonExistentQueue": "NO_RESOURCE",
    **dict.fromkeys(_THROTTLED, "THROTTLING"),
}


def deliveries(matched: rule.Rule, event: Params) -> list[Delivery]:
    """What a rule that matches an event sends."""
    return [
        Delivery(rule_arn=matched.arn, target=target, body=rule.body_for(target, event))
        for target in matched.targets.values()
    ]


def _exhausted(error: AwsError, *, late: bool, attempts_left: bool) -> str | None:
    """Why there is no further attempt, in the dead letter's words ("": one would not help); None where there is one."""
    if error.status < _SERVER_ERROR and error.code not in _THROTTLED:
        return ""
    if late:
        return "MaximumEventAgeInSeconds"
    return None if attempts_left else "MaximumRetryAttempts"
