"""CloudWatch Logs: the groups that containers write to.

What proves absence here: that the complete list of groups whose names begin like this one's does not hold it.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from backgroundtask.aws.clients import Clients
from backgroundtask.aws.errors import code_of, translated

if TYPE_CHECKING:
    from mypy_boto3_logs.type_defs import LogGroupTypeDef


class LogGroups:
    """CloudWatch Logs of one account and region."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    @translated()
    def ensure(self, name: str, *, retention_days: int | None, tags: Mapping[str, str]) -> None:
        """Make the group, with `tags`, where it is missing, and set its retention where it differs.

        A group that is there keeps its tags, and without `retention_days` its retention too.

        Raises:
            Rejected: InvalidLogGroup, for a name or a number of days that CloudWatch Logs does not know.
            Blocked: QuotaExceeded.
        """
        found = self._find(name)
        if found is None:
            self._create(name, tags)
        kept = found.get("retentionInDays") if found else None
        if retention_days is not None and kept != retention_days:
            self._clients.logs.put_retention_policy(logGroupName=name, retentionInDays=retention_days)

    def _find(self, name: str) -> "LogGroupTypeDef | None":
        pages = self._clients.logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
        groups = (group for page in pages for group in page["logGroups"])
        return next((group for group in groups if group["logGroupName"] == name), None)

    def _create(self, name: str, tags: Mapping[str, str]) -> None:
        try:
            self._clients.logs.create_log_group(logGroupName=name, tags=dict(tags))
        except ClientError as error:
            if code_of(error) != "ResourceAlreadyExistsException":
                raise
