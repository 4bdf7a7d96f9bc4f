"""The errors of EventBridge Scheduler, in its words."""

from __future__ import annotations

from localaws.contract import AwsError


def invalid(message: str) -> AwsError:
    """400: the request breaks a rule that its model does not state."""
    return AwsError("ValidationException", message)


def no_schedule(name: str) -> AwsError:
    """404, as reported from AWS."""
    return AwsError("ResourceNotFoundException", f"Schedule {name} does not exist.", status=404)


def no_group(name: str) -> AwsError:
    """404, as reported from AWS."""
    return AwsError("ResourceNotFoundException", f"Schedule group {name} does not exist.", status=404)


def conflict(message: str) -> AwsError:
    """409: the request does not fit the present state of what it names."""
    return AwsError("ConflictException", message, status=409)


def over_quota(message: str) -> AwsError:
    """402 (documented: the status stands in the API's model)."""
    return AwsError("ServiceQuotaExceededException", message, status=402)
