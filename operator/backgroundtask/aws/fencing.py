"""Which calls to AWS change something, and the question that each of them asks right before it is sent.

Knows operations by their names; refuses to know who may write, and why. A call is a write unless its name says that it
only looks: so a new one is fenced until somebody says otherwise. Receiving from a queue hides messages from others, so
it is a write; taking over a role changes nothing, nor does asking what a pattern matches.
"""

from collections.abc import Callable
from typing import Any

import botocore.session

BeforeWrite = Callable[[], None]
"""Returns where a write may be sent now; called on the thread that makes the call, once for each attempt."""

_READS = ("Describe", "List", "Get", "AssumeRole", "TestEventPattern")


def is_write(operation: str) -> bool:
    """Whether an operation (`RegisterTaskDefinition`) may change something, or take something from others."""
    return not operation.startswith(_READS)


def fence(session: botocore.session.Session, before_write: BeforeWrite) -> None:
    """Have every client of the session ask before each attempt at a write.

    It is the last thing before the connection is used: after signing, after the waits between attempts, and after
    every other hook.
    """

    def ask(event_name: str, **_: Any) -> None:  # noqa: ANN401 - botocore's event
        if is_write(event_name.rpartition(".")[2]):
            before_write()

    session.get_component("event_emitter").register_last("before-send", ask)
