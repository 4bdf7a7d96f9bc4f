"""What RunTask refuses before anything starts, apart from its overrides.

A list to read, as in `checks`: each takes the request and raises; the first that fails is the answer.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable

from localaws.contract import AwsError, Params
from localaws.ecs import clusters, errors, sizes
from localaws.ecs.catalog import ACTIVE, INACTIVE, Definition
from localaws.ecs.model import Cluster, Realm

_STARTED_BY = re.compile(r"[A-Za-z0-9/_-]{0,128}")
_CLIENT_TOKEN = re.compile(r"[!-~]{1,64}")
_PLATFORMS = ("LATEST", "1.4.0", sizes.OLD_PLATFORM)
_NEWEST_PLATFORM = "1.4.0"
_MOST_TASKS, _MOST_PROVIDERS, _MOST_SUBNETS, _MOST_GROUPS = 10, 20, 16, 5


def check(params: Params) -> None:
    """Check what can be checked without looking at anything else."""
    for rule in _RULES:
        rule(params)


def definition(realm: Realm, params: Params) -> Definition:
    """Find the revision to run (documented: API: RunTask.taskDefinition: of a family the latest ACTIVE one)."""
    found = realm.catalog.find(params["taskDefinition"], realm.clock.now())
    if found is None:
        raise errors.client("TaskDefinition not found.")  # assumed: code and wording
    if found.status != ACTIVE and not _runs_still(realm, found):
        # documented: API: DeregisterTaskDefinition; reported: DefangLabs/defang#775, the answer
        raise errors.invalid("TaskDefinition is inactive")
    return found


def _runs_still(realm: Realm, found: Definition) -> bool:
    """Say whether a deregistered revision is in the window in which it can still be run, if a test wants one."""
    since = found.deregistered_at
    if found.status != INACTIVE or since is None:
        return False
    return realm.clock.now() - since < dt.timedelta(seconds=realm.leeway.deregistered_runs)


def launch_type(params: Params, cluster: Cluster, body: Params) -> tuple[str, str | None]:
    """Decide where it runs: the launch type, and the capacity provider if one was asked for.

    documented: API: RunTask.capacityProviderStrategy, .launchType
    """
    strategy = params.get("capacityProviderStrategy") or []
    asked = params.get("launchType")
    if strategy and asked:
        # reported: CreateService in public issues
        raise errors.invalid(
            "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again."
        )
    clusters.check_associated(cluster.capacity_providers, strategy)
    strategy = strategy or ([] if asked else cluster.default_strategy)
    if not strategy and asked != "FARGATE":
        # reported: public runbooks; a cluster of localaws has no instances, so EC2 and EXTERNAL end here
        raise errors.invalid("No Container Instances were found in your cluster.")
    if "FARGATE" not in body["compatibilities"]:
        # reported: oranmoshai/ecsServiceRestart#2
        raise errors.invalid("Task definition does not support launch_type FARGATE.")
    return "FARGATE", _provider(strategy)


def _provider(strategy: list[Params]) -> str | None:
    """Take the provider with a base, else the heaviest (assumed: a single RunTask is not split)."""
    if not strategy:
        return None
    name: str = max(strategy, key=lambda item: (item.get("base", 0) > 0, item.get("weight", 0)))["capacityProvider"]
    return name


def platform(params: Params, cpu: str) -> str:
    """Decide the platform version; LATEST is the newest (documented: developer guide, Fargate platform versions)."""
    version = params.get("platformVersion") or "LATEST"
    if version not in _PLATFORMS:
        raise AwsError("PlatformUnknownException", "The specified platform does not exist.")  # assumed: the wording
    if version == sizes.OLD_PLATFORM and int(cpu) >= sizes.LARGE_CPU:
        # documented: API: RegisterTaskDefinition.memory; assumed: the wording
        raise AwsError(
            "PlatformTaskDefinitionIncompatibilityException",
            "The specified platform does not satisfy the task definition's required capabilities.",
        )
    return _NEWEST_PLATFORM if version == "LATEST" else version


def subnet(params: Params) -> str:
    """Choose the subnet of the tasks (documented: API: RunTask.networkConfiguration, AwsVpcConfiguration)."""
    network = (params.get("networkConfiguration") or {}).get("awsvpcConfiguration")
    if network is None:
        # reported: fabfuel/ecs-deploy#61
        raise errors.invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
    subnets: list[str] = network["subnets"]
    if not subnets:
        raise errors.invalid("subnets can not be empty.")  # assumed: the wording
    if len(subnets) > _MOST_SUBNETS or len(network.get("securityGroups") or []) > _MOST_GROUPS:
        name, most = ("subnets", _MOST_SUBNETS) if len(subnets) > _MOST_SUBNETS else ("securityGroups", _MOST_GROUPS)
        raise errors.invalid(f"{name} can have at most {most} items.")  # assumed: the wording
    return subnets[0]


def _count(params: Params) -> None:
    if not 1 <= params.get("count", 1) <= _MOST_TASKS:
        raise errors.invalid(f"count should be between 1 and {_MOST_TASKS}.")  # documented: API; assumed: the wording


def _strategy_length(params: Params) -> None:
    if len(params.get("capacityProviderStrategy") or []) > _MOST_PROVIDERS:
        # documented: API: RunTask.capacityProviderStrategy; assumed: the wording
        raise errors.invalid(f"capacityProviderStrategy can have at most {_MOST_PROVIDERS} items.")


def _started_by(params: Params) -> None:
    if not _STARTED_BY.fullmatch(params.get("startedBy") or ""):
        # documented: API: RunTask.startedBy; assumed: the wording
        raise errors.invalid("startedBy can have up to 128 letters, numbers, hyphens, slashes, and underscores.")


def _client_token(params: Params) -> None:
    if "clientToken" in params and not _CLIENT_TOKEN.fullmatch(params["clientToken"]):
        # documented: API: RunTask.clientToken; assumed: the wording
        raise errors.invalid("clientToken can have 1 to 64 ASCII characters in the range of 33-126.")


def _propagate_tags(params: Params) -> None:
    if params.get("propagateTags") not in (None, "TASK_DEFINITION"):
        # documented: API: RunTask.propagateTags for SERVICE; reported: ecspresso for NONE; assumed: the wording
        raise errors.invalid(f"Invalid value for propagateTags: {params['propagateTags']}. Use TASK_DEFINITION.")


_RULES: tuple[Callable[[Params], None], ...] = (_count, _strategy_length, _started_by, _client_token, _propagate_tags)
