"""How a template shares its tasks between the capacity providers of Fargate."""

from typing import Annotated, Literal

from pydantic import Field

from backgroundtask.api.model import Model
from backgroundtask.api.rules import Rule, Unique


class CapacityProvider(Model):
    """A share of the tasks."""

    capacity_provider: Literal["FARGATE", "FARGATE_SPOT"] = Field(
        description="FARGATE, or FARGATE_SPOT: cheaper, and AWS may stop the task with two minutes' notice."
    )
    weight: int = Field(ge=0, le=1000, description="Share of the tasks beyond base, in relation to the other weights.")
    base: Annotated[int, Field(ge=0, le=100000)] | None = Field(
        None, description="How many tasks run on this one before the weights count. Only one provider can have a base."
    )


def _has_weight(providers: tuple[CapacityProvider, ...]) -> bool:
    return not providers or any(provider.weight > 0 for provider in providers)


CapacityProviderStrategy = Annotated[
    tuple[CapacityProvider, ...],
    Field(max_length=2, strict=False),
    Unique("capacityProvider"),
    Rule(
        cel="self.size() == 0 || self.exists(provider, provider.weight > 0)",
        message="at least one capacity provider needs a weight above 0",
        holds=_has_weight,
    ),
    Rule(
        cel="self.filter(provider, has(provider.base) && provider.base > 0).size() <= 1",
        message="only one capacity provider can have a base",
        holds=lambda providers: sum((provider.base or 0) > 0 for provider in providers) <= 1,
    ),
]
