"""What a deletion needs of a spec, however wrong the rest of it is: where its things are, and what becomes of them."""

from typing import Literal

from pydantic import ValidationError, ValidatorFunctionWrapHandler, field_validator

from backgroundtask.api.model import Model

DeletionPolicy = Literal["Delete", "Retain"]


class Parting(Model):
    """The common ground of all kinds that leave things in AWS.

    A deletionPolicy that cannot be read counts as Retain: nothing is destroyed on a guess.
    """

    launch_template: str = "default"
    deletion_policy: DeletionPolicy = "Retain"

    @field_validator("deletion_policy", mode="wrap")
    @classmethod
    def _never_delete_on_a_guess(cls, value: object, handler: ValidatorFunctionWrapHandler) -> object:
        try:
            return handler(value)
        except ValidationError:
            return "Retain"

    @field_validator("launch_template", mode="before")
    @classmethod
    def _some_template(cls, value: object) -> str:
        return value if isinstance(value, str) else ""
