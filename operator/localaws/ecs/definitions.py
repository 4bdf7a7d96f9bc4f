"""Task definitions: the calls that register, show, list, deregister and delete them."""

from __future__ import annotations

import datetime as dt
import itertools
import math
import time
from collections.abc import Iterator

from localaws.contract import Params
from localaws.ecs import catalog, checks, defaults, errors, paging, tags
from localaws.ecs.catalog import Definition
from localaws.ecs.model import Realm

_DELETED_AT_MOST = 10


def register(realm: Realm, params: Params, arrived: float = math.inf) -> Params:
    """RegisterTaskDefinition: each call makes a revision; there is no token and no comparison with the last one.

    Of registrations in one family that are under way at the same time the first to end succeeds; `arrived` is as in
    `contract.Call`.

    documented: API: RegisterTaskDefinition, which has no clientToken; `tags` are answered beside the definition
    """
    family = params["family"]
    checks.check_family(family)
    checks.check_length(params)
    body = defaults.complete(params)
    body["compatibilities"] = checks.compatibilities(body)
    body["registeredAt"] = realm.clock.now()
    body["registeredBy"] = f"arn:aws:iam::{realm.place.account}:root"
    labels = tags.read(params)
    if realm.catalog.overlaps(family, arrived):
        # reported: hashicorp/terraform-provider-aws#9777, prefect#10102
        raise errors.client("Too many concurrent attempts to create a new revision of the specified family.")
    definition = realm.catalog.add(family, body, labels)
    realm.catalog.note_registration(family, time.monotonic())
    realm.lag.created(definition.arn)
    return {"taskDefinition": definition.describe(), "tags": tags.show(definition.tags)}


def describe(realm: Realm, params: Params) -> Params:
    """DescribeTaskDefinition: of a family the latest ACTIVE revision; tags only where asked for.

    documented: API: DescribeTaskDefinition.taskDefinition, .include; reported: the refusal, terraform-provider-aws
    """
    definition = realm.catalog.find(params["taskDefinition"], realm.clock.now(), shown=realm.lag.shows)
    if definition is None:
        raise errors.client("Unable to describe task definition.")
    shown = {"taskDefinition": definition.describe()}
    return shown | ({"tags": tags.show(definition.tags)} if "TAGS" in (params.get("include") or []) else {})


def deregister(realm: Realm, params: Params) -> Params:
    """DeregisterTaskDefinition: INACTIVE at once and for ever.

    documented: API: DeregisterTaskDefinition; AWS may go on running it for up to ten minutes, here it stops at once
    assumed: an INACTIVE revision is answered as it is
    """
    definition = realm.catalog.revision(params["taskDefinition"], realm.clock.now())
    if definition is None:
        raise errors.client("The specified task definition does not exist.")  # assumed: code and wording
    definition.deregister(realm.clock.now())
    return {"taskDefinition": definition.describe()}


def delete(realm: Realm, params: Params) -> Params:
    """DeleteTaskDefinitions: INACTIVE ones become DELETE_IN_PROGRESS, the others are `failures`.

    documented: API: DeleteTaskDefinitions, at most 10 a call
    """
    names: list[str] = params["taskDefinitions"]
    if not 1 <= len(names) <= _DELETED_AT_MOST:
        raise errors.invalid("Specify 1 to 10 task definitions.")  # assumed: the wording
    deleted, failures = [], []
    for name in names:
        definition = realm.catalog.revision(name, realm.clock.now())
        refusal = _why_not_deletable(definition)
        if definition is None or refusal:
            failures.append({"arn": name, "reason": refusal})
            continue
        realm.catalog.delete(definition, realm.clock.now())
        deleted.append(definition.describe())
    return {"taskDefinitions": deleted, "failures": failures}


def _why_not_deletable(definition: Definition | None) -> str:
    """Say why a revision may not be deleted, or nothing (reported: moto's tests, which quote AWS)."""
    if definition is None:
        return "The specified task definition does not exist. Specify a valid account, family, revision and try again."
    if definition.status == catalog.ACTIVE:
        return "The specified task definition is still in ACTIVE status. Please deregister the target and try again."
    return ""


def list_definitions(realm: Realm, params: Params) -> Params:
    """ListTaskDefinitions: ARNs by family and revision, `sort: DESC` turns both round; ACTIVE ones by default.

    documented: API: ListTaskDefinitions.familyPrefix (the full family name), .sort, .status
    """
    descending = params.get("sort") == "DESC"
    status = params.get("status") or catalog.ACTIVE
    found = realm.catalog.listing(params.get("familyPrefix") or None, descending=descending)
    rest = _after(found, paging.resume_key(params, str, int), descending=descending)
    now = realm.clock.now()
    wanted = (d for d in rest if d.status == status and not d.gone(now) and realm.lag.shows(d.arn))
    taken, more = paging.page(wanted, _key, params)
    return {"taskDefinitionArns": [definition.arn for definition in taken], **more}


def _key(definition: Definition) -> list[str | int]:
    return [definition.family, definition.revision]


def _after(found: Iterator[Definition], key: list[str | int] | None, *, descending: bool) -> Iterator[Definition]:
    if key is None:
        return found
    return itertools.dropwhile(lambda d: _key(d) >= key if descending else _key(d) <= key, found)


def list_families(realm: Realm, params: Params) -> Params:
    """ListTaskDefinitionFamilies: those that begin with `familyPrefix`, with or without an ACTIVE revision.

    documented: API: ListTaskDefinitionFamilies.status
    """
    status = params.get("status") or "ALL"
    after = str((paging.resume_key(params, str) or [""])[0])
    taken, more = paging.page(
        _families(realm, params.get("familyPrefix") or "", after, status, realm.clock.now()), lambda n: [n], params
    )
    return {"families": taken, **more}


def _families(realm: Realm, prefix: str, after: str, status: str, now: dt.datetime) -> Iterator[str]:
    for name in realm.catalog.names(prefix, after, now, shown=realm.lag.shows):
        state = catalog.ACTIVE if realm.catalog.is_active(name) else catalog.INACTIVE
        if status in ("ALL", state):
            yield name
