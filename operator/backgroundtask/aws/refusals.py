"""What AWS answers instead of doing as asked, and what has to happen next: one table, read from the top.

The first row that fits decides. Within AWS the same thing has many names (a throttle has a dozen, some of them inside
errors that blame the request), so rows are ordered from what is certain to what is general, and a row about the request
comes only after all rows about the caller, the rate and the service. An answer that no row knows is a bug of ours.
Knows codes, words and operations; raises nothing and calls nothing.

Sources: "Common Error Types" and the "Errors" sections of the API references of Amazon ECS, EventBridge Scheduler, SQS,
CloudWatch Logs and STS (also in botocore's service models). Where a row rests on words, on reports from the field:
prefect #10102 and dagster #33439 (throttles in disguise), aws-sdk-js-v3 #6494 (role that Scheduler cannot assume),
fabfuel/ecs-deploy #231 ("Role is not valid"), virtual-kubelet #193 (execution role missing).
"""

import re
from dataclasses import dataclass

from backgroundtask.errors import Blocked, Busy, Expected, Rejected


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


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_STS = _set("AssumeRole AssumeRoleWithWebIdentity")
_GROUPS = _set("CreateScheduleGroup GetScheduleGroup ListTagsForResource TagResource")
_LOG_GROUPS = _set("CreateLogGroup DescribeLogGroups PutRetentionPolicy")
DENIED = _set(
    "AccessDenied AccessDeniedException UnauthorizedOperation NotAuthorized InvalidSecurity KmsAccessDenied "
    "KMS.AccessDeniedException"
)
"""Codes of an answer that quotes no more of the request than who may not do what on which ARN."""

_KEY = _set(
    "KmsDisabled KmsInvalidState KmsNotFound KmsOptInRequired KmsInvalidKeyUsage KMS.DisabledException "
    "KMS.InvalidStateException KMS.NotFoundException KMS.OptInRequired KMS.InvalidKeyUsageException"
)
_SIGNATURE = _set("InvalidSignatureException SignatureDoesNotMatch RequestTimeTooSkewed RequestExpired")
_CREDENTIALS = _set(
    "UnrecognizedClientException InvalidClientTokenId InvalidAccessKeyId AuthFailure MissingAuthenticationToken "
    "MissingAuthenticationTokenException IncompleteSignature IncompleteSignatureException InvalidIdentityToken "
    "IDPRejectedClaim OptInRequired NotSignedUp RegionDisabledException"
)
_THROTTLES = _set(
    "Throttling ThrottlingException ThrottledException RequestThrottled RequestThrottledException SlowDown "
    "TooManyRequestsException RequestLimitExceeded BandwidthLimitExceeded PriorRequestNotComplete KmsThrottled "
    "KMS.ThrottlingException OverLimit 429"
)
_OUTAGES = _set(
    "ServerException InternalServerException InternalServerError InternalFailure InternalError RequestTimeout "
    "RequestTimeoutException ServiceUnavailable ServiceUnavailableException IDPCommunicationError"
)
_INVALID = _set(
    "ClientException InvalidParameterException InvalidParameterValue ValidationException ValidationError "
    "InvalidAddress InvalidAttributeName"
)
_RATE = "rate exceeded|too many concurrent attempts|too many requests|error ?code: throttling|provisioning quota"
_THROTTLED = "AWS limits how often {operation} may be called."
_OUT = "AWS cannot answer {operation} at the moment."

_CALLER = (
    Refusal(Blocked, "RoleNotPassable", "{text}", says="not authorized to perform: iam:PassRole"),
    Refusal(
        Blocked,
        "RoleNotAssumable",
        "{text} Its trust policy has to allow it too, with the external id <installation>/<LaunchTemplate>.",
        codes=DENIED,
        operations=_STS,
    ),
    Refusal(Blocked, "AccessDenied", "{text}", codes=DENIED),
    Refusal(Blocked, "AccessDenied", "{text}", says="is not authorized to perform:"),
    Refusal(
        Blocked,
        "ClockSkewed",
        "AWS finds the time of the operator's machine wrong: set its clock.",
        codes=_SIGNATURE,
        says="signature expired|not yet current|too skewed|request has expired|too large",
    ),
    Refusal(
        Busy,
        "CredentialsExpired",
        "The operator's AWS credentials have expired and are being renewed.",
        codes=_set("ExpiredToken ExpiredTokenException TokenRefreshRequired"),
        retry_after=5.0,
    ),
    Refusal(
        Blocked,
        "CredentialsInvalid",
        "AWS does not accept the operator's credentials for {operation}: give it valid ones. AWS says: {text}",
        codes=_CREDENTIALS | _SIGNATURE,
    ),
)

_SERVICE = (
    Refusal(Busy, "Throttled", _THROTTLED, codes=_THROTTLES, retry_after=5.0),
    Refusal(
        Busy,
        "Throttled",
        _THROTTLED,
        says=_RATE,
        retry_after=5.0,
    ),
    Refusal(Busy, "AwsUnavailable", _OUT, codes=_OUTAGES, retry_after=5.0),
    Refusal(Busy, "AwsUnavailable", _OUT, least_status=500, retry_after=5.0),
    # AWS names its errors; a bare status for a code is the answer of something on the way to it.
    Refusal(Busy, "AwsUnavailable", _OUT, codes=_set("404 408"), retry_after=5.0),
    Refusal(
        Blocked,
        "AccessDenied",
        "Something between the operator and AWS denies {operation}: let a proxy or endpoint policy allow it.",
        codes=_set("401 403 407"),
    ),
    Refusal(Blocked, "AccountBlocked", "AWS has blocked the account: {text}", codes=_set("BlockedException")),
    Refusal(
        Blocked,
        "QuotaExceeded",
        "A quota of the AWS account is used up: free something or have it raised. AWS says: {text}",
        codes=_set("ServiceQuotaExceededException LimitExceededException"),
    ),
)

_NOT_FOUND = _set("ResourceNotFoundException")
_CONFLICT = _set("ConflictException OperationAbortedException")
_WORLD = (
    Refusal(
        Blocked,
        "ClusterNotFound",
        "The ECS cluster of the LaunchTemplate does not exist: create it.",
        codes=_set("ClusterNotFoundException"),
    ),
    Refusal(
        Blocked,
        "QueueNotFound",
        "A queue of the LaunchTemplate does not exist: create it, or correct spec.queues.",
        codes=_set("QueueDoesNotExist AWS.SimpleQueueService.NonExistentQueue"),
    ),
    Refusal(Blocked, "QueueKeyUnusable", "The KMS key of a queue cannot be used: {text}", codes=_KEY),
    Refusal(
        Busy,
        "ScheduleVanished",
        "The schedule was deleted while it was being updated.",
        codes=_NOT_FOUND,
        operations=_set("UpdateSchedule"),
    ),
    Refusal(
        Blocked,
        "ScheduleGroupNotFound",
        "The schedule group does not exist: create it, or let the next check of the LaunchTemplate do so.",
        codes=_NOT_FOUND,
        operations=_GROUPS | {"CreateSchedule"},
    ),
    Refusal(
        Busy,
        "LogGroupVanished",
        "The log group was deleted while it was being set up.",
        codes=_NOT_FOUND,
        operations=_LOG_GROUPS,
    ),
    Refusal(
        Busy,
        "ScheduleExists",
        "A schedule of this name exists already: it is looked at before anything is changed.",
        codes=_CONFLICT,
        operations=_set("CreateSchedule"),
    ),
    Refusal(
        Busy,
        "ScheduleGroupExists",
        "A schedule group of this name exists already: it is looked at before anything is changed.",
        codes=_CONFLICT,
        operations=_set("CreateScheduleGroup"),
    ),
    Refusal(Busy, "Conflict", "Another change is in progress where {operation} works.", codes=_CONFLICT),
)

_REQUEST = (
    Refusal(
        Blocked,
        "RoleNotAssumable",
        "EventBridge Scheduler cannot assume spec.schedulerRoleArn of the LaunchTemplate: create that role, or correct "
        "its trust policy. AWS says: {text}",
        codes=_INVALID,
        says="must allow AWS EventBridge Scheduler to assume|unable to assume the role",
    ),
    Refusal(
        Blocked,
        "RoleNotValid",
        "ECS does not accept a role of the LaunchTemplate: correct executionRoleArn or taskRoles there.",
        codes=_INVALID,
        says="role is not valid",
    ),
    Refusal(
        Blocked,
        "ExecutionRoleMissing",
        "The LaunchTemplate has to name an executionRoleArn. AWS says: {text}",
        codes=_INVALID,
        says="requires? task definition to have execution role",
    ),
    Refusal(
        Rejected,
        "InvalidFargateSize",
        "Fargate has no size of this cpu and memory: change spec.cpu or spec.memory. AWS says: {text}",
        codes=_INVALID,
        says="no fargate configuration exists|invalid '?(cpu|memory)'? setting",
    ),
    *(
        Refusal(Rejected, reason, f"{who} does not accept {what}. AWS says: {{text}}", _INVALID, "", _set(operations))
        for reason, who, what, operations in (
            ("InvalidTaskDefinition", "ECS", "the task definition", "RegisterTaskDefinition"),
            ("InvalidSchedule", "EventBridge Scheduler", "the schedule", "CreateSchedule UpdateSchedule"),
            ("InvalidCluster", "ECS", "the name of the cluster", "DescribeClusters"),
            ("InvalidScheduleGroup", "EventBridge Scheduler", "the schedule group", " ".join(_GROUPS)),
            ("InvalidLogGroup", "CloudWatch Logs", "the log group or its retention", " ".join(_LOG_GROUPS)),
            ("InvalidQueue", "SQS", "the queue", "GetQueueUrl GetQueueAttributes"),
            ("InvalidRole", "STS", "the role to assume", " ".join(_STS)),
        )
    ),
)

REFUSALS: tuple[Refusal, ...] = _CALLER + _SERVICE + _WORLD + _REQUEST


def real_code(code: str, text: str) -> str:
    """The code to count an error by: a throttle that AWS hides inside another one (dagster #33439) has its own name."""
    return "ThrottlingException" if code not in _THROTTLES and re.search(_RATE, text, re.IGNORECASE) else code
