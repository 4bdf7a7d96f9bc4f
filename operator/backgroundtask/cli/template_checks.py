"""Whether AWS is as a LaunchTemplate says: cluster, queues, the rule that feeds them, roles, the mark of the group.

Judges queues as the operator does. What nobody granted is told as not looked at, with what to grant; what the policies
of roles allow is not judged.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from backgroundtask.api.conditions import READY, find
from backgroundtask.api.names import TEMPLATE_KIND
from backgroundtask.api.parsing import read_template_status
from backgroundtask.api.template import TemplateSpec
from backgroundtask.aws import Cloud
from backgroundtask.cli.feed_checks import check_feed
from backgroundtask.cli.findings import Finding, doubtful, looked, well, wrong
from backgroundtask.controller.groups import CLUSTER_TAG, INSTALLATION_TAG
from backgroundtask.controller.templates import judge_queue
from backgroundtask.errors import Expected
from backgroundtask.plan.rules import rule_group
from backgroundtask.plan.site import schedule_group

_TASKS: Final = "ecs-tasks.amazonaws.com"
_CLOCKS: Final = {"Scheduler": "scheduler.amazonaws.com", "Rule": "events.amazonaws.com"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """A LaunchTemplate with the AWS that it names. `cluster_uid` is None where one may not ask the cluster for it."""

    name: str
    spec: TemplateSpec
    status: Mapping[str, Any]
    cloud: Cloud
    installation: str
    cluster_uid: str | None

    @property
    def about(self) -> str:
        """What findings about it are called."""
        return f"{TEMPLATE_KIND} {self.name}"


def check_template(patient: Patient) -> Iterator[Finding]:
    """Everything about one template that can be looked at."""
    checks: tuple[Callable[[Patient], Iterator[Finding]], ...] = (
        _check_status, _check_cluster, _check_events, _check_ticks, _check_feed, _check_group, _check_roles,
    )  # fmt: skip
    for check in checks:
        yield from looked(patient.about, partial(check, patient))


def _check_status(patient: Patient) -> Iterator[Finding]:
    verdict = find(read_template_status({"status": patient.status}).conditions, READY)
    if verdict is None:
        yield doubtful(patient.about, "No operator has looked at it.", "Start the operator of this installation.")
    elif verdict.status == "True":
        yield well(patient.about, "The operator says that it is ready.")
    else:
        yield wrong(patient.about, f"The operator says {verdict.reason}.", verdict.message)


def _check_cluster(patient: Patient) -> Iterator[Finding]:
    name, region = patient.spec.cluster, patient.spec.region
    cluster = patient.cloud.ecs.cluster(name)
    if cluster is None:
        yield wrong(patient.about, f"There is no ECS cluster {name} in {region}.", "Create it there.")
    elif cluster.status != "ACTIVE":
        yield wrong(patient.about, f"ECS cluster {name} is {cluster.status}.", "Create it anew.")
    else:
        yield well(patient.about, f"ECS cluster {name} is ACTIVE.")


def _check_events(patient: Patient) -> Iterator[Finding]:
    return _check_queue(patient, patient.spec.queues.events)


def _check_ticks(patient: Patient) -> Iterator[Finding]:
    return _check_queue(patient, patient.spec.queues.ticks, of_rules=patient.spec.clock == "Rule")


def _check_queue(patient: Patient, arn: str, *, of_rules: bool = False) -> Iterator[Finding]:
    facts = patient.cloud.queues.describe(arn)
    try:
        judge_queue(arn, facts, of_rules=of_rules)
    except Expected as error:
        yield wrong(patient.about, f"Queue {_name(arn)}: {error.reason}.", error.message)
        return
    yield well(patient.about, f"Queue {_name(arn)} is there, with a redrive policy.")
    if facts.poison is None:
        return
    waiting = patient.cloud.queues.waiting(facts.poison)
    if waiting:
        yield doubtful(
            patient.about,
            f"{waiting} messages wait for people in {_name(facts.poison)}.",
            "docs/runbook.md, BackgroundTaskPoisonMessages.",
        )


def _check_feed(patient: Patient) -> Iterator[Finding]:
    return check_feed(patient.about, patient.spec, patient.installation, patient.cloud.inspection)


def _check_group(patient: Patient) -> Iterator[Finding]:
    """The schedule group, or the rule that stands for one, bears the marks of this cluster and installation."""
    clock = patient.spec.clock
    name = (
        schedule_group(patient.spec, patient.installation) if clock == "Scheduler" else rule_group(patient.installation)
    )
    group = patient.cloud.on(clock).group(name)
    if group is None:
        yield doubtful(patient.about, f"There is no schedule group {name} yet.", "The operator creates it.")
        return
    owner = group.tags.get(INSTALLATION_TAG)
    if owner != patient.installation:
        yield wrong(
            patient.about, f"Schedule group {name} is of installation {owner}.", "Name another in spec.scheduleGroup."
        )
    elif patient.cluster_uid is None:
        yield doubtful(
            patient.about, f"Whether schedule group {name} is of this cluster is not known.", "Grant get on namespaces."
        )
    elif group.tags.get(CLUSTER_TAG) != patient.cluster_uid:
        yield wrong(
            patient.about,
            f"Schedule group {name} is of another cluster.",
            "Where that one is gone, start the operator once with --adopt: docs/operations.md.",
        )
    else:
        yield well(patient.about, f"Schedule group {name} is of this cluster.")


def _check_roles(patient: Patient) -> Iterator[Finding]:
    spec = patient.spec
    roles = {
        "executionRoleArn": (spec.execution_role_arn, _TASKS),
        "schedulerRoleArn": (spec.scheduler_role_arn, _CLOCKS[spec.clock]),
        **{f"taskRoles.{name}": (arn, _TASKS) for name, arn in sorted(spec.task_roles.items())},
    }
    for member, (arn, service) in roles.items():
        yield from looked(f"{patient.about} {member}", partial(_check_role, patient, member, arn, service))


def _check_role(patient: Patient, member: str, arn: str, service: str) -> Iterator[Finding]:
    about, name = patient.about, arn.rpartition("/")[2]
    trust = patient.cloud.inspection.trust(arn)
    if trust is None:
        yield wrong(about, f"There is no role {name} ({member}).", "Create it, or correct the template.")
    elif service not in trust.services:
        yield wrong(about, f"Role {name} ({member}) does not trust {service}.", "Correct its trust policy.")
    else:
        yield well(about, f"Role {name} ({member}) trusts {service}; what it allows was not looked at.")


def _name(arn: str) -> str:
    return arn.rpartition(":")[2]
