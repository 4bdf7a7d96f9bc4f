"""What the controller is told at its start, and nothing that it finds out later."""

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from backgroundtask.aws import rates_of
from backgroundtask.errors import Rejected

_NAMESPACE = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
_JITTER_FACTOR = 1.2
_PATTERNS = {
    "installation": "must be 1 to 16 lower-case letters and digits",
    "lease_namespace": "must be the name of a namespace",
}  # what they ask for, in words


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
    health_port: Annotated[int, Field(ge=0, le=65535)] = 8081
    """TCP port of /healthz and /readyz; 0 serves none."""
    task_metrics: bool = False
    """Tell Prometheus of each task by its name; without, of no tenant's name."""
    aws_rates: str = ""
    """What AWS allows the account where that is not what it documents: `RegisterTaskDefinition=50/10`, burst/refill."""
    adopt: bool = False
    """Take over schedule groups that bear the mark of another cluster."""

    orphan_sweep: Literal["off", "report", "delete"] = "delete"
    """What to do about what bears our mark in AWS and has no object."""
    orphan_grace: Annotated[float, Field(ge=0, le=86_400)] = 600.0
    """Least seconds between the two sightings after which it is deleted."""

    leader_elect: bool = True
    """Act only while the Lease is ours; without it this process has to be the only one."""
    lease_namespace: Annotated[str, StringConstraints(pattern=_NAMESPACE)] | None = None
    """Where the Lease lives; by default in the pod's own namespace."""
    lease_duration: Annotated[int, Field(ge=1, le=3600)] = 15
    """Seconds that the others wait after the last sign of life."""
    renew_deadline: Annotated[float, Field(ge=0.5, le=3600)] = 10.0
    """Seconds after which a leader that could not renew ends."""
    retry_period: Annotated[float, Field(ge=0.1, le=3600)] = 2.0
    """Seconds between two attempts to renew or to take the Lease."""

    @field_validator("renew_deadline")
    @classmethod
    def _ends_before_the_lease(cls, deadline: float, info: ValidationInfo) -> float:
        """client-go's rule: a leader gives up before the others take over."""
        duration = info.data.get("lease_duration")
        if duration is not None and deadline >= duration:
            raise PydanticCustomError(
                "renew_deadline", "must be less than --lease-duration, which is {duration} s", {"duration": duration}
            )
        return deadline

    @field_validator("retry_period")
    @classmethod
    def _leaves_a_second_try(cls, period: float, info: ValidationInfo) -> float:
        """client-go's rule, with its factor for jitter."""
        deadline = info.data.get("renew_deadline")
        if deadline is not None and period * _JITTER_FACTOR >= deadline:
            raise PydanticCustomError(
                "retry_period",
                "{factor} times it must be less than --renew-deadline, which is {deadline} s",
                {"factor": _JITTER_FACTOR, "deadline": f"{deadline:g}"},
            )
        return period

    @field_validator("aws_rates")
    @classmethod
    def _names_buckets(cls, text: str) -> str:
        try:
            rates_of(text)
        except ValueError as error:
            raise PydanticCustomError("aws_rates", "{why}", {"why": str(error)}) from error
        return text

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
    said = _PATTERNS[name] if detail["type"] == "string_pattern_mismatch" else detail["msg"]
    return f"{flag} (or {variable}): {said[:1].lower()}{said[1:]}"
