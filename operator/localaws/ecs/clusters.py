"""Clusters: the calls that create, show, change and delete them."""

from __future__ import annotations

import re

from localaws.contract import AwsError, Params
from localaws.ecs import errors, paging, tags
from localaws.ecs.model import Cluster, Realm
from localaws.ecs.names import cluster_name, valid_name

FARGATE_SPOT = "FARGATE_SPOT"
_FARGATE_PROVIDERS = ("FARGATE", FARGATE_SPOT)
_DEFAULT_SETTINGS = [{"name": "containerInsights", "value": "disabled"}]  # documented: API: ClusterSetting
_DESCRIBED_AT_MOST = 100


def create_cluster(realm: Realm, params: Params) -> Params:
    """CreateCluster: "default" without a name; an ACTIVE one of that name is answered as it is.

    assumed: the latter; what terraform and the command line rely on
    """
    name = params.get("clusterName") or "default"
    if not valid_name(name):
        # documented: API: CreateCluster.clusterName; assumed: the wording
        raise errors.invalid("The cluster name can have up to 255 letters, numbers, underscores, and hyphens.")
    known = realm.clusters.get(name)
    if known is not None and known.status == "ACTIVE":
        return {"cluster": show(known, {"TAGS", "SETTINGS", "CONFIGURATIONS"}, realm)}
    providers = list(params.get("capacityProviders") or [])
    cluster = Cluster(
        name,
        realm.place.cluster(name),
        tags.read(params),
        params.get("settings") or _DEFAULT_SETTINGS,
        params.get("configuration"),
        _known_providers(providers),
        _associated(providers, params.get("defaultCapacityProviderStrategy") or []),
    )
    realm.clusters[name] = cluster
    realm.lag.created(cluster.arn)
    return {"cluster": show(cluster, {"TAGS", "SETTINGS", "CONFIGURATIONS"}, realm)}


def describe_clusters(realm: Realm, params: Params) -> Params:
    """DescribeClusters: the default one without names; unknown ones are failures, not errors."""
    wanted: list[str] = params.get("clusters") or ["default"]
    if len(wanted) > _DESCRIBED_AT_MOST:
        raise errors.invalid("Clusters can have at most 100 items.")  # documented: API; assumed: the wording
    include = set(params.get("include") or [])
    found = [_shown(realm, text) for text in wanted]
    # documented: developer guide, "API failure reasons"
    missing = [_failure(realm, text) for text, cluster in zip(wanted, found, strict=True) if cluster is None]
    return {"clusters": [show(cluster, include, realm) for cluster in found if cluster], "failures": missing}


def list_clusters(realm: Realm, params: Params) -> Params:
    """ListClusters: the ACTIVE ones (assumed: deleted ones are not listed)."""
    after = paging.resume_key(params, str) or [""]
    known = (name for name, c in realm.clusters.items() if c.status == "ACTIVE" and realm.lag.shows(c.arn))
    names = sorted(name for name in known if name > str(after[0]))
    taken, more = paging.page(names, lambda name: [name], params)
    return {"clusterArns": [realm.clusters[name].arn for name in taken], **more}


def delete_cluster(realm: Realm, params: Params) -> Params:
    """DeleteCluster: the cluster stays visible as INACTIVE (documented: API: DeleteCluster)."""
    cluster = realm.cluster(params["cluster"])
    if any(not task.stopped for task in cluster.tasks(None, realm.clock.now())):
        # reported: gruntwork-io/cloud-nuke#368
        raise AwsError("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
    cluster.status = "INACTIVE"
    return {"cluster": show(cluster, set(), realm)}


def update_cluster(realm: Realm, params: Params) -> Params:
    """UpdateCluster: settings and configuration, each as a whole."""
    cluster = realm.active_cluster(params["cluster"])
    cluster.settings = params.get("settings") or cluster.settings
    cluster.configuration = params.get("configuration") or cluster.configuration
    return {"cluster": show(cluster, {"SETTINGS", "CONFIGURATIONS"}, realm)}


def put_capacity_providers(realm: Realm, params: Params) -> Params:
    """PutClusterCapacityProviders: replaces the providers and the default strategy."""
    cluster = realm.active_cluster(params["cluster"])
    strategy = _associated(params["capacityProviders"], params["defaultCapacityProviderStrategy"])
    cluster.capacity_providers = _known_providers(params["capacityProviders"])
    cluster.default_strategy = strategy
    return {"cluster": show(cluster, set(), realm)}


def show(cluster: Cluster, include: set[str], realm: Realm) -> Params:
    """Give the shape Cluster, empty where it was not asked for (documented: API: DescribeClusters.include)."""
    states = [task.last_status for task in cluster.tasks(None, realm.clock.now())]
    shown: Params = {
        "clusterArn": cluster.arn,
        "clusterName": cluster.name,
        "status": cluster.status,
        "registeredContainerInstancesCount": 0,
        "runningTasksCount": states.count("RUNNING"),
        "pendingTasksCount": sum(state in ("PROVISIONING", "PENDING", "ACTIVATING") for state in states),
        "activeServicesCount": 0,
        "statistics": [],
        "tags": tags.show(cluster.tags) if "TAGS" in include else [],
        "settings": cluster.settings if "SETTINGS" in include else [],
        "capacityProviders": cluster.capacity_providers,
        "defaultCapacityProviderStrategy": cluster.default_strategy,
    }
    if "CONFIGURATIONS" in include and cluster.configuration is not None:
        shown["configuration"] = cluster.configuration
    return shown


def check_associated(providers: list[str], strategy: list[Params]) -> None:
    """Refuse a strategy with a provider that the cluster does not have."""
    if any(item["capacityProvider"] not in providers for item in strategy):
        # documented: developer guide, "Fargate capacity providers"; assumed: the wording
        raise errors.invalid(
            "The specified capacity provider strategy cannot contain a capacity provider that is not associated with "
            "the cluster. Associate the capacity provider with the cluster and try again."
        )


def _associated(providers: list[str], strategy: list[Params]) -> list[Params]:
    check_associated(providers, strategy)
    return [{"weight": 0, "base": 0, **item} for item in strategy]


def _known_providers(providers: list[str]) -> list[str]:
    for provider in providers:
        if provider not in _FARGATE_PROVIDERS:
            # assumed: the wording; only Fargate's two providers exist here, there are no instances
            raise errors.invalid(
                f"The specified capacity provider '{provider}' was not found. "
                "Specify a valid name or ARN and try again."
            )
    return list(providers)


def _shown(realm: Realm, text: str) -> Cluster | None:
    cluster = realm.clusters.get(cluster_name(text))
    return cluster if cluster and realm.lag.shows(cluster.arn) else None


def _failure(realm: Realm, text: str) -> Params:
    arn = text if re.match("arn:", text) else realm.place.cluster(text)
    return {"arn": arn, "reason": "MISSING"}
