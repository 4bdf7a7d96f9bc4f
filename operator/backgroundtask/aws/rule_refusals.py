"""The part of the table in `refusals` that EventBridge rules alone need.

Sources: the "Errors" sections of the EventBridge API Reference (PutRule, PutTargets, RemoveTargets, DeleteRule); the
words are reported from users of Terraform and the CDK.
"""

from backgroundtask.aws.refusal import Refusal, words
from backgroundtask.errors import Blocked, Busy, Rejected

_WRITES = words("PutRule PutTargets RemoveTargets DeleteRule")
_TARGETS = words("PutTargets RemoveTargets ListTargetsByRule")
_INVALID = words("ValidationException")

ABOUT_RULES: tuple[Refusal, ...] = (
    Refusal(
        Busy,
        "Conflict",
        "Another change of the rule is in progress.",
        codes=words("ConcurrentModificationException"),
    ),
    Refusal(
        Busy,
        "RuleVanished",
        "The EventBridge rule was deleted while it was being changed.",
        codes=words("ResourceNotFoundException"),
        operations=_TARGETS,
    ),
    Refusal(
        Busy,
        "RuleHasTargets",
        "Somebody gave the EventBridge rule a target while it was being deleted.",
        codes=_INVALID,
        says="has targets",
        operations=words("DeleteRule"),
    ),
    Refusal(
        Blocked,
        "RuleManaged",
        "A rule of this name was made by an AWS service and can be changed by that service only. AWS says: {text}",
        codes=words("ManagedRuleException"),
    ),
    Refusal(
        Blocked,
        "EventBridgeDisabled",
        "EventBridge is disabled for the account or region. AWS says: {text}",
        codes=words("OperationDisabledException"),
    ),
    Refusal(
        Blocked,
        "RoleNotAssumable",
        "EventBridge cannot assume spec.schedulerRoleArn of the LaunchTemplate: create that role, or let "
        "events.amazonaws.com assume it in its trust policy. AWS says: {text}",
        codes=_INVALID,
        says="cannot be assumed by principal",
        operations=words("PutTargets"),
    ),
    Refusal(
        Rejected,
        "InvalidSchedule",
        "EventBridge does not accept the rule. AWS says: {text}",
        codes=_INVALID,
        operations=_WRITES,
    ),
)
