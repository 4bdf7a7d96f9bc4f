"""What all batch operations have in common: which batches are refused as a whole, and how each entry's end is told.

documented: API: SendMessageBatch: "The result of sending each message is reported individually in the response".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from localaws.contract import AwsError, Params
from localaws.sqs import refusals

_ID = re.compile(r"[\w-]{1,80}", re.ASCII)  # documented: API: SendMessageBatchRequestEntry, Id
_SERVER_ERROR = 500


def entries(params: Params, kind: str) -> list[Params]:
    """The entries of a batch.

    Raises:
        AwsError: EmptyBatchRequest, TooManyEntriesInBatchRequest, InvalidBatchEntryId, BatchEntryIdsNotDistinct.
    """
    found: list[Params] = params.get("Entries") or []
    if not found:
        raise refusals.empty_batch(kind)
    if len(found) > refusals.MOST_ENTRIES:
        raise refusals.too_many_entries(len(found))
    seen: set[str] = set()
    for entry in found:
        entry_id = entry.get("Id") or ""
        if not _ID.fullmatch(entry_id):
            raise refusals.bad_entry_id()
        if entry_id in seen:
            raise refusals.repeated_entry_id(entry_id)
        seen.add(entry_id)
    return found


def each(found: list[Params], work: Callable[[Params], Params]) -> Params:
    """Do the work for each entry, and tell which failed; assumed: the list of those that are none is left out."""
    successful: list[Params] = []
    failed: list[Params] = []
    for entry in found:
        try:
            successful.append({"Id": entry["Id"], **work(entry)})
        except AwsError as e:
            failed.append(_failure(entry["Id"], e))
    told: dict[str, Any] = {"Successful": successful, "Failed": failed}
    return {name: listed for name, listed in told.items() if listed}


def _failure(entry_id: str, error: AwsError) -> Params:
    fault = error.status < _SERVER_ERROR
    return {"Id": entry_id, "SenderFault": fault, "Code": error.code, "Message": error.message}
