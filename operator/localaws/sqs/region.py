"""The queues of one region: found by name, by URL and by ARN, listed page by page.

Knows which queues there are; not what is done with them.
"""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections.abc import Sequence

from localaws.contract import Params
from localaws.sqs import refusals
from localaws.sqs.queue import Queue

MOST_LISTED = 1000  # documented: API: ListQueues


class Region:
    """See the module. `deleted` tells when (milliseconds) a queue of a name was deleted last."""

    def __init__(self, name: str, account: str) -> None:
        self.name = name
        self.account = account
        self.queues: dict[str, Queue] = {}
        self.deleted: dict[str, int] = {}

    def by_url(self, params: Params) -> Queue:
        """The queue that `QueueUrl` names; only the end of its path counts, account and name.

        Raises:
            AwsError: MissingParameter, or NonExistentQueue.
        """
        url = params.get("QueueUrl")
        if not url:
            raise refusals.missing("QueueUrl")
        front, _, name = url.rpartition("/")
        return self.by_name(name, front.rpartition("/")[2])

    def by_name(self, name: str, owner: str) -> Queue:
        """The queue of a name and an account.

        Raises:
            AwsError: NonExistentQueue.
        """
        queue = self.queues.get(name)
        if queue is None or owner != self.account:
            raise refusals.no_queue()
        return queue

    def by_arn(self, arn: str) -> Queue | None:
        """The queue of an ARN, if it is in this region and account."""
        queue = self.queues.get(arn.rpartition(":")[2])
        return queue if queue is not None and queue.arn == arn else None

    def page(self, names: Sequence[str], params: Params) -> tuple[list[Queue], Params]:
        """One page of queues, by name, and the NextToken of the answer if there are more.

        Raises:
            AwsError: InvalidParameterValue.
        """
        limit = params.get("MaxResults")
        if limit is not None and not 1 <= limit <= MOST_LISTED:
            raise refusals.invalid_value(limit, "MaxResults", "must be between 1 and 1000, if provided.")
        ordered = sorted(names)
        start = bisect_right(ordered, _read_token(params["NextToken"])) if params.get("NextToken") else 0
        page = ordered[start : start + (limit or MOST_LISTED)]
        # documented: API: ListQueues, "You must set MaxResults to receive a value for NextToken"
        more = limit is not None and start + len(page) < len(ordered)
        token = {"NextToken": base64.urlsafe_b64encode(page[-1].encode()).decode()} if more else {}
        return [self.queues[name] for name in page], token


def _read_token(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (ValueError, binascii.Error):
        raise refusals.invalid_value(token, "NextToken", "it is none of this operation's.") from None


def url_of(queue: Queue, host: str) -> str:
    """The URL of a queue as a client reaches it that has reached `host`."""
    return f"http://{host}{queue.path}"
