"""The place where the tasks of a LaunchTemplate run, as its verification found it. Checks nothing."""

from dataclasses import dataclass

from backgroundtask.api.template import Clock, TemplateSpec
from backgroundtask.plan.rules import rule_group
from backgroundtask.plan.schedule import Placement, Shelf


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A LaunchTemplate with what its verification found out: the place where tasks run.

    `clocks` are those that it has, or had before: what tasks left on the others is looked for there, and nowhere else,
    as an account may grant nothing on a clock that was never used.
    """

    template: str  # name
    spec: TemplateSpec
    cluster: str  # ARN
    group: str  # of schedules
    clocks: tuple[Clock, ...] = ("Scheduler",)

    def shelf(self, clock: Clock, installation: str) -> Shelf:
        """Where schedules of a clock lie."""
        return Shelf(clock, self.group if clock == "Scheduler" else rule_group(installation))

    def shelves(self, installation: str) -> tuple[Shelf, ...]:
        """Everywhere that schedules of its tasks can lie."""
        return tuple(self.shelf(clock, installation) for clock in self.clocks)

    @property
    def placement(self) -> Placement:
        """Where and on what a task of this template runs."""
        network = self.spec.network
        return Placement(
            cluster=self.cluster,
            subnets=tuple(sorted(network.subnets)),
            security_groups=tuple(sorted(network.security_groups)),
            public_ip=network.assign_public_ip,
            providers=tuple(
                sorted(
                    (one.capacity_provider, one.weight, one.base or 0) for one in self.spec.capacity_provider_strategy
                )
            ),
            platform_version=self.spec.platform_version,
        )


def schedule_group(spec: TemplateSpec, installation: str) -> str:
    """The schedule group of a template: its own, or the installation's."""
    return spec.schedule_group or f"bgt-{installation}"
