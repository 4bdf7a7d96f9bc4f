"""The default bus of each region: its rules by name, and pages of listings.

Holds and finds. There is no other bus.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

from localaws.contract import Call, Params
from localaws.events.entry import is_default
from localaws.events.refusals import invalid, not_found
from localaws.events.rule import Rule

_PAGE = 100


class Buses:
    """The default buses."""

    def __init__(self) -> None:
        self._rules: dict[str, dict[str, Rule]] = {}

    def __iter__(self) -> Iterator[Rule]:
        return (rule for rules in self._rules.values() for rule in rules.values())

    def of(self, region: str) -> dict[str, Rule]:
        """The rules of a region's default bus, by name."""
        return self._rules.setdefault(region, {})

    def named(self, call: Call) -> dict[str, Rule]:
        """The rules of the bus that a call names.

        Raises:
            AwsError: ResourceNotFoundException.
        """
        bus = call.params.get("EventBusName", "default")
        if not is_default(bus):
            raise not_found(f"Event bus {bus} does not exist.")
        return self.of(call.region)

    def rule(self, call: Call, member: str) -> Rule:
        """The rule that a call names in one of its members.

        Raises:
            AwsError: ResourceNotFoundException.
        """
        name = call.params[member]
        known = self.named(call).get(name)
        if known is None:
            raise not_found(f"Rule {name} does not exist on EventBus default.")
        return known

    def tagged(self, call: Call) -> Rule:
        """The rule of a ResourceARN.

        Raises:
            AwsError: ResourceNotFoundException.
        """
        arn = call.params["ResourceARN"]
        known = self.of(call.region).get(arn.rpartition("/")[2])
        if known is None or known.arn != arn:
            raise not_found(f"Resource {arn} does not exist.")
        return known


def page(names: list[str], params: Params) -> tuple[list[str], Params]:
    """The names of the page that a token asks for, and the next token as a member; a token is the last name told.

    Raises:
        AwsError: ValidationException for a token of someone else's making (assumed: the wording).
    """
    after = ""
    if "NextToken" in params:
        try:
            after = base64.urlsafe_b64decode(params["NextToken"]).decode()
        except (binascii.Error, ValueError) as e:
            raise invalid("The NextToken is not valid.") from e
    rest = sorted(name for name in names if name > after)
    most = params.get("Limit", _PAGE)
    shown = rest[:most]
    if len(rest) <= most:
        return shown, {}
    return shown, {"NextToken": base64.urlsafe_b64encode(shown[-1].encode()).decode()}
