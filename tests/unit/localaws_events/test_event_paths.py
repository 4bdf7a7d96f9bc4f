"""The part of JSONPath that EventBridge has."""

from __future__ import annotations

import pytest

from localaws.events.jsonpath import MISSING, find, is_path

EVENT = {
    "detail-type": "sale",
    "resources": ["a", "b"],
    "detail": {"id": 7, "none": None, "items": [{"id": 1}, {"name": "x"}, {"id": 3}], "a b": "quoted", "x/y": "slash"},
}


@pytest.mark.parametrize(
    ("path", "found", "why"),
    [
        ("$", EVENT, "the whole event"),
        ("$.detail-type", "sale", "a dash in a name"),
        ("$.detail.id", 7, "a member of a member"),
        ("$.detail.none", None, "a null is a value"),
        ("$.resources[1]", "b", "an element"),
        ("$.detail.items[0].id", 1, "a member of an element"),
        ("$.detail['a b']", "quoted", "a name in quotes"),
        ("$.detail.x/y", "slash", "a slash in a name"),
        ("$.detail.items[*].id", [1, 3], "a wildcard leaves out what does not fit"),
        ("$.resources[*]", ["a", "b"], "a wildcard over elements"),
        ("$.detail.items[0].*", [1], "a wildcard over members"),
        ("$.nothing[*]", [], "a wildcard over nothing"),
        ("$.nothing", MISSING, "no such member"),
        ("$.resources[5]", MISSING, "no such element"),
        ("$.resources.id", MISSING, "a member of a list"),
        ("$.detail.id[0]", MISSING, "an element of a number"),
        ("detail.id", MISSING, "no path"),
        ("$..id", MISSING, "what JSONPath has and EventBridge does not"),
    ],
)
def test_a_path_finds(path: str, found: object, why: str) -> None:
    assert find(EVENT, path) == found, why


@pytest.mark.parametrize(
    ("text", "understood"),
    [
        ("$", True),
        ("$.a[0]['b c'].*", True),
        ("", False),
        ("a", False),
        ("$.", False),
        ("$[?(@.a)]", False),
        ("$.a[-1]", False),
    ],
)
def test_a_path_is_understood(text: str, understood: bool) -> None:  # noqa: FBT001  # a table's column
    assert is_path(text) is understood
