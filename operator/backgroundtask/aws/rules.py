"""EventBridge rules that fire on a schedule, in our nouns: what `schedules` is for EventBridge Scheduler.

What proves absence here: ResourceNotFoundException of DescribeRule, unless what is not found was made here just now.
PutRule replaces what is there, whosever it is, so nothing is made before it was asked for. Scheduled rules live on the
default bus only, and there is no group of them: the rules of an installation are those whose descriptions bear its
mark, and what a group's tags say stands in the tags of a rule of its own, which never fires.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from backgroundtask.aws.clients import Clients
from backgroundtask.aws.errors import code_of, translated
from backgroundtask.aws.schedules import Group
from backgroundtask.aws.unseen import Unseen
from backgroundtask.errors import Busy
from backgroundtask.plan.definition import OWNER_TAG
from backgroundtask.plan.names import owner_of_mark
from backgroundtask.plan.observed import Found
from backgroundtask.plan.rules import TARGET_ID, from_rule, is_in, rule_group, to_rule, to_target
from backgroundtask.plan.schedule import Schedule, marks_in

if TYPE_CHECKING:
    from mypy_boto3_events.type_defs import TagTypeDef, TargetTypeDef

_ABSENT = "ResourceNotFoundException"
_NOTHING = '{"source":["bgtask.dev"]}'  # a pattern: a rule has to have one, or a schedule
_MARK = "Bears the mark of the cluster whose operator's rules these are; it never fires."


class Rules:
    """The default event bus of one account and region. A `group` is `rule_group` of an installation."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._unseen: Unseen[bool] = Unseen()  # by group and name: whether it fires

    @translated()
    def find(self, group: str, name: str) -> Found | None:
        """The rule and its targets, or None where EventBridge does not know it (404).

        Raises:
            Busy: ScheduleNotVisible, where it was made here and EventBridge does not show it yet; RuleVanished.
        """
        answer = self._described(name)
        if answer is None:
            if self._unseen.has(group, name):
                raise Busy("ScheduleNotVisible", f"EventBridge does not show the new rule {name} yet.")
            return None
        self._unseen.settled(group, [name])
        return Found(schedule=from_rule(answer, self._targets(name), group), arn=answer["Arn"])

    @translated()
    def create(self, schedule: Schedule) -> str:
        """Make a rule that is not there yet; its ARN. One of this name is never overwritten.

        Raises:
            Rejected: InvalidSchedule.
            Blocked: RoleNotAssumable, RoleNotPassable, QuotaExceeded.
            Busy: ScheduleExists: somebody made one since; look at it first.
        """
        if self._described(schedule.name) is not None:
            raise Busy("ScheduleExists", "An EventBridge rule of this name exists already: it is looked at first.")
        tags = _tag_list({OWNER_TAG: schedule.owner or ""})
        arn = self._clients.events.put_rule(**to_rule(schedule), Tags=tags)["RuleArn"]
        self._unseen.made(schedule.group, schedule.name, schedule.enabled)
        self._put_target(schedule)
        return arn

    @translated()
    def update(self, schedule: Schedule) -> str:
        """Replace the rule and its targets; its ARN. It never fires what is to be replaced, nor while it is to be off.

        Raises:
            Rejected, Blocked: as `create`.
            Busy: RuleVanished.
        """
        replaces = schedule.edited_target is None
        if replaces and schedule.enabled:
            self._put_only_target(schedule)
        arn = self._clients.events.put_rule(**to_rule(schedule))["RuleArn"]
        self._unseen.changed(schedule.group, schedule.name, schedule.enabled)
        if replaces and not schedule.enabled:
            self._put_only_target(schedule)
        return arn

    @translated()
    def remove(self, group: str, name: str) -> None:
        """Delete a rule, its targets first. One that EventBridge does not know (404) is done."""
        try:
            self._remove_targets(name, [one["Id"] for one in self._targets(name)])
            self._clients.events.delete_rule(Name=name)
        except ClientError as error:
            if code_of(error) != _ABSENT:
                raise
        self._unseen.settled(group, [name])

    @translated()
    def enabled_by_name(self, group: str) -> dict[str, bool]:
        """Every rule of a group, and whether it fires.

        What was made here and EventBridge does not list yet is among them.
        """
        rules = (one for one in self._listed("") if is_in(group, one.get("Description", "")))
        listed = {str(one["Name"]): one["State"] != "DISABLED" for one in rules}
        self._unseen.settled(group, listed)
        return listed | self._unseen.of(group)

    @translated()
    def groups_of(self, prefix: str) -> frozenset[str]:
        """The groups that hold rules whose names begin with `prefix`."""
        owners = (owner_of_mark(marks_in(one.get("Description", "")).owner) for one in self._listed(prefix))
        return frozenset(rule_group(owner.installation) for owner in owners if owner)

    @translated()
    def group(self, name: str) -> Group | None:
        """The rule that bears a group's tags, or None where EventBridge does not know it (404)."""
        answer = self._described(name)
        return None if answer is None else self._group(name, answer["Arn"])

    @translated()
    def create_group(self, name: str, tags: Mapping[str, str]) -> Group:
        """Make the rule that bears a group's tags, which is not there yet.

        Raises:
            Busy: ScheduleGroupExists: somebody made it since; look at its tags first.
        """
        events = self._clients.events
        arn = events.put_rule(
            Name=name, EventPattern=_NOTHING, State="DISABLED", Description=_MARK, Tags=_tag_list(tags)
        )["RuleArn"]
        made = self._group(name, arn)
        if made.tags != tags:  # PutRule ignores tags where the rule is there
            raise Busy("ScheduleGroupExists", f"The rule {name} was made by somebody else meanwhile.")
        return made

    @translated()
    def tag_group(self, arn: str, tags: Mapping[str, str]) -> None:
        """Set tags of a group; others stay."""
        self._clients.events.tag_resource(ResourceARN=arn, Tags=_tag_list(tags))

    def _described(self, name: str) -> Mapping[str, Any] | None:
        try:
            return cast("Mapping[str, Any]", self._clients.events.describe_rule(Name=name))
        except ClientError as error:
            if code_of(error) != _ABSENT:
                raise
            return None

    def _targets(self, name: str) -> list[Mapping[str, Any]]:
        """At most five: one page (EventBridge User Guide, "Quotas")."""
        answer = self._clients.events.list_targets_by_rule(Rule=name)
        return [cast("Mapping[str, Any]", one) for one in answer["Targets"]]

    def _listed(self, prefix: str) -> Iterator[Mapping[str, Any]]:
        paginator = self._clients.events.get_paginator("list_rules")
        for page in paginator.paginate(NamePrefix=prefix) if prefix else paginator.paginate():
            yield from (cast("Mapping[str, Any]", one) for one in page["Rules"])

    def _put_only_target(self, schedule: Schedule) -> None:
        others = [one["Id"] for one in self._targets(schedule.name) if one["Id"] != TARGET_ID]
        self._put_target(schedule)
        self._remove_targets(schedule.name, others)

    def _put_target(self, schedule: Schedule) -> None:
        target = cast("TargetTypeDef", to_target(schedule))
        answer = self._clients.events.put_targets(Rule=schedule.name, Targets=[target])
        _refuse_failed(answer["FailedEntries"], "PutTargets")

    def _remove_targets(self, name: str, ids: Sequence[str]) -> None:
        if not ids:
            return
        answer = self._clients.events.remove_targets(Rule=name, Ids=list(ids))
        left = [one for one in answer["FailedEntries"] if one.get("ErrorCode") != _ABSENT]
        _refuse_failed(left, "RemoveTargets")

    def _group(self, name: str, arn: str) -> Group:
        tags = self._clients.events.list_tags_for_resource(ResourceARN=arn)["Tags"]
        return Group(name=name, arn=arn, state="ACTIVE", tags={tag["Key"]: tag["Value"] for tag in tags})


def _refuse_failed(entries: Iterable[Any], operation: str) -> None:
    """An entry may fail while its call is answered with 200; it is judged as if the call had failed.

    Raises:
        ClientError: an entry failed.
    """
    for entry in entries:
        error = {"Code": entry.get("ErrorCode", ""), "Message": entry.get("ErrorMessage", "")}
        raise ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": 400}}, operation)  # type: ignore[typeddict-item]  # what the judgement reads


def _tag_list(tags: Mapping[str, str]) -> "list[TagTypeDef]":
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
