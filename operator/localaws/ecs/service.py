"""ECS as a service of localaws: which call goes where, and the state of each account and region."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from localaws.contract import AwsError, Call, Params, World
from localaws.ecs import clusters, definitions, launching, tags, tasks
from localaws.ecs.catalog import Catalog
from localaws.ecs.life import Fargate, Pace
from localaws.ecs.model import Realm
from localaws.ecs.names import Place

Operation = Callable[[Realm, Params], Params]


class EcsService:
    """Amazon ECS; see the package for what it knows.

    `pace` says how fast tasks go through the states in which nothing happens here; `new_id` gives ids of tasks and
    containers, 32 hexadecimal digits each.
    """

    name = "ecs"

    def __init__(
        self, world: World, *, pace: Pace | None = None, new_id: Callable[[], str] = lambda: uuid.uuid4().hex
    ) -> None:
        self._world = world
        self._new_id = new_id
        self._fargate = Fargate(world, pace or Pace())
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
        return operation(self._realm(Place(call.account, call.region)), call.params)

    async def start(self) -> None:
        """Nothing runs by itself before the first task."""

    async def stop(self) -> None:
        """End all tasks where they stand, and wait for the end of their processes."""
        await self._fargate.close()

    def _realm(self, place: Place) -> Realm:
        if place not in self._realms:
            self._realms[place] = Realm(place, self._world.clock, self._new_id, Catalog(place))
        return self._realms[place]

    def _run_task(self, realm: Realm, params: Params) -> Params:
        answer, started = launching.run_task(realm, params)
        for task in started:
            self._fargate.begin(realm.clusters[task.cluster], task)
        return answer

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
