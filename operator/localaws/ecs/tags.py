"""Tags: which ones ECS takes, and the three calls that keep them on clusters, task definitions and tasks."""

from __future__ import annotations

from localaws.contract import Params
from localaws.ecs import errors
from localaws.ecs.model import Realm

_LIMIT = 50


def read(params: Params) -> dict[str, str]:
    """Read the `tags` of a request.

    documented: API: Task.tags, at most 50, unique keys, nothing that begins with aws: in any case
    assumed: the wording of the refusals
    """
    found: list[Params] = params.get("tags") or []
    if any("key" not in tag for tag in found):
        raise errors.invalid("Tag key must be specified.")
    tags = {tag["key"]: tag.get("value", "") for tag in found}
    if len(tags) != len(found):
        raise errors.invalid("Duplicate tag keys found. Please provide unique tag keys.")
    if any(text.lower().startswith("aws:") for item in tags.items() for text in item):
        raise errors.invalid("Some tags contain invalid values. Valid: no key or value may begin with 'aws:'.")
    check_count(tags)
    return tags


def check_count(tags: dict[str, str]) -> None:
    """Refuse more than 50; those of AWS itself do not count."""
    if sum(not key.startswith("aws:") for key in tags) > _LIMIT:
        raise errors.invalid(f"The maximum number of tags per resource is {_LIMIT}.")


def show(tags: dict[str, str]) -> list[Params]:
    """Give the shape Tags."""
    return [{"key": key, "value": value} for key, value in tags.items()]


def tag_resource(realm: Realm, params: Params) -> Params:
    """TagResource: adds tags and replaces those of the same key."""
    kept = _of(realm, params["resourceArn"])
    merged = kept | read(params)
    check_count(merged)
    kept.update(merged)
    return {}


def untag_resource(realm: Realm, params: Params) -> Params:
    """UntagResource: absent keys are fine."""
    kept = _of(realm, params["resourceArn"])
    for key in params["tagKeys"]:
        kept.pop(key, None)
    return {}


def list_tags(realm: Realm, params: Params) -> Params:
    """ListTagsForResource."""
    return {"tags": show(_of(realm, params["resourceArn"]))}


def _of(realm: Realm, arn: str) -> dict[str, str]:
    """Find the tags of a resource, to be changed in place."""
    kind = arn.rpartition(":task-definition/")[1] or arn.rpartition(":task/")[1] or arn.rpartition(":cluster/")[1]
    match kind:
        case ":task-definition/":
            return _of_definition(realm, arn)
        case ":cluster/":
            return realm.cluster(arn).tags
        case ":task/":
            return _of_task(realm, arn)
        case _:
            raise errors.invalid(f"Invalid resource ARN: {arn}")  # assumed: the wording


def _of_definition(realm: Realm, arn: str) -> dict[str, str]:
    definition = realm.catalog.revision(arn, realm.clock.now())
    if definition is None:
        raise errors.client("The specified task definition was not found.")  # assumed: code and wording
    return definition.tags


def _of_task(realm: Realm, arn: str) -> dict[str, str]:
    cluster, _, task_id = arn.rpartition(":task/")[2].partition("/")
    task = realm.cluster(cluster).task(task_id, realm.clock.now())
    if task is None:
        raise errors.invalid("The specified task was not found.")  # assumed: code and wording
    return task.tags
