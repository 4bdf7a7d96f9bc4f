"""The three errors that cross a module wall, named after what has to happen next.

Adapters translate foreign errors into these, chained (`raise Blocked(...) from e`), so that nothing above `aws/` and
`kube/` ever sees a `ClientError` or an `ApiException`. Anything else that travels is a bug: it is logged with its
traceback, counted and retried.

`reason` is a CamelCase word that goes into a condition as it is. The message is one sentence for the person who reads
the condition: what is wrong and what to change, without times, request ids or values of env.
"""


class Expected(Exception):  # noqa: N818 - its kinds are named after what happens next, not after what they are
    """What the three have in common; never raised itself."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Rejected(Expected):
    """The user has to edit the spec: retrying the same spec cannot help. Becomes `Stalled`; looked at again hourly."""


class Blocked(Expected):
    """Someone has to grant or free something outside the spec. Retried with backoff; the message says what to grant."""


class Busy(Expected):
    """A throttle, a conflict, an outage: the same call is expected to work later.

    `retry_after` is the least number of seconds to wait.
    """

    def __init__(self, reason: str, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(reason, message)
        self.retry_after = retry_after


class Paced(Busy):
    """We hold back ourselves, so that AWS need not throttle: a turn, and no failure.

    Whoever was refused has a place in a line and comes back after `retry_after` seconds, neither sooner nor later.
    """
