"""One row of the table of refusals, and the codes of AWS that more than one part of the table names."""

import re
from dataclasses import dataclass

from backgroundtask.errors import Expected


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row: whatever is given has to fit. `message` may name {operation} and {text}, which is AWS's own sentence.

    `says` is a regular expression, `least_status` an HTTP status; `retry_after` are seconds, of `Busy`.
    """

    kind: type[Expected]
    reason: str
    message: str
    codes: frozenset[str] = frozenset()
    says: str = ""
    operations: frozenset[str] = frozenset()
    least_status: int = 0
    retry_after: float = 2.0

    def fits(self, *, code: str, text: str, operation: str, status: int) -> bool:
        """Does the row speak of this answer?"""
        return (
            (not self.codes or code in self.codes)
            and (not self.operations or operation in self.operations)
            and status >= self.least_status
            and re.search(self.says, text, re.IGNORECASE) is not None
        )


def words(text: str) -> frozenset[str]:
    """The words of a text: codes or operations, as a row has them."""
    return frozenset(text.split())


STS = words("AssumeRole AssumeRoleWithWebIdentity")
GROUPS = words("CreateScheduleGroup GetScheduleGroup ListTagsForResource TagResource")
LOG_GROUPS = words("CreateLogGroup DescribeLogGroups PutRetentionPolicy")
INVALID = words(
    "ClientException InvalidParameterException InvalidParameterValue ValidationException ValidationError "
    "InvalidAddress InvalidAttributeName"
)
"""Codes by which a service says that it does not like the request."""
