"""The errors of ECS, by the codes of its API.

documented: API Reference, errors of each operation: all of these are answered with HTTP 400
"""

from __future__ import annotations

from collections.abc import Sequence

from localaws.contract import AwsError


def client(message: str) -> AwsError:
    """ClientException: mostly what RegisterTaskDefinition refuses."""
    return AwsError("ClientException", message)


def invalid(message: str) -> AwsError:
    """InvalidParameterException: mostly what calls about tasks refuse."""
    return AwsError("InvalidParameterException", message)


def cluster_not_found() -> AwsError:
    """The cluster was never created in this region."""
    return AwsError("ClusterNotFoundException", "Cluster not found.")  # reported: fabfuel/ecs-deploy tests, aws-cli


def conflict(task_arns: Sequence[str]) -> AwsError:
    """A client token that belongs to another RunTask request; `resourceIds` names the tasks it started."""
    # documented: API: ConflictException; assumed: the wording
    message = "The request could not be processed: the provided clientToken is in use with a different RunTask request."
    return AwsError("ConflictException", message, fields={"resourceIds": list(task_arns)})
