"""Things by key, found at once and listed page by page in the order of their keys."""

from __future__ import annotations

import base64
import itertools
import json
from bisect import bisect_right, insort
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from localaws.contract import Params
from localaws.scheduler import refusals

Key = tuple[str, ...]
"""(group, schedule), or (group,) for the group itself."""

_Item = TypeVar("_Item")
_PAGE = 100  # documented: API, the maximum of MaxResults; assumed: also its default


class Shelf(Generic[_Item]):
    """Items by key, listed in the order of their keys page by page."""

    def __init__(self) -> None:
        self._items: dict[Key, _Item] = {}
        self._order: list[Key] = []

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: Key) -> _Item | None:
        """The item, if there is one."""
        return self._items.get(key)

    def add(self, key: Key, item: _Item) -> None:
        """Put an item under a key that is free."""
        self._items[key] = item
        insort(self._order, key)

    def pop(self, key: Key) -> _Item:
        """Take an item out."""
        self._order.pop(bisect_right(self._order, key) - 1)
        return self._items.pop(key)

    def after(self, key: Key) -> Iterator[tuple[Key, _Item]]:
        """The items whose keys come after `key`, in order."""
        start = bisect_right(self._order, key)
        return ((found, self._items[found]) for found in itertools.islice(self._order, start, None))

    def page(self, params: Params, prefix: Key, wanted: Callable[[_Item], bool]) -> tuple[list[_Item], Params]:
        """One page of a list operation below a prefix of keys, and the NextToken of its answer if there are more.

        Raises:
            AwsError: ValidationException for a NextToken of someone else's making.
        """
        limit, token = params.get("MaxResults", _PAGE), params.get("NextToken")
        start = prefix if token is None else _read_token(token)
        below = itertools.takewhile(lambda entry: entry[0][: len(prefix)] == prefix, self.after(max(start, prefix)))
        found = list(itertools.islice((entry for entry in below if wanted(entry[1])), limit + 1))
        page = found[:limit]
        more: Params = {"NextToken": _write_token(page[-1][0])} if len(found) > len(page) else {}
        return [item for _, item in page], more


def _write_token(key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def _read_token(token: str) -> Key:
    try:
        return tuple(str(part) for part in json.loads(base64.b64decode(token, altchars=b"-_", validate=True)))
    except (ValueError, TypeError) as error:
        raise refusals.invalid("Invalid NextToken.") from error  # assumed: the wording
