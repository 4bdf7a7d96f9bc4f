"""The surface for tests under `/_localaws/`: health, journal, faults, throttles, clock, visibility and so on.

What only one service understands is under its name, and that service's business.

Knows JSON and the world; no protocol of AWS. A request that makes no sense is answered 400 with a sentence.
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote

from localaws.contract import Controlled, NoSuchControlError
from localaws.emission import parse_habits
from localaws.journal import parse_query
from localaws.lag import Lag, Lagging, parse_delays
from localaws.protocol import Request, Response
from localaws.sqs import habits
from localaws.throttles import parse_limits
from localaws.world import World

PREFIX = "/_localaws/"

Route = Callable[[Request, str], Awaitable[Any]]

_Asked = TypeVar("_Asked")
_Read = TypeVar("_Read")


class BadRequestError(Exception):
    """What was asked makes no sense; the text says what to change."""


class Control:
    """Answers the control requests for one world; a route is the method and the path's first word."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._routes: dict[tuple[str, str], Route] = {
            ("GET", ""): self._index,
            ("GET", "health"): self._health,
            ("GET", "journal"): self._journal,
            ("DELETE", "journal"): self._clear_journal,
            ("GET", "faults"): self._faults,
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): self._remove_fault,
            ("GET", "throttles"): self._throttles,
            ("PUT", "throttles"): self._set_throttles,
            ("GET", "events"): self._event_habits,
            ("PUT", "events"): self._set_event_habits,
            ("GET", "queues"): self._queues,
            ("PUT", "queues"): self._set_queue_habits,
            ("GET", "clock"): self._clock,
            ("POST", "clock"): self._drive_clock,
            ("GET", "images"): self._images,
            ("PUT", "images"): self._set_images,
            ("GET", "rules"): self._rules,
            ("PUT", "rules"): self._drive_rules,
            ("GET", "visibility"): self._delays,
            ("PUT", "visibility"): self._set_delays,
            ("POST", "reset"): self._reset,
        }

    async def answer(self, request: Request) -> Response:
        """Answer one request with JSON."""
        word, _, rest = request.path.removeprefix(PREFIX).partition("/")
        route = self._routes.get((request.method, word)) or self._route_of_service(word)
        if route is None:
            known = ", ".join(self.requests())
            return _json(404, {"error": f"there is no {request.method} {request.path}; there are {known}"})
        try:
            return _json(200, await route(request, unquote(rest)))
        except BadRequestError as e:
            return _json(400, {"error": str(e)})
        except NoSuchControlError as e:
            return _json(404, {"error": str(e)})

    def requests(self) -> list[str]:
        """All requests that are answered: method and path."""
        own = [(method, name) for method, name in self._routes if name]
        services = [(name, it) for name, it in self._world.services.items() if isinstance(it, Controlled)]
        theirs = [(method, f"{name}/{path}".rstrip("/")) for name, it in services for method, path in it.controls]
        return [f"{method} {PREFIX}{path}" for method, path in (*own, *theirs)]

    async def _index(self, _request: Request, _rest: str) -> dict[str, Any]:
        return {"requests": self.requests()}

    def _route_of_service(self, name: str) -> Route | None:
        service = self._world.services.get(name)
        if not isinstance(service, Controlled):
            return None

        async def route(request: Request, rest: str) -> Any:  # noqa: ANN401  # whatever JSON can say
            wanted = _object(request) if request.body else {}
            return _sense(lambda it: service.control(request.method, rest, it), wanted)

        return route

    async def _health(self, _request: Request, _rest: str) -> dict[str, Any]:
        versions = {name: importlib.metadata.version(name) for name in ("moto", "botocore", "aiohttp")}
        world = self._world
        own = sorted(world.services)
        return {
            "status": "ok",
            "account": world.account,
            "region": world.region,
            "services": own,
            "behind": "moto",
            "versions": versions,
        }

    async def _journal(self, request: Request, _rest: str) -> dict[str, Any]:
        query = _sense(parse_query, dict(parse_qsl(request.query)))
        journal = self._world.journal
        return {"last": journal.last, "entries": [entry.as_json() for entry in journal.find(query)]}

    async def _clear_journal(self, _request: Request, _rest: str) -> dict[str, Any]:
        self._world.journal.clear()
        return {}

    async def _faults(self, _request: Request, _rest: str) -> dict[str, Any]:
        return {"faults": [rule.as_json() for rule in self._world.faults]}

    async def _add_fault(self, request: Request, _rest: str) -> dict[str, Any]:
        return _sense(self._world.faults.add, _object(request)).as_json()

    async def _remove_fault(self, _request: Request, rest: str) -> dict[str, Any]:
        if not rest:
            self._world.faults.clear()
            return {}
        if not self._world.faults.remove(rest):
            raise BadRequestError(f"no fault has the id {rest!r}")
        return {}

    async def _throttles(self, _request: Request, _rest: str) -> dict[str, Any]:
        return {"limits": self._world.throttles.as_json()}

    async def _set_throttles(self, request: Request, rest: str) -> dict[str, Any]:
        wanted = _object(request)
        if wanted.keys() != {"limits"}:
            raise BadRequestError('throttles take {"limits": "aws"} or {"limits": [LIMIT, …]}')
        self._world.throttles.put(_sense(parse_limits, wanted["limits"]))
        return await self._throttles(request, rest)

    async def _event_habits(self, _request: Request, _rest: str) -> dict[str, Any]:
        return self._world.emission.habits.as_json()

    async def _set_event_habits(self, request: Request, rest: str) -> dict[str, Any]:
        self._world.emission.be(_sense(parse_habits, _object(request)))
        return await self._event_habits(request, rest)

    async def _queues(self, _request: Request, _rest: str) -> dict[str, Any]:
        return {**self._world.queues.habits.as_json(), "queues": self._world.queues.counts()}

    async def _set_queue_habits(self, request: Request, rest: str) -> dict[str, Any]:
        self._world.queues.be(_sense(habits.parse_habits, _object(request)))
        return await self._queues(request, rest)

    async def _clock(self, _request: Request, _rest: str) -> dict[str, Any]:
        clock = self._world.virtual_clock
        return {"now": clock.now().isoformat(), "rate": clock.rate}

    async def _drive_clock(self, request: Request, rest: str) -> dict[str, Any]:
        wanted = _object(request)
        if not wanted or wanted.keys() - {"advance", "rate"}:
            raise BadRequestError('the clock takes {"advance": SECONDS}, {"rate": FACTOR} or both')
        for name, value in wanted.items():
            if type(value) not in (int, float) or not 0 <= value < _FAR:
                raise BadRequestError(f"{name!r} must be a number from 0 to {_FAR}")
        if "rate" in wanted:
            self._world.virtual_clock.set_rate(wanted["rate"])
        if "advance" in wanted:
            await self._world.virtual_clock.advance(wanted["advance"])
        return await self._clock(request, rest)

    async def _images(self, _request: Request, _rest: str) -> dict[str, Any]:
        return self._world.images

    async def _set_images(self, request: Request, _rest: str) -> dict[str, Any]:
        images = _object(request)
        for image, command in images.items():
            words = command if isinstance(command, list) else []
            if command is not None and (not words or not all(isinstance(word, str) for word in words)):
                raise BadRequestError(
                    f"the command of {image!r} must be a list of at least one string, or null where the image cannot "
                    "be pulled"
                )
        self._world.images.clear()
        self._world.images.update(images)
        return self._world.images

    async def _rules(self, _request: Request, _rest: str) -> dict[str, Any]:
        return {"rules": self._world.events.counts(), "firing": self._world.events.firing()}

    async def _drive_rules(self, request: Request, rest: str) -> dict[str, Any]:
        _sense(self._world.events.drive, _object(request))
        return await self._rules(request, rest)

    async def _delays(self, _request: Request, _rest: str) -> dict[str, Any]:
        return {name: lag.seconds for name, lag in self._lags().items()}

    async def _set_delays(self, request: Request, rest: str) -> dict[str, Any]:
        lags = self._lags()
        for name, seconds in _sense(lambda wanted: parse_delays(wanted, lags), _object(request)).items():
            lags[name].be(seconds)
        return await self._delays(request, rest)

    def _lags(self) -> dict[str, Lag]:
        return {name: service.lag for name, service in self._world.services.items() if isinstance(service, Lagging)}

    async def _reset(self, _request: Request, _rest: str) -> dict[str, Any]:
        await self._world.reset()
        return {}


_FAR = 10 * 366 * 86400


def _sense(read: Callable[[_Asked], _Read], asked: _Asked) -> _Read:
    try:
        return read(asked)
    except ValueError as e:
        raise BadRequestError(str(e)) from e


def _object(request: Request) -> dict[str, Any]:
    try:
        parsed = json.loads(request.body)
    except ValueError as e:
        raise BadRequestError("the body must be JSON") from e
    if not isinstance(parsed, dict):
        raise BadRequestError("the body must be a JSON object")
    return parsed


def _json(status: int, value: object) -> Response:
    return Response(status=status, headers={"Content-Type": "application/json"}, body=json.dumps(value).encode())
