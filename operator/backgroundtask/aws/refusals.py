"""What AWS answers instead of doing as asked, and what has to happen next: one table, read from the top.

The first row that fits decides. Within AWS the same thing has many names (a throttle has a dozen, some of them inside
errors that blame the request), so rows are ordered from what is certain to what is general, and a row about the request
comes only after all rows about the caller, the rate and the service. An answer that no row knows is a bug of ours.
Knows codes, words and operations; raises nothing and calls nothing.

Sources: "Common Error Types" and the "Errors" sections of the API references of Amazon ECS, EventBridge Scheduler, SQS,
CloudWatch Logs and STS (also in botocore's service models). Where a row rests on words, on reports from the field:
prefect #10102 and dagster #33439 (throttles in disguise); those about the request are in `request_refusals`,
those of ECR alone in `repository_refusals`, of EventBridge rules in `rule_refusals`.
"""

import re

from backgroundtask.aws.refusal import GROUPS, LOG_GROUPS, STS, Refusal, words
from backgroundtask.aws.repository_refusals import ABOUT_REPOSITORIES
from backgroundtask.aws.request_refusals import ABOUT_THE_REQUEST
from backgroundtask.aws.rule_refusals import ABOUT_RULES
from backgroundtask.errors import Blocked, Busy

DENIED = words(
    "AccessDenied AccessDeniedException UnauthorizedOperation NotAuthorized InvalidSecurity KmsAccessDenied "
    "KMS.AccessDeniedException"
)
"""Codes of an answer that quotes no more of the request than who may not do what on which ARN."""

_KEY = words(
    "KmsDisabled KmsInvalidState KmsNotFound KmsOptInRequired KmsInvalidKeyUsage KMS.DisabledException "
    "KMS.InvalidStateException KMS.NotFoundException KMS.OptInRequired KMS.InvalidKeyUsageException"
)
_SIGNATURE = words("InvalidSignatureException SignatureDoesNotMatch RequestTimeTooSkewed RequestExpired")
_CREDENTIALS = words(
    "UnrecognizedClientException InvalidClientTokenId InvalidAccessKeyId AuthFailure MissingAuthenticationToken "
    "MissingAuthenticationTokenException IncompleteSignature IncompleteSignatureException InvalidIdentityToken "
    "IDPRejectedClaim OptInRequired NotSignedUp RegionDisabledException"
)
_THROTTLES = words(
    "Throttling ThrottlingException ThrottledException RequestThrottled RequestThrottledException SlowDown "
    "TooManyRequestsException RequestLimitExceeded BandwidthLimitExceeded PriorRequestNotComplete KmsThrottled "
    "KMS.ThrottlingException OverLimit 429"
)
_OUTAGES = words(
    "ServerException InternalServerException InternalServerError InternalFailure InternalError RequestTimeout "
    "RequestTimeoutException ServiceUnavailable ServiceUnavailableException IDPCommunicationError"
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
        operations=STS,
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
        codes=words("ExpiredToken ExpiredTokenException TokenRefreshRequired"),
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
    Refusal(Busy, "AwsUnavailable", _OUT, codes=words("404 408"), retry_after=5.0),
    Refusal(
        Blocked,
        "AccessDenied",
        "Something between the operator and AWS denies {operation}: let a proxy or endpoint policy allow it.",
        codes=words("401 403 407"),
    ),
    Refusal(Blocked, "AccountBlocked", "AWS has blocked the account: {text}", codes=words("BlockedException")),
    Refusal(
        Blocked,
        "QuotaExceeded",
        "A quota of the AWS account is used up: free something or have it raised. AWS says: {text}",
        codes=words("ServiceQuotaExceededException LimitExceededException"),
    ),
)

_NOT_FOUND = words("ResourceNotFoundException")
_CONFLICT = words("ConflictException OperationAbortedException")
_WORLD = (
    Refusal(
        Blocked,
        "ClusterNotFound",
        "The ECS cluster of the LaunchTemplate does not exist: create it.",
        codes=words("ClusterNotFoundException"),
    ),
    Refusal(
        Blocked,
        "QueueNotFound",
        "A queue of the LaunchTemplate does not exist: create it, or correct spec.queues.",
        codes=words("QueueDoesNotExist AWS.SimpleQueueService.NonExistentQueue"),
    ),
    Refusal(Blocked, "QueueKeyUnusable", "The KMS key of a queue cannot be used: {text}", codes=_KEY),
    Refusal(
        Busy,
        "ScheduleVanished",
        "The schedule was deleted while it was being updated.",
        codes=_NOT_FOUND,
        operations=words("UpdateSchedule"),
    ),
    Refusal(
        Blocked,
        "ScheduleGroupNotFound",
        "The schedule group does not exist: create it, or let the next check of the LaunchTemplate do so.",
        codes=_NOT_FOUND,
        operations=GROUPS | {"CreateSchedule"},
    ),
    Refusal(
        Busy,
        "LogGroupVanished",
        "The log group was deleted while it was being set up.",
        codes=_NOT_FOUND,
        operations=LOG_GROUPS,
    ),
    Refusal(
        Busy,
        "ScheduleExists",
        "A schedule of this name exists already: it is looked at before anything is changed.",
        codes=_CONFLICT,
        operations=words("CreateSchedule"),
    ),
    Refusal(
        Busy,
        "ScheduleGroupExists",
        "A schedule group of this name exists already: it is looked at before anything is changed.",
        codes=_CONFLICT,
        operations=words("CreateScheduleGroup"),
    ),
    Refusal(Busy, "Conflict", "Another change is in progress where {operation} works.", codes=_CONFLICT),
)

REFUSALS: tuple[Refusal, ...] = _CALLER + _SERVICE + _WORLD + ABOUT_REPOSITORIES + ABOUT_RULES + ABOUT_THE_REQUEST


def real_code(code: str, text: str) -> str:
    """The code to count an error by: a throttle that AWS hides inside another one (dagster #33439) has its own name."""
    return "ThrottlingException" if code not in _THROTTLES and re.search(_RATE, text, re.IGNORECASE) else code
