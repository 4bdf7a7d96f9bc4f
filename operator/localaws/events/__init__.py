"""EventBridge rules: patterns on the default bus of each region, delivering to SQS queues."""

from localaws.events.service import EventsService

__all__ = ["EventsService"]
