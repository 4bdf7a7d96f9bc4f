"""Secrets of a container: from `valueFrom` to values, as the execution role of the task would fetch them.

The values pass through to the process and appear nowhere else: no error text here holds one.
"""

from __future__ import annotations

import json
from typing import Any

from localaws.contract import AwsError, Params, World
from localaws.ecs.failures import ResourceInitialization

_PRINCIPAL = "ecs-tasks.amazonaws.com"
_ASM_ARN_PARTS = 7  # arn:aws:secretsmanager:region:account:secret:name, then json key, version stage, version id
_PULL = "unable to pull secrets or registry auth: "


async def resolve(world: World, secrets: list[Params], region: str) -> dict[str, str]:
    """Fetch the secrets of a container, by the names of their variables.

    Raises:
        ResourceInitialization: one of them is not there.
    """
    return {secret["name"]: await _fetch(world, secret["valueFrom"], region) for secret in secrets}


async def _fetch(world: World, source: str, region: str) -> str:
    """documented: API: Secret.valueFrom: an ARN of either store, or the name of a parameter of the same region."""
    if source.startswith("arn:aws:secretsmanager:"):
        return await _from_secrets_manager(world, source)
    if source.startswith("arn:aws:ssm:"):
        return await _from_ssm(world, _parameter_name(source), source.split(":")[3])
    return await _from_ssm(world, source, region)


async def _from_secrets_manager(world: World, source: str) -> str:
    """documented: developer guide, "Pass Secrets Manager secrets": arn:json-key:version-stage:version-id, all optional.

    documented: the sentence "The task can't retrieve the secret with ARN …"; assumed: what stands around it
    """
    parts = source.split(":")
    arn, rest = ":".join(parts[:_ASM_ARN_PARTS]), parts[_ASM_ARN_PARTS:]
    json_key, stage, version = (*rest, "", "", "")[:3]
    wanted = {"SecretId": arn, "VersionStage": stage, "VersionId": version}
    request = {name: value for name, value in wanted.items() if value}
    try:
        answer = await world.call("secretsmanager", "GetSecretValue", request, region=parts[3], principal=_PRINCIPAL)
    except AwsError as e:
        raise ResourceInitialization(
            f"{_PULL}unable to retrieve secret from asm: The task can't retrieve the secret with ARN '{arn}' from "
            f"Secrets Manager. Check whether the secret exists in the specified Region. {e.code}: {e.message}"
        ) from e
    if "SecretString" not in answer:
        # documented: developer guide, "Pass Secrets Manager secrets": no binary ones; assumed: the wording
        raise ResourceInitialization(
            f"{_PULL}unable to retrieve secret from asm: the secret with ARN '{arn}' has no SecretString"
        )
    text = answer["SecretString"]
    return _json_value(text, json_key) if json_key else text


async def check_registry(world: World, credentials: str, region: str) -> None:
    """Fetch the credentials of a private registry, to use them for nothing: localaws pulls no images.

    documented: API: RepositoryCredentials.credentialsParameter: an ARN, or the name of a secret of the same region;
    developer guide, "Using non-AWS container images in Amazon ECS": {"username": …, "password": …}
    reported: aws-samples/keycloak-on-aws#222; amazon-ecs-agent's source, agent/asm; assumed: how the two go together

    Raises:
        ResourceInitialization: the secret is not there, or holds something else.
    """
    home = credentials.split(":")[3] if credentials.startswith("arn:") else region
    request = {"SecretId": credentials}
    try:
        answer = await world.call("secretsmanager", "GetSecretValue", request, region=home, principal=_PRINCIPAL)
    except AwsError as e:
        raise _no_registry_auth(f"asm fetching secret from the service for {credentials}: {e.code}: {e.message}") from e
    if not {"username", "password"} <= _json_fields(answer.get("SecretString", "")).keys():
        raise _no_registry_auth("the secret has no username and password")


def _no_registry_auth(why: str) -> ResourceInitialization:
    return ResourceInitialization(
        f"{_PULL}execution resource retrieval failed: unable to get registry auth from asm: "
        f"service call has been retried 1 time(s): {why}"
    )


def _json_value(text: str, key: str) -> str:
    """Take one key of a secret that is a JSON object (reported: amazon-ecs-agent's source, agent/asm)."""
    fields = _json_fields(text)
    if key not in fields:
        raise ResourceInitialization(
            f"{_PULL}unable to retrieve secret from asm: retrieved secret from Secrets Manager did not contain json "
            f"key {key}"
        )
    value = fields[key]
    return value if isinstance(value, str) else json.dumps(value)


def _json_fields(text: str) -> dict[str, Any]:
    try:
        fields = json.loads(text)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        # the parser's own error quotes the secret, so it is not chained
        raise ResourceInitialization(
            f"{_PULL}unable to retrieve secret from asm: the secret is not a JSON object"
        ) from None
    return fields


def _parameter_name(arn: str) -> str:
    """Read the name out of the ARN: a name of several levels begins with a slash, a simple one does not."""
    name = arn.partition(":parameter")[2]
    return name if "/" in name[1:] else name[1:]


async def _from_ssm(world: World, name: str, region: str) -> str:
    request = {"Names": [name], "WithDecryption": True}
    try:
        answer = await world.call("ssm", "GetParameters", request, region=region, principal=_PRINCIPAL)
    except AwsError as e:
        raise _no_parameter(f"{e.code}: {e.message}") from e
    found = answer.get("Parameters") or []
    if not found:
        raise _no_parameter(f"invalid ssm parameters: {name}")
    value: str = found[0]["Value"]
    return value


def _no_parameter(why: str) -> ResourceInitialization:
    """reported: HHS/simpler-grants-gov#4330."""
    return ResourceInitialization(
        f"{_PULL}execution resource retrieval failed: unable to retrieve secrets from ssm: "
        f"service call has been retried 1 time(s): {why}"
    )
