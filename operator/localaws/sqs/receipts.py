"""Receipt handles: which receive of which message one is.

A handle names the queue's incarnation, the message and the number of the receive, so none has to be remembered.
documented: DG, "Queue and message identifiers": a new handle with each receive. Clients find it opaque.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from localaws.sqs import refusals


@dataclass(frozen=True, slots=True)
class Receipt:
    """The `receive`-th receive (from 1) of the message `key`."""

    key: int
    receive: int


def write(seal: str, receipt: Receipt) -> str:
    """The handle of a receive; `seal` is the queue's own."""
    return base64.b64encode(f"{seal}:{receipt.key}:{receipt.receive}".encode()).decode()


def read(seal: str, handle: str) -> Receipt:
    """What a handle names.

    Raises:
        AwsError: ReceiptHandleIsInvalid, where the queue has handed out no such one.
    """
    try:
        found, key, receive = base64.b64decode(handle, validate=True).decode().split(":")
        receipt = Receipt(int(key), int(receive))
    except (ValueError, binascii.Error):
        raise refusals.bad_receipt(handle) from None
    if found != seal:
        raise refusals.bad_receipt(handle)
    return receipt
