"""Invokes one target for one event: retries, and the dead letter where all were in vain.

Source: "Retrying event delivery" and "Using dead-letter queues", EventBridge User Guide: what can pass (throttling, a
server error) is tried again with growing pauses until the retry policy is used up; what cannot (no permission, no
target) is not.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass

from localaws.contract import AwsError
from localaws.events.target import PRINCIPAL, Courier, Target
from localaws.events.transformer import Occasion

MOST_ATTEMPTS = 185
LONGEST_AGE = 86400
LONGEST_PAUSE = 300.0

_THROTTLED = frozenset(
    {"ThrottlingException", "Throttling", "RequestThrottled", "KmsThrottled", "TooManyRequestsException"}
)
_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """An event on its way to a target of a rule."""

    occasion: Occasion
    target: Target

    async def run(self, courier: Courier) -> bool:
        """Invoke the target, or send the dead letter; whether the target was invoked."""
        policy = self.target.params.get("RetryPolicy", {})
        most = policy.get("MaximumRetryAttempts", MOST_ATTEMPTS)
        end = courier.clock.now() + dt.timedelta(seconds=policy.get("MaximumEventAgeInSeconds", LONGEST_AGE))
        attempts = 0
        while True:
            try:
                await self.target.invoke(courier, self.occasion)
            except AwsError as e:
                pause = dt.timedelta(seconds=min(2.0**attempts, LONGEST_PAUSE))
                exhausted = _exhausted(e, late=courier.clock.now() + pause > end, attempts_left=attempts < most)
                if exhausted is None:
                    attempts += 1
                    await courier.clock.sleep_until(courier.clock.now() + pause)
                    continue
                await self._bury(courier, e, attempts, exhausted)
                return False
            return True

    async def _bury(self, courier: Courier, error: AwsError, attempts: int, exhausted: str) -> None:
        """Send the dead letter: the event itself (assumed: not what the target would have got), the rest in words."""
        queue = self.target.params.get("DeadLetterConfig", {}).get("Arn")
        if queue is None:
            return
        attributes = {
            "RULE_ARN": self.occasion.rule_arn,
            "TARGET_ARN": self.target.params["Arn"],
            "ERROR_CODE": _CODES.get(error.code, "SDK_CLIENT_ERROR"),
            "ERROR_MESSAGE": error.message,
            "RETRY_ATTEMPTS": str(attempts),
        }
        if exhausted:
            attributes["EXHAUSTED_RETRY_CONDITION"] = exhausted
        letter = json.dumps(self.occasion.event, separators=(",", ":"), ensure_ascii=False)
        source = self.occasion.rule_arn
        try:
            await courier.send_message(queue, letter, attributes, principal=PRINCIPAL, source_arn=source)
        except AwsError:
            return  # an event that neither target nor dead-letter queue takes is lost; the journal has both refusals


_CODES = {
    "AccessDenied": "NO_PERMISSIONS",
    "AccessDeniedException": "NO_PERMISSIONS",
    "AWS.SimpleQueueService.NonExistentQueue": "NO_RESOURCE",
    "ClusterNotFoundException": "NO_RESOURCE",
    **dict.fromkeys(_THROTTLED, "THROTTLING"),
}


def _exhausted(error: AwsError, *, late: bool, attempts_left: bool) -> str | None:
    """Why there is no further attempt, in the dead letter's words ("": one would not help); None where there is one."""
    if error.status < _SERVER_ERROR and error.code not in _THROTTLED:
        return ""
    if late:
        return "MaximumEventAgeInSeconds"
    return None if attempts_left else "MaximumRetryAttempts"
