"""The errors of EventBridge, in its words."""

from __future__ import annotations

from localaws.contract import AwsError


def invalid(message: str) -> AwsError:
    """An input that makes no sense."""
    return AwsError("ValidationException", message)


def not_found(message: str) -> AwsError:
    """What is named is not there."""
    return AwsError("ResourceNotFoundException", message)


def limit_exceeded() -> AwsError:
    """One too many (reported)."""
    return AwsError("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
