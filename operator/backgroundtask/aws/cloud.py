"""AWS as the operator sees it: for each region and identity the services that it works on.

One `Clouds` per process. A LaunchTemplate's role is assumed with the external id `<installation>/<template>`, so that a
role that trusts one template of one installation serves no other (AWS IAM, "The confused deputy problem").
"""

import logging
import threading
from dataclasses import dataclass

import boto3
import botocore.session
from botocore.client import BaseClient
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import NoCredentialsError

from backgroundtask.api.template import Clock
from backgroundtask.aws.clients import Clients, OnCall, config_of, session_on
from backgroundtask.aws.ecr import Repositories
from backgroundtask.aws.ecs import Ecs
from backgroundtask.aws.errors import translated
from backgroundtask.aws.fencing import BeforeWrite, fence
from backgroundtask.aws.inspection import Inspection
from backgroundtask.aws.log_events import LogEvents
from backgroundtask.aws.logs import LogGroups
from backgroundtask.aws.models import terse_loader
from backgroundtask.aws.pacing import Pace, Pacing
from backgroundtask.aws.queues import Queues
from backgroundtask.aws.rules import Rules
from backgroundtask.aws.schedules import Schedules


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """What a LaunchTemplate's tasks live on: synchronous, and safe to share between threads.

    All of it raises `Rejected`, `Blocked` and `Busy` only; anything else is a bug.
    """

    ecs: Ecs
    schedules: Schedules
    rules: Rules
    queues: Queues
    logs: LogGroups
    log_events: LogEvents
    repositories: Repositories
    inspection: Inspection
    pace: Pace

    def on(self, clock: Clock) -> Schedules | Rules:
        """What keeps schedules of a clock: both take and answer the same."""
        return self.schedules if clock == "Scheduler" else self.rules


class Clouds:
    """Every cloud that the process works on. Nothing is called, and no client made, before it is needed.

    `region` is where roles are assumed (default: the region asked for); `threads` is how many call at once. The
    environment's AWS_*, such as AWS_ENDPOINT_URL, mean what they mean to every AWS SDK.
    """

    def __init__(
        self,
        *,
        installation: str,
        region: str | None = None,
        threads: int = 8,
        on_call: OnCall | None = None,
        before_write: BeforeWrite | None = None,
        pacing: Pacing | None = None,
    ) -> None:
        self.pacing = pacing or Pacing()
        self._installation = installation
        self._region = region
        self._threads = threads
        self._on_call = on_call
        self._before_write = before_write
        self._lock = threading.Lock()
        self._loader = terse_loader()
        self._clouds: dict[tuple[str, str, str], Cloud] = {}
        self._own: boto3.Session | None = None
        # At DEBUG botocore logs the bodies of requests, and with them env values; at INFO, where its settings are from.
        logging.getLogger("botocore").setLevel(logging.WARNING)

    @translated()
    def of(self, *, region: str, assume_role_arn: str | None, template: str) -> Cloud:
        """The cloud of a LaunchTemplate; the same object for the same region and identity.

        Raises:
            Blocked: NoCredentials, where a role is to be assumed and the operator has no credentials to do so.
        """
        role, external_id = (assume_role_arn, f"{self._installation}/{template}") if assume_role_arn else ("", "")
        key = (region, role, external_id)
        with self._lock:
            if key not in self._clouds:
                self._clouds[key] = self._cloud(*key)
            return self._clouds[key]

    def _cloud(self, region: str, role: str, external_id: str) -> Cloud:
        session = self._assumed(region, role, external_id) if role else self._operator
        pace = self.pacing.of(role.split(":")[4] if role else "", region)  # AWS counts an account's calls, not a role's
        clients = Clients(session, region=region, pace=pace, lock=self._lock, threads=self._threads)
        queues = Queues(clients)
        return Cloud(
            ecs=Ecs(clients),
            schedules=Schedules(clients),
            rules=Rules(clients),
            queues=queues,
            logs=LogGroups(clients),
            log_events=LogEvents(clients),
            repositories=Repositories(clients),
            inspection=Inspection(clients, queues),
            pace=pace,
        )

    @property
    def _operator(self) -> boto3.Session:
        if self._own is None:
            self._own = boto3.Session(botocore_session=self._session())
        return self._own

    def _session(self) -> botocore.session.Session:
        session = session_on(self._loader, self._on_call)
        if self._before_write is not None:
            fence(session, self._before_write)
        return session

    def _assumed(self, region: str, role: str, external_id: str) -> boto3.Session:
        source = self._operator.get_credentials()
        if source is None:
            raise NoCredentialsError
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=self._sts_of(self._region or region),
            source_credentials=source,
            role_arn=role,
            # The session's name is in AWS's messages, which end in conditions: it never changes.
            extra_args={"RoleSessionName": f"bgt-{self._installation}", "ExternalId": external_id},
        )
        session = self._session()
        session.register_component("credential_provider", CredentialResolver([_Assumed(fetcher)]))
        return boto3.Session(botocore_session=session)

    def _sts_of(self, region: str) -> "_StsClients":
        return _StsClients(self._operator, region=region, lock=self._lock)


class _Assumed(CredentialProvider):
    """Credentials that are fetched when first used, and again before they expire."""

    METHOD = "assume-role"

    def __init__(self, fetcher: AssumeRoleCredentialFetcher) -> None:
        super().__init__()
        self._fetcher = fetcher

    def load(self) -> DeferredRefreshableCredentials:
        return DeferredRefreshableCredentials(self._fetcher.fetch_credentials, self.METHOD)


class _StsClients:
    """Makes a client for each renewal, as the fetcher asks, with the keys that it brings."""

    def __init__(self, session: boto3.Session, *, region: str, lock: threading.Lock) -> None:
        self._session = session
        self._region = region
        self._lock = lock

    def __call__(
        self, _: str, *, aws_access_key_id: str, aws_secret_access_key: str, aws_session_token: str | None
    ) -> BaseClient:
        with self._lock:
            return self._session.client(
                "sts",
                region_name=self._region,
                config=config_of(threads=1, attempts=2),
                aws_access_key_id=aws_access_key_id,
                aws_secret_access_key=aws_secret_access_key,
                aws_session_token=aws_session_token,
            )
