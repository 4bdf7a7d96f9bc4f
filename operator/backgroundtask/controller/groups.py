"""Whose schedules these are: the mark of a cluster and an installation on what holds all schedules of a template.

With clock Scheduler that is the schedule group; with clock Rule, where rules have no groups, a rule of its own. Two
clusters that shared one would each take the other's tasks for orphans.
"""

from collections.abc import Mapping

from backgroundtask.api.names import TAG_PREFIX
from backgroundtask.api.template import TemplateSpec
from backgroundtask.aws import Cloud
from backgroundtask.controller.context import Context
from backgroundtask.errors import Blocked, Busy
from backgroundtask.plan.rules import rule_group
from backgroundtask.plan.schedule import Shelf
from backgroundtask.plan.site import Site, schedule_group

CLUSTER_TAG = f"{TAG_PREFIX}cluster"
INSTALLATION_TAG = f"{TAG_PREFIX}installation"


def own_group(context: Context, cloud: Cloud, spec: TemplateSpec) -> str:
    """The ARN of what holds the schedules of a template; from now on it bears our mark.

    Raises:
        Expected: it is another's (NotOwned, ScheduleGroupOfAnotherCluster), or AWS refuses.
    """
    marks = _marks(context)
    shelf = _shelf(context, spec)
    keeper = cloud.on(shelf.clock)
    group = keeper.group(shelf.group)
    if group is None:
        return keeper.create_group(shelf.group, {**spec.tags, **marks}).arn
    _refuse_others(context, shelf, group.tags)
    if marks.items() - group.tags.items():
        keeper.tag_group(group.arn, marks)
    return group.arn


def is_own(context: Context, cloud: Cloud, shelf: Shelf) -> bool:
    """Whether what lies there bears this cluster's mark.

    Raises:
        Expected: AWS cannot be asked.
    """
    group = cloud.on(shelf.clock).group(shelf.group)
    return group is not None and _marks(context).items() <= group.tags.items()


def refuse_unverified_clock(site: Site) -> None:
    """Make nothing on a clock of which the template's status does not tell yet: it would not be found again.

    Raises:
        Busy: LaunchTemplateNotReady.
    """
    if site.spec.clock not in site.clocks:
        raise Busy("LaunchTemplateNotReady", f"LaunchTemplate {site.template} has a new clock: it is verified first.")


def _shelf(context: Context, spec: TemplateSpec) -> Shelf:
    installation = context.settings.installation
    group = schedule_group(spec, installation) if spec.clock == "Scheduler" else rule_group(installation)
    return Shelf(spec.clock, group)


def _marks(context: Context) -> dict[str, str]:
    return {CLUSTER_TAG: context.cluster_uid, INSTALLATION_TAG: context.settings.installation}


def _refuse_others(context: Context, shelf: Shelf, tags: Mapping[str, str]) -> None:
    marks = _marks(context)
    others = {key for key, mark in marks.items() if tags.get(key, mark) != mark}
    what = f"{'Schedule group' if shelf.clock == 'Scheduler' else 'EventBridge rule'} {shelf.group}"
    if shelf.clock == "Rule" and INSTALLATION_TAG not in tags:
        raise Blocked(
            "NotOwned",
            f"{what} was not made by this operator, which marks its rules by one of that name: delete it, or choose "
            "another installation.",
        )
    if INSTALLATION_TAG in others:
        raise Blocked(
            "NotOwned",
            f"{what} belongs to installation {tags[INSTALLATION_TAG]}: "
            "name another in spec.scheduleGroup of a new LaunchTemplate.",
        )
    if CLUSTER_TAG in others and not context.settings.adopt:
        raise Blocked(
            "ScheduleGroupOfAnotherCluster",
            f"{what} belongs to another cluster. Where that one is gone, start this operator once "
            "with --adopt; otherwise give one of the two another installation.",
        )
