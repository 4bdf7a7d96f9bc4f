"""Pages of a list: at most 100 items, and an opaque token where more follow.

A token holds the last item's key, not an offset, so what appears or goes between two pages neither repeats nor hides
others.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import json
from collections.abc import Callable, Iterable
from typing import TypeVar

from localaws.contract import Params
from localaws.ecs import errors

Item = TypeVar("Item")
_LIMIT = 100


def page_size(params: Params) -> int:
    """Give `maxResults`, 1 to 100 and 100 by default (documented: API: ListTasks.maxResults)."""
    size: int = params.get("maxResults", _LIMIT)
    if not 1 <= size <= _LIMIT:
        raise errors.invalid(f"maxResults should be between 1 and {_LIMIT}.")  # assumed: the wording
    return size


def resume_key(params: Params, *kinds: type) -> list[str | int] | None:
    """Give the key of the last item of the page before, None on the first page; `kinds` are the types of its parts.

    Raises:
        AwsError: InvalidParameterException where the token is not one of this list.
    """
    token = params.get("nextToken")
    if not token:
        return None
    try:
        key = json.loads(base64.b64decode(token, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError) as e:
        raise _bad_token() from e
    if not isinstance(key, list) or [type(part) for part in key] != list(kinds):
        raise _bad_token()
    return key


def page(items: Iterable[Item], key: Callable[[Item], list[str | int]], params: Params) -> tuple[list[Item], Params]:
    """Take one page of `items` (those after the resume key, in order) and give it with `{nextToken}` if more follow."""
    size = page_size(params)
    taken = list(itertools.islice(items, size + 1))
    if len(taken) <= size:
        return taken, {}
    token = base64.b64encode(json.dumps(key(taken[size - 1])).encode(), altchars=b"-_").decode()
    return taken[:size], {"nextToken": token}


def _bad_token() -> Exception:
    return errors.invalid("Invalid token.")  # assumed: the wording
