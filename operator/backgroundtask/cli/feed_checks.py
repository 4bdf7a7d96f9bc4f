"""Whether EventBridge tells the queue `events` how tasks fare: the rule of an installation, and its right to send."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from backgroundtask.api.template import TemplateSpec
from backgroundtask.aws import Feed, Inspection
from backgroundtask.cli.findings import Finding, well, wrong
from backgroundtask.plan.names import family_prefix
from backgroundtask.plan.outcome import TELLING


def check_feed(about: str, spec: TemplateSpec, installation: str, inspection: Inspection) -> Iterator[Finding]:
    """One rule is there that matches the installation's events, is on, and may send to the queue."""
    queue = spec.queues.events
    feeds = inspection.feeds(queue)
    if not feeds:
        message = f"No EventBridge rule sends to {_name(queue)}: nobody learns how tasks end."
        yield wrong(about, message, _rule(installation))
        return
    events = [_event(spec, installation, state) for state in TELLING]
    fitting = [one for one in feeds if one.pattern and all(inspection.matches(one.pattern, event) for event in events)]
    if not fitting:
        names = ", ".join(one.name for one in feeds)
        yield wrong(about, f"Rule {names} does not match the events of this installation's tasks.", _rule(installation))
        return
    on = next((one for one in fitting if one.is_enabled), None)
    if on is None:
        name = fitting[0].name
        yield wrong(about, f"Rule {name} is disabled.", f"aws events enable-rule --name {name}")
        return
    yield _sender(about, queue, on, inspection)


def _sender(about: str, queue: str, feed: Feed, inspection: Inspection) -> Finding:
    if any(_lets_in(statement, feed.arn) for statement in inspection.senders(queue)):
        return well(about, f"Rule {feed.name} feeds queue {_name(queue)}.")
    return wrong(
        about,
        f"Rule {feed.name} may not send to queue {_name(queue)}.",
        f"Let the queue's policy allow events.amazonaws.com to call sqs:SendMessage, with aws:SourceArn {feed.arn}.",
    )


def _lets_in(statement: Mapping[str, Any], rule: str) -> bool:
    """Whether a statement of a queue's policy lets a rule send; conditions but for aws:SourceArn are taken as met."""
    principal = statement.get("Principal", {})
    services = "*" if principal == "*" else principal.get("Service", principal.get("AWS", ()))
    actions = statement.get("Action", ())
    is_for_rules = any(one in {"*", "events.amazonaws.com"} for one in _several(services))
    may_send = any(one.lower() in {"*", "sqs:*", "sqs:sendmessage"} for one in _several(actions))
    sources = [
        source
        for members in statement.get("Condition", {}).values()
        for key, value in members.items()
        if key.lower() == "aws:sourcearn"
        for source in _several(value)
    ]
    fits = not sources or any(_is_like(rule, source) for source in sources)
    return statement.get("Effect") == "Allow" and is_for_rules and may_send and fits


def _is_like(arn: str, pattern: str) -> bool:
    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), arn) is not None


def _several(value: object) -> list[str]:
    return [value] if isinstance(value, str) else [str(one) for one in value] if isinstance(value, list | tuple) else []


def _event(spec: TemplateSpec, installation: str, state: str) -> dict[str, Any]:
    """An ECS Task State Change of a task of this installation, to a state (Amazon ECS Developer Guide, its events)."""
    partition, account = spec.queues.events.split(":")[1], spec.queues.events.split(":")[4]
    place = f"arn:{partition}:ecs:{spec.region}:{account}"
    cluster = f"{place}:cluster/{spec.cluster.rpartition('/')[2]}"
    family = f"{family_prefix(installation)}namespace_task"
    return {
        "version": "0",
        "id": "00000000-0000-0000-0000-000000000000",
        "detail-type": "ECS Task State Change",
        "source": "aws.ecs",
        "account": account,
        "time": "2026-01-01T00:00:00Z",
        "region": spec.region,
        "resources": [cluster.replace(":cluster/", ":task/") + "/0"],
        "detail": {
            "clusterArn": cluster,
            "group": f"family:{family}",
            "taskDefinitionArn": f"{place}:task-definition/{family}:1",
            "lastStatus": state,
            "desiredStatus": "STOPPED",
            "version": 1,
        },
    }


def _rule(installation: str) -> str:
    prefix = f"family:{family_prefix(installation)}"
    return (
        "Create a rule: source aws.ecs, detail-type ECS Task State Change, detail.clusterArn the cluster, detail.group "
        f"with the prefix {prefix}, detail.lastStatus {', '.join(TELLING)} or any, target the queue."
    )


def _name(arn: str) -> str:
    return arn.rpartition(":")[2]
