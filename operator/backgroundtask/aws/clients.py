"""The boto3 clients of one identity in one region: made when first used, shared by all threads, watched call by call.

Knows time-outs, retries and memory; nothing of what the calls mean. Making a client is slow and not thread-safe, using
one is (boto3, "Multithreading or multiprocessing with clients").
"""

import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
import botocore.session
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import NoCredentialsError
from botocore.loaders import Loader

from backgroundtask.aws.pacing import Pace
from backgroundtask.aws.refusals import real_code

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sts import STSClient

OnCall = Callable[[str, str, float], None]
"""Told of every attempt, on the thread that makes the call: operation (`ecs.RegisterTaskDefinition`), what came of it,
and seconds. What came of it is `OK`, AWS's error code (`ThrottlingException` also where a throttle is hidden inside
another error), or the name of botocore's exception."""

LONGEST_POLL = 20
"""Seconds that SQS lets ReceiveMessage wait (SQS API, ReceiveMessage: WaitTimeSeconds)."""

_CONNECT = 5  # seconds
_READ = 20  # seconds
_READ_LINES = 5  # seconds
_ATTEMPTS = 2  # one quick retry bridges a dropped connection; the work queue does the rest, without holding a thread
_SPARE_CONNECTIONS = 4  # of the readers of queues, which ask ECS for what an event leaves out
_READERS = 100  # threads that receive or delete, two a queue; what is not used costs nothing, more readers work slower
_METRIC_NAMES = {"cloudwatch-logs": "logs", "eventbridge": "events"}

_Client = TypeVar("_Client", bound=BaseClient)


class Clients:
    """The clients of one identity in one region. They sign with the session's credentials, which renew themselves."""

    def __init__(
        self,
        session: boto3.Session,
        *,
        region: str,
        pace: Pace,
        lock: threading.Lock,
        threads: int = 8,
        attempts: int = _ATTEMPTS,
    ) -> None:
        self.region = region
        self._pace = pace
        self._session = session
        self._lock = lock
        self._threads = threads
        self._attempts = attempts
        self._made: dict[str, Any] = {}

    @property
    def ecs(self) -> "ECSClient":
        """Amazon ECS, for all that may be repeated."""
        return self._once(
            "ecs", lambda: self._session.client("ecs", region_name=self.region, config=self._config(self._attempts))
        )

    @property
    def once(self) -> "ECSClient":
        """Amazon ECS without retries, for what may take effect even where its answer gets lost.

        A RegisterTaskDefinition makes a revision each time; whether a RunTask is sent again is decided where its token
        and its first moment are known.
        """
        return self._once("once", lambda: self._session.client("ecs", region_name=self.region, config=self._config(1)))

    @property
    def scheduler(self) -> "EventBridgeSchedulerClient":
        """EventBridge Scheduler. A retried write carries the client token that botocore gave its first attempt."""
        config = partial(self._config, self._attempts)
        return self._once(
            "scheduler", lambda: self._session.client("scheduler", region_name=self.region, config=config())
        )

    @property
    def events(self) -> "EventBridgeClient":
        """EventBridge. Its writes say what there is to be, so that they may be repeated."""
        config = partial(self._config, self._attempts)
        return self._once("events", lambda: self._session.client("events", region_name=self.region, config=config()))

    @property
    def sqs(self) -> "SQSClient":
        """SQS, patient enough for a long poll."""
        config = partial(self._config, self._attempts, also=_READERS, read=_READ + LONGEST_POLL)
        return self._once("sqs", lambda: self._session.client("sqs", region_name=self.region, config=config()))

    @property
    def logs(self) -> "CloudWatchLogsClient":
        """CloudWatch Logs."""
        config = partial(self._config, self._attempts)
        return self._once("logs", lambda: self._session.client("logs", region_name=self.region, config=config()))

    @property
    def ecr(self) -> BaseClient:
        """Amazon ECR; `aws.ecr` knows its operations."""
        return self._once("ecr", self._ecr)

    @property
    def iam(self) -> "IAMClient":
        """AWS IAM, which only people ask."""
        config = partial(self._config, self._attempts)
        return self._once("iam", lambda: self._session.client("iam", region_name=self.region, config=config()))

    @property
    def sts(self) -> "STSClient":
        """AWS STS, to be asked who we are."""
        config = partial(self._config, self._attempts)
        return self._once("sts", lambda: self._session.client("sts", region_name=self.region, config=config()))

    @property
    def log_lines(self) -> "CloudWatchLogsClient":
        """CloudWatch Logs for lines, which are worth neither a second attempt nor a long wait."""
        config = partial(self._config, 1, read=_READ_LINES)
        return self._once("log_lines", lambda: self._session.client("logs", region_name=self.region, config=config()))

    def _ecr(self) -> BaseClient:
        client: BaseClient = self._session.client("ecr", region_name=self.region, config=self._config(self._attempts))
        return client

    def _config(self, attempts: int, *, also: int = 0, read: int = _READ) -> Config:
        """Made with a client only: it takes as long as a tenth of a call."""
        return config_of(threads=self._threads + also, attempts=attempts, read=read)

    def _once(self, name: str, make: Callable[[], _Client]) -> _Client:
        made: _Client | None = self._made.get(name)
        if made is not None:
            return made
        with self._lock:
            if name not in self._made:
                if self._session.get_credentials() is None:
                    raise NoCredentialsError  # a client made now would stay without credentials when some appear
                client = make()
                self._pace.connect(client)
                self._made[name] = client
            ready: _Client = self._made[name]
        return ready


def config_of(*, threads: int, attempts: int, read: int = _READ) -> Config:
    """How a client calls: `attempts` in all, `read` seconds without an answer before an attempt is given up."""
    return Config(
        connect_timeout=_CONNECT,
        read_timeout=read,
        max_pool_connections=threads + _SPARE_CONNECTIONS,
        retries={"mode": "standard", "total_max_attempts": attempts},
        tcp_keepalive=True,
        user_agent_extra="backgroundtask-operator",
    )


def session_on(loader: Loader, on_call: OnCall | None) -> botocore.session.Session:
    """A session whose clients share the service models of `loader` and tell `on_call` of every attempt."""
    session = botocore.session.Session()
    session.register_component("data_loader", loader)
    if on_call is not None:
        watch = _Watch(on_call)
        session.register("before-send", watch.sent)
        session.register("response-received", watch.answered)
    return session


class _Watch:
    """Takes the time of each attempt. Sending and answer are told on the same thread, one after the other."""

    def __init__(self, on_call: OnCall) -> None:
        self._on_call = on_call
        self._here = threading.local()

    def sent(self, **_: Any) -> None:  # noqa: ANN401 - botocore's event
        self._here.since = time.monotonic()

    def answered(self, **told: Any) -> None:  # noqa: ANN401 - botocore's event
        _, service, operation = told["event_name"].split(".")
        seconds = time.monotonic() - self._here.since
        self._on_call(f"{_METRIC_NAMES.get(service, service)}.{operation}", _code(**told), seconds)


def _code(*, parsed_response: Mapping[str, Any] | None, exception: Exception | None, **_: object) -> str:
    if exception is not None:
        return type(exception).__name__
    error = (parsed_response or {}).get("Error")
    return real_code(str(error.get("Code") or "Unknown"), str(error.get("Message") or "")) if error else "OK"
