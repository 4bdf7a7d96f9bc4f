"""What the controller is told at its start, and nothing that it finds out later."""

from datetime import timedelta
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from backgroundtask.errors import Rejected


class Settings(BaseModel):
    """One value a setting; each can be given as a flag (`--retire-after`) or as a variable (`BGT_RETIRE_AFTER`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    installation: Annotated[str, StringConstraints(pattern="^[a-z0-9]{1,16}$")]
    kubeconfig: str | None = None
    context: str | None = None
    workers: Annotated[int, Field(ge=1, le=64)] = 8
    resync: Annotated[float, Field(ge=1, le=86_400)] = 600.0
    """Seconds between two looks at what exists, in bulk."""
    retire_after: Annotated[float, Field(ge=0, le=2_592_000)] = 3600.0
    """Seconds that a replaced revision stays: a schedule's maximum event age, and ten minutes for ECS."""
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """TCP port of /metrics; 0 serves none."""
    adopt: bool = False
    """Take over schedule groups that bear the mark of another cluster."""

    @property
    def retirement_age(self) -> timedelta:
        """`retire_after` as a duration."""
        return timedelta(seconds=self.retire_after)

    @classmethod
    def of(cls, **values: object) -> Self:
        """Settings of values that came from outside.

        Raises:
            Rejected: InvalidSettings, naming each wrong one, its flag and its variable.
        """
        try:
            return cls.model_validate({key: value for key, value in values.items() if value is not None})
        except ValidationError as error:
            raise Rejected("InvalidSettings", "; ".join(map(_sentence, error.errors(include_input=False)))) from error


def _sentence(detail: object) -> str:
    assert isinstance(detail, dict)  # noqa: S101 - pydantic's ErrorDetails is one
    name = str(detail["loc"][0])
    flag, variable = f"--{name.replace('_', '-')}", f"BGT_{name.upper()}"
    return f"{flag} (or {variable}): {detail['msg'][:1].lower()}{detail['msg'][1:]}"
