"""Merge patches: applied, they lead from one object to the other; where nothing differs they are empty."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backgroundtask.api.patches import merge_patch

keys = st.sampled_from(["a", "b", "c"])
scalars = st.booleans() | st.integers(-1, 2) | st.text(max_size=2)
items = st.recursive(
    scalars | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=5,
)
values = st.recursive(
    scalars | st.lists(items, max_size=3), lambda inner: st.dictionaries(keys, inner, max_size=3), max_leaves=6
)
objects = st.dictionaries(keys, values, max_size=3)


def applied(target: Any, patch: Any) -> Any:
    """MergePatch of RFC 7386, section 2, as it stands there."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = applied(result.get(name), value)
    return result


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are one: true is not 1 there, whatever Python's == says."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


@given(objects, objects)
def test_the_patch_leads_from_one_object_to_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert same(applied(before, merge_patch(before, after)), after)


@given(objects)
def test_between_equal_objects_there_is_nothing_to_write(obj: dict[str, Any]) -> None:
    assert merge_patch(obj, obj) == {}
    assert merge_patch(obj, dict(reversed(obj.items()))) == {}


@given(objects, objects)
def test_only_what_differs_is_written(before: dict[str, Any], after: dict[str, Any]) -> None:
    patch = merge_patch(before, after)

    assert all(not same(before.get(key), after.get(key)) for key in patch)
    assert (patch == {}) == same(before, after)


@pytest.mark.parametrize(
    ("before", "after", "patch", "why"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, {"b": None}, "what is gone is removed"),
        ({"a": 1}, {"a": 1, "b": 2}, {"b": 2}, "what is new is added"),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, {"a": {"c": 3}}, "an object is patched inside"),
        ({"a": {"b": 1}}, {"a": {}}, {"a": {"b": None}}, "to empty an object, each member is removed"),
        ({"a": [1, 2]}, {"a": [1]}, {"a": [1]}, "a list is replaced whole"),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, {"a": [{"b": 2}]}, "also one of objects"),
        ({"a": {"b": 1}}, {"a": 1}, {"a": 1}, "another kind of value replaces"),
        ({"a": 1}, {"a": {"b": 1}}, {"a": {"b": 1}}, "an object replaces another kind of value"),
        ({"a": 0}, {"a": False}, {"a": False}, "false is not 0"),
        ({"a": [1]}, {"a": [True]}, {"a": [True]}, "nor is true 1"),
        ({"a": None}, {"a": 1}, {"a": 1}, "nothing becomes something"),
        ({}, {"a": {}}, {"a": {}}, "an empty object is something"),
    ],
)
def test_a_patch_says_what_is_to_be_written(
    before: dict[str, Any], after: dict[str, Any], patch: dict[str, Any], why: str
) -> None:
    assert same(merge_patch(before, after), patch), why
