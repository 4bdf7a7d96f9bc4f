"""Environment variables of a container: literal values, and references to secrets that only ECS reads.

The values are the application's business: they appear in no message, and `repr` leaves them out.
"""

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from backgroundtask.api.aws_names import PARTITION
from backgroundtask.api.model import Model
from backgroundtask.api.names import ENV_PREFIX
from backgroundtask.api.rules import Rule, Unique, shaped

SecretArn = Annotated[
    str,
    StringConstraints(min_length=1, max_length=2048),
    shaped(
        PARTITION + ":secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@!-]+(:[^:]*:[^:]*:[^:]*)?",
        "must be the full ARN of a secret, optionally with :json-key:version-stage:version-id, where empty "
        "parts keep their colons",
    ),
]
WholeSecretArn = Annotated[
    str,
    StringConstraints(min_length=1, max_length=2048),
    shaped(
        PARTITION + ":secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@!-]+",
        "must be the full ARN of a secret, and nothing behind it",
    ),
]
ParameterName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=2048),
    shaped(
        f"({PARTITION}:ssm:[a-z0-9-]+:[0-9]{{12}}:parameter)?/?[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*",
        "must be the name of a parameter in the template's region (/team/db), or the full ARN of one",
    ),
]
EnvName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=255),
    shaped(
        "[A-Za-z_.-][A-Za-z0-9_.-]*", "must have letters, digits, '_', '.' and '-' only, and not begin with a digit"
    ),
    Rule(
        cel=f"!self.startsWith('{ENV_PREFIX}')",
        message=f"names that begin with {ENV_PREFIX} are set by the operator: choose another name",
        holds=lambda name: not name.startswith(ENV_PREFIX),
    ),
]


class EnvSource(Model):
    """Where ECS takes the value of a variable from when the task starts."""

    model_config = ConfigDict(json_schema_extra={"x-kubernetes-map-type": "atomic"})
    rules = (
        Rule(
            cel="has(self.secretsManager) != has(self.ssmParameter)",
            message="set exactly one of secretsManager and ssmParameter",
            holds=lambda source: (source.secrets_manager is None) != (source.ssm_parameter is None),
        ),
    )

    secrets_manager: SecretArn | None = Field(
        None,
        description="ARN of a Secrets Manager secret, optionally followed by :json-key:version-stage:version-id. "
        "It has to be inside one of the patterns in the LaunchTemplate's secrets.",
    )
    ssm_parameter: ParameterName | None = Field(
        None,
        description="Name or ARN of an SSM parameter. It has to be inside one of the patterns in the LaunchTemplate's "
        "secrets.",
    )


class EnvVar(Model):
    """One environment variable."""

    rules = (
        Rule(
            cel="has(self.value) != has(self.valueFrom)",
            message='set exactly one of value and valueFrom; an empty variable has value: ""',
            holds=lambda variable: (variable.value is None) != (variable.value_from is None),
        ),
    )

    name: EnvName = Field(description="Name of the variable. Names that begin with BGT_ are the operator's.")
    value: Annotated[str, StringConstraints(max_length=32768)] | None = Field(
        None,
        repr=False,
        description="Literal value. Readable for all who may describe task definitions: secrets go by valueFrom.",
    )
    value_from: EnvSource | None = Field(None, description="Reference to a secret that ECS reads when the task starts.")


Env = Annotated[tuple[EnvVar, ...], Field(max_length=256, strict=False), Unique("name")]
