"""Entries of PutEvents: which are refused, and what event an entry becomes.

Knows that customers may not speak as AWS. Error codes: API reference of PutEvents, and "Troubleshooting" in the
EventBridge User Guide.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid

from localaws.contract import Params

_REQUIRED = ("Source", "DetailType", "Detail")


def refuse(entry: Params) -> Params | None:
    """The answer to an entry that EventBridge does not take; None for one that it takes."""
    for name in _REQUIRED:
        if not entry.get(name):
            return _refusal("InvalidArgument", f"Parameter {name} is not valid. Reason: {name} is a required argument.")
    if entry["Source"].startswith("aws."):
        return _refusal("NotAuthorizedForSourceException", "Not authorized for the source.")
    if _json_object(entry["Detail"]) is None:
        return _refusal("MalformedDetail", "Detail is malformed.")
    if not is_default(entry.get("EventBusName", "default")):
        return _refusal("ResourceNotFoundException", f"Event bus {entry['EventBusName']} does not exist.")
    return None


def envelope(entry: Params, *, account: str, region: str, now: dt.datetime) -> Params:
    """The event that an accepted entry becomes."""
    moment = entry.get("Time", now).astimezone(dt.UTC)
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": entry["DetailType"],
        "source": entry["Source"],
        "account": account,
        "time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": entry.get("Resources", []),
        "detail": _json_object(entry["Detail"]),
    }


def is_default(bus: str) -> bool:
    """Whether a bus, by name or ARN, is the default one, which is the only one here."""
    return bus == "default" or bus.endswith(":event-bus/default")


def _refusal(code: str, message: str) -> Params:
    return {"ErrorCode": code, "ErrorMessage": message}


def _json_object(text: str) -> Params | None:
    try:
        parsed = json.loads(text)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None
