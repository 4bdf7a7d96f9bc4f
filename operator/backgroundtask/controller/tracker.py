"""Which SQS queues are read, and as whom: one reader a queue, for as long as a template names it.

Templates may share queues, and each may have an identity of its own: a queue is read as the first template that names
it, and as the next one when that is gone. How a queue is read is `reader`'s business.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from backgroundtask.api.template import TemplateSpec
from backgroundtask.aws import Cloud
from backgroundtask.controller.context import Context
from backgroundtask.controller.drains import Report
from backgroundtask.controller.messages import Events, Ticks
from backgroundtask.controller.reader import Reader, Take

_ASSURED = 2.0  # seconds that an answer of the API server vouches for the next one


@dataclass(frozen=True, slots=True)
class _Named:
    """The queues that a template names, by ARN, and its identity."""

    cloud: Cloud
    takers: Mapping[str, Take]


class Tracker:
    """All readers of the process."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._assurance = Assurance(context.kube.cluster_uid)
        self._lock = threading.Lock()
        self._readers: dict[str, Reader] = {}
        self._named: dict[str, _Named] = {}  # by template

    def follow(self, template: str, cloud: Cloud, spec: TemplateSpec) -> None:
        """Read the queues that a template names now, and no longer those that it named before."""
        takers: dict[str, Take] = {
            spec.queues.ticks: Ticks(self._context).take,
            spec.queues.events: Events(self._context, cloud).take,
        }
        with self._lock:
            self._named[template] = _Named(cloud, takers)
            self._settle()

    def forget(self, template: str) -> None:
        """The template is gone."""
        with self._lock:
            self._named.pop(template, None)
            self._settle()

    def stop_receiving(self) -> None:
        """Take nothing up any more; what is stored is still acknowledged. Nobody waits for that."""
        for reader in self._all():
            reader.stop_receiving()

    def stop(self, timeout: float) -> None:
        """End all readers within `timeout` seconds; what is stored by then is acknowledged, all else comes again."""
        readers = self._all()
        for reader in readers:
            reader.stop()
        end = time.monotonic() + timeout
        for reader in readers:
            reader.join(max(end - time.monotonic(), 0.0))

    def ended(self) -> list[str]:
        """What those threads did that ended though nobody told them to: a queue is not read, or read for ever."""
        return [name for reader in self._all() for name in reader.ended()]

    def _all(self) -> list[Reader]:
        with self._lock:
            return list(self._readers.values())

    def _settle(self) -> None:
        """Let each queue that is named be read, as a template that names it, and no other."""
        wanted: dict[str, _Named] = {}
        for named in self._named.values():
            for arn in named.takers:
                wanted.setdefault(arn, named)
        for arn, reader in list(self._readers.items()):
            if arn not in wanted or reader.cloud is not wanted[arn].cloud:
                self._readers.pop(arn).stop()
        for arn in wanted.keys() - self._readers.keys():
            named = wanted[arn]
            report = Report(now=self._context.now, drained=partial(self._context.drains.note, arn))
            reader = Reader(named.cloud, arn, named.takers[arn], self._assurance, report=report)
            self._readers[arn] = reader
            reader.start()


class Assurance:
    """That the API server answers: one question for all readers, and one at a time."""

    def __init__(self, ask: Callable[[], object]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._until = 0.0

    def __call__(self) -> None:
        """Raise Expected while the API server does not answer."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._ask()
                self._until = time.monotonic() + _ASSURED
