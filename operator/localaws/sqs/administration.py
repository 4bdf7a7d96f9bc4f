"""The operations on queues themselves: create, find, list, set up, tag, purge, delete.

Knows what may be done to a queue when; nothing of messages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from localaws.contract import Call, Params, World
from localaws.lag import Lag
from localaws.sqs import permissions, refusals, settings
from localaws.sqs.queue import SECOND, Queue
from localaws.sqs.region import Region, url_of
from localaws.sqs.settings import Settings

_NO_HOST = "localhost"
"""In the URL of a queue that an AWS service asks for, which came by no address."""

MOST_TAGS = 50  # documented: DG, "Cost allocation tags": 50 a queue
REST = 60 * SECOND
"""Documented: API: CreateQueue and PurgeQueue: so long after a deletion or a purge the next one has to wait."""

_NAME = re.compile(r"[\w-]{1,80}", re.ASCII)
_FIFO_NAME = re.compile(r"(?=.{6,80}\Z)[\w-]+\.fifo", re.ASCII)
_STATE = frozenset(
    {
        "QueueArn",
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
        "CreatedTimestamp",
        "LastModifiedTimestamp",
    }
)
_SETTABLE = frozenset(
    {
        *settings.NUMBERS, "Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId", "SqsManagedSseEnabled",
        "FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit",
    }
)  # fmt: skip


class Administration:
    """See the module."""

    def __init__(self, world: World, lag: Lag) -> None:
        self._world = world
        self._lag = lag

    def create(self, region: Region, call: Call) -> Params:
        """CreateQueue; for a queue that exists with these attributes it answers that one's URL."""
        name, wanted = call.params.get("QueueName") or "", call.params.get("Attributes") or {}
        _check_name(name, fifo=wanted.get(settings.FIFO) == "true")
        queue = region.queues.get(name)
        if queue is None:
            queue = self._new(region, name, wanted)
            _tag(queue, call.params.get("tags") or {})
        elif (attribute := queue.settings.differing(wanted)) is not None:
            raise refusals.other_queue(attribute)
        return self._url(queue, call)

    def get_url(self, region: Region, call: Call) -> Params:
        """GetQueueUrl."""
        name = call.params.get("QueueName")
        if not name:
            raise refusals.missing("QueueName")
        queue = region.by_name(name, call.params.get("QueueOwnerAWSAccountId") or region.account)
        if not self._lag.shows(queue.arn):
            raise refusals.no_queue()
        return self._url(queue, call)

    def list(self, region: Region, call: Call) -> Params:
        """ListQueues, by name."""
        prefix = call.params.get("QueueNamePrefix") or ""
        names = [
            name for name, queue in region.queues.items() if name.startswith(prefix) and self._lag.shows(queue.arn)
        ]
        page, more = region.page(names, call.params)
        urls = [self._url(queue, call)["QueueUrl"] for queue in page]
        return {"QueueUrls": urls, **more} if urls else more

    def sources(self, region: Region, call: Call) -> Params:
        """ListDeadLetterSourceQueues, by name."""
        arn = region.by_url(call.params).arn
        found = [queue.name for queue in region.queues.values() if _target(queue.settings) == arn]
        page, more = region.page(found, call.params)
        return {"queueUrls": [self._url(queue, call)["QueueUrl"] for queue in page], **more}

    def delete(self, region: Region, call: Call) -> Params:
        """DeleteQueue; documented: it may take 60 seconds on AWS, and takes none here."""
        queue = region.by_url(call.params)
        del region.queues[queue.name]
        now = queue.now()
        region.deleted = {name: at for name, at in region.deleted.items() if now < at + REST} | {queue.name: now}
        queue.close()
        return {}

    def purge(self, region: Region, call: Call) -> Params:
        """PurgeQueue: all messages, those in flight too, at once."""
        queue = region.by_url(call.params)
        now = queue.now()
        if queue.purged is not None and now < queue.purged + REST:
            raise refusals.purging(queue.name)
        queue.purged = now
        queue.backlog.purge()
        return {}

    def attributes(self, region: Region, call: Call) -> Params:
        """GetQueueAttributes; without names it answers none."""
        queue = region.by_url(call.params)
        wanted = set(call.params.get("AttributeNames") or ())
        for name in sorted(wanted - _STATE - _SETTABLE - {"All"}):
            raise refusals.unknown_attribute(name)
        found = {name: text for name, text in queue.shown().items() if name in wanted or "All" in wanted}
        return {"Attributes": found} if found else {}

    def set_attributes(self, region: Region, call: Call) -> Params:
        """SetQueueAttributes; at once, where AWS takes up to a minute."""
        queue = region.by_url(call.params)
        wanted = call.params.get("Attributes")
        if not wanted:
            raise refusals.missing("Attribute.Name")
        if settings.FIFO in wanted:  # documented: API: CreateQueue, "You can't change the queue type"
            raise refusals.unknown_attribute(settings.FIFO)
        self._set(region, queue, queue.settings.changed(wanted), checked="RedrivePolicy" in wanted)
        return {}

    def add_permission(self, region: Region, call: Call) -> Params:
        """AddPermission."""
        queue = region.by_url(call.params)
        policy = permissions.added(queue.settings.texts.get("Policy"), queue.arn, call.params)
        self._set(region, queue, queue.settings.changed({"Policy": policy}), checked=False)
        return {}

    def remove_permission(self, region: Region, call: Call) -> Params:
        """RemovePermission."""
        queue = region.by_url(call.params)
        policy = permissions.removed(queue.settings.texts.get("Policy"), call.params)
        self._set(region, queue, queue.settings.changed({"Policy": policy}), checked=False)
        return {}

    def tag(self, region: Region, call: Call) -> Params:
        """TagQueue."""
        queue = region.by_url(call.params)
        if not call.params.get("Tags"):
            raise refusals.missing("Tags")
        _tag(queue, call.params["Tags"])
        return {}

    def untag(self, region: Region, call: Call) -> Params:
        """UntagQueue; a key that is not there is no error."""
        queue = region.by_url(call.params)
        for key in call.params.get("TagKeys") or ():
            queue.tags.pop(key, None)
        return {}

    def tags(self, region: Region, call: Call) -> Params:
        """ListQueueTags."""
        tags = region.by_url(call.params).tags
        return {"Tags": dict(tags)} if tags else {}

    def _new(self, region: Region, name: str, wanted: Mapping[str, str]) -> Queue:
        made = settings.read(wanted, fifo=name.endswith(".fifo"))
        queue = Queue(self._world, region=region.name, name=name, settings=made)
        _check_target(region, queue.arn, made)
        if queue.now() < region.deleted.get(name, -REST) + REST:
            raise refusals.deleted_recently()
        region.queues[name] = queue
        self._lag.created(queue.arn)
        return queue

    def _set(self, region: Region, queue: Queue, changed: Settings, *, checked: bool) -> None:
        if checked:
            _check_target(region, queue.arn, changed)
        queue.settings = changed
        queue.modified = queue.now()

    def _url(self, queue: Queue, call: Call) -> Params:
        return {"QueueUrl": url_of(queue, call.caller.host or _NO_HOST)}


def _target(made: Settings) -> str | None:
    return made.redrive.arn if made.redrive is not None else None


def _check_name(name: str, *, fifo: bool) -> None:
    # documented: API: CreateQueue, QueueName; reported: the wordings
    if not name:
        raise refusals.missing("QueueName")
    if fifo and not _FIFO_NAME.fullmatch(name):
        message = "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, "
        raise refusals.invalid(message + "must end with .fifo suffix and be 1 to 80 in length.")
    if not fifo and not _NAME.fullmatch(name):
        message = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
        raise refusals.invalid(message)


def _check_target(region: Region, source: str, made: Settings) -> None:
    """Refuse a dead-letter queue that is none for this source; documented: API: CreateQueue, RedrivePolicy."""
    if made.redrive is None:
        return
    text, target = made.texts["RedrivePolicy"], region.by_arn(made.redrive.arn)
    if target is None:  # reported: serverless/serverless#5215
        raise refusals.invalid_value(text, "RedrivePolicy", "Dead letter target does not exist.")
    if target.settings.fifo != made.fifo:  # assumed: the reason
        reason = "Dead-letter queue must be same type of queue as the source."
        raise refusals.invalid_value(text, "RedrivePolicy", reason)
    if not target.settings.allowance.allows(source):  # assumed: the reason
        reason = "The dead-letter queue's redrive allow policy does not permit this queue."
        raise refusals.invalid_value(text, "RedrivePolicy", reason)


def _tag(queue: Queue, tags: Mapping[str, str]) -> None:
    wanted = {**queue.tags, **tags}
    if len(wanted) > MOST_TAGS:
        raise refusals.invalid(f"Too many tags added for queue {queue.name}.")
    queue.tags = wanted
