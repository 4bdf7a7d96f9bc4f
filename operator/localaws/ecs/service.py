"""ECS as a service of localaws: which call goes where, and the state of each account and region."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence

from localaws.contract import AwsError, Call, Params, World
from localaws.ecs import clusters, definitions, launching, rendering, tags, tasks
from localaws.ecs.catalog import Catalog
from localaws.ecs.clusters import FARGATE_SPOT
from localaws.ecs.controls import Controls, Leeway
from localaws.ecs.life import Fargate, Pace
from localaws.ecs.model import Realm
from localaws.ecs.names import Place, task_ref
from localaws.ecs.shortages import Shortages
from localaws.lag import Lag
from localaws.throttles import Throttles

Operation = Callable[[Realm, Params], Params]


class EcsService:
    """Amazon ECS; see the package for what it knows.

    `pace` says how fast tasks go through the states in which nothing happens here; `new_id` gives ids of tasks and
    containers, 32 hexadecimal digits each; `throttles` limits how many tasks Fargate launches.
    """

    name = "ecs"

    def __init__(
        self,
        world: World,
        *,
        pace: Pace | None = None,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
        throttles: Throttles | None = None,
    ) -> None:
        self._world = world
        self._throttles = throttles or Throttles(world.clock)
        self._new_id = new_id
        self._fargate = Fargate(world, pace or Pace())
        self.lag = Lag(world.clock)
        self._shortages, self._leeway = Shortages(), Leeway()
        self._controls = Controls(self._shortages, self._leeway, self._interrupt)
        self._realms: dict[Place, Realm] = {}
        self._operations: dict[str, Operation] = {
            "RunTask": self._run_task,
            "StopTask": self._stop_task,
            **_OPERATIONS,
        }

    async def handle(self, call: Call) -> Params:
        """Answer one call; nothing in it waits, so calls never mix.

        Raises:
            AwsError: as AWS answers; UnknownOperationException for what localaws does not offer.
        """
        operation = self._operations.get(call.operation)
        if operation is None:
            offered = ", ".join(sorted(self._operations))
            raise AwsError("UnknownOperationException", f"localaws offers of ecs only: {offered}.")
        realm = self._realm(Place(call.account, call.region))
        if call.operation == "RegisterTaskDefinition":
            return definitions.register(realm, call.params, call.arrived)
        try:
            return operation(realm, call.params)
        finally:
            self.lag.tell(call)

    @property
    def controls(self) -> Sequence[tuple[str, str]]:
        """Which requests of tests it takes: see `contract.Controlled`."""
        return self._controls.routes

    def control(self, method: str, path: str, wanted: Params) -> Params:
        """Do what a test asks under `/_localaws/ecs/`: see `controls`.

        Raises:
            NoSuchControlError: there is no such path.
            ValueError: the request makes no sense; the text says what to change.
        """
        return self._controls.answer(method, path, wanted)

    async def start(self) -> None:
        """Nothing runs by itself before the first task."""

    async def stop(self) -> None:
        """End all tasks where they stand, and wait for the end of their processes."""
        await self._fargate.close()

    def _realm(self, place: Place) -> Realm:
        if place not in self._realms:
            self._realms[place] = Realm(
                place,
                self._world.clock,
                self._new_id,
                Catalog(place),
                self._shortages,
                self._leeway,
                self.lag,
                self._launch_limit(place.region),
            )
        return self._realms[place]

    def _launch_limit(self, region: str) -> Callable[[str, int], None]:
        return lambda provider, count: self._throttles.take("fargate", provider, region, tokens=count)

    def _run_task(self, realm: Realm, params: Params) -> Params:
        answer, started = launching.run_task(realm, params)
        for task in started:
            self._fargate.begin(realm.clusters[task.cluster], task)
            self.lag.created(task.arn)
        return answer

    def _interrupt(self, arn: str) -> Params:
        place, cluster, task_id = task_ref(arn)
        known = self._realm(place).clusters.get(cluster)
        task = known.task(task_id, self._world.clock.now()) if known else None
        if task is None or task.desired_status == "STOPPED":
            raise ValueError(f"no task {arn!r} runs or is about to")
        if task.launch.capacity_provider != FARGATE_SPOT:
            raise ValueError(f"{arn!r} does not run on {FARGATE_SPOT}, which alone is interrupted")
        self._fargate.interrupt(task)
        return rendering.describe(task, with_tags=False)

    def _stop_task(self, realm: Realm, params: Params) -> Params:
        return tasks.stop_task(realm, self._fargate, params)


_OPERATIONS: dict[str, Operation] = {
    "CreateCluster": clusters.create_cluster,
    "DescribeClusters": clusters.describe_clusters,
    "ListClusters": clusters.list_clusters,
    "UpdateCluster": clusters.update_cluster,
    "PutClusterCapacityProviders": clusters.put_capacity_providers,
    "DeleteCluster": clusters.delete_cluster,
    "RegisterTaskDefinition": definitions.register,
    "DescribeTaskDefinition": definitions.describe,
    "ListTaskDefinitions": definitions.list_definitions,
    "ListTaskDefinitionFamilies": definitions.list_families,
    "DeregisterTaskDefinition": definitions.deregister,
    "DeleteTaskDefinitions": definitions.delete,
    "DescribeTasks": tasks.describe_tasks,
    "ListTasks": tasks.list_tasks,
    "TagResource": tags.tag_resource,
    "UntagResource": tags.untag_resource,
    "ListTagsForResource": tags.list_tags,
}
