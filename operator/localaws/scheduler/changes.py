"""Client tokens: a request that is sent again is answered as it was the first time.

Documented: API, ClientToken, "to ensure the idempotency of the request". Assumed: a request counts as the same while
nothing else changed what it names, and all its members are the same.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from dataclasses import dataclass

from localaws.contract import Call, Params
from localaws.scheduler.shelf import Key

_TOKEN_LIFE = dt.timedelta(hours=1)  # assumed: how long a token outlives what was deleted with it


@dataclass(frozen=True, slots=True)
class _Change:
    """The last change of something: by which operation, with which members, answered how."""

    operation: str
    params: Params
    answer: Params


class Changes:
    """The last change of each resource, so that a repeated one is answered as it was and not refused."""

    def __init__(self) -> None:
        self._last: dict[Key, _Change] = {}
        self._deleted: deque[tuple[dt.datetime, Key, _Change]] = deque()

    def answer(self, key: Key, call: Call) -> Params | None:
        """What the same request was answered before, if it was the last to change the resource."""
        last = self._last.get(key)
        if last is None or "ClientToken" not in call.params:
            return None
        same = (last.operation, last.params) == (call.operation, call.params)
        return last.answer if same else None

    def remember(self, key: Key, call: Call, answer: Params) -> Params:
        """Note a change of what is there now, and hand its answer on."""
        self._last[key] = _Change(call.operation, call.params, answer)
        return answer

    def remember_deletion(self, key: Key, call: Call, now: dt.datetime) -> Params:
        """Note a change that left nothing, for a while."""
        while self._deleted and self._deleted[0][0] <= now - _TOKEN_LIFE:
            _, old, change = self._deleted.popleft()
            if self._last.get(old) is change:
                self.forget(old)
        answer = self.remember(key, call, {})
        self._deleted.append((now, key, self._last[key]))
        return answer

    def forget(self, key: Key) -> None:
        """The resource is gone without anybody having asked for it just now."""
        self._last.pop(key, None)
