"""The control API: everything that a test may do to a simulator in its own process, for anyone on this machine.

Below ``/control`` of the simulator's port; ``manual`` lists the routes. Answers are JSON, an error is
``{"error": sentence}``: 400 for what makes no sense, 403 for browsers, 404, 405, 408 for a wait that was in vain, 409
for a shard or a guild that isn't there, 413 for a body too large.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from ..scenario.resource import ScenarioResource
from . import manual, views
from .actions import parse_action
from .guard import refuse
from .waits import parse_wait

if TYPE_CHECKING:
    from ..simulator import Simulator

_MOST_BYTES = 64 << 20


@frozen
class _Trouble(Exception):
    """What a request is answered with in place of a result."""

    status: int
    says: Mapping[str, object]


def _trouble(status: int, sentence: str, **more: object) -> _Trouble:
    return _Trouble(status, {"error": sentence, **more})


class ControlResource(Resource):
    """``/control`` of the site."""

    isLeaf = True
    _log = Logger()

    def __init__(self, simulator: Simulator) -> None:
        super().__init__()
        self._simulator = simulator
        self._scenario = ScenarioResource(simulator)

    def render(self, request: Request) -> Any:
        simulator = self._simulator
        simulator.hub.transports.add(request.channel.transport)
        path = "/".join(part.decode("utf-8", "replace") for part in (request.postpath or ()) if part)
        method = request.method.decode("ascii", "replace")
        refused = refuse(_headers(request), {simulator.host, simulator.resume_host})
        if refused is not None:
            return self._write(request, 403, {"error": refused})
        if path == "scenario":
            if method in ("GET", "HEAD", "POST"):
                return self._scenario.render(request)
            return self._write(request, 405, {"error": f"/control/scenario takes GET, POST, not {method}"})
        doing = Deferred.fromCoroutine(self._answer(method, path, request))
        gone: Deferred[None] = request.notifyFinish()
        gone.addErrback(lambda _: doing.cancel())
        doing.addCallback(self._finish, request)
        doing.addErrback(self._broken, request)
        return NOT_DONE_YET

    async def _answer(self, method: str, path: str, request: Request) -> object:
        kind, _, rest = path.partition("/")
        routes = _ROUTES.get(f"{kind}/" if rest else kind)
        if routes is None:
            raise _trouble(404, f"there is nothing at /control/{path}: GET /control says what there is")
        route = routes.get("GET" if method == "HEAD" else method)
        if route is None:
            raise _trouble(405, f"/control/{path} takes {', '.join(routes)}, not {method}")
        return await route(self._simulator, request, rest)

    def _finish(self, result: object, request: Request) -> None:
        request.write(self._write(request, 200, result))
        request.finish()

    def _broken(self, failure: Failure, request: Request) -> None:
        trouble = failure.value
        if failure.check(CancelledError):
            return
        if not isinstance(trouble, _Trouble):
            self._log.failure("the control API met a bug of the simulator's own", failure)
            trouble = _trouble(500, f"a bug of the simulator's own: {type(trouble).__name__}; its log has more")
        request.write(self._write(request, trouble.status, trouble.says))
        request.finish()

    def _write(self, request: Request, status: int, value: object) -> bytes:
        """The body of an answer: text as it is, anything else as JSON."""
        kind = b"text/plain; charset=utf-8" if isinstance(value, str) else b"application/json"
        body = value if isinstance(value, str) else msgspec.json.encode(value).decode() + "\n"
        request.setResponseCode(status)
        request.setHeader(b"content-type", kind)
        request.setHeader(b"cache-control", b"no-store")
        request.setHeader(b"x-content-type-options", b"nosniff")
        return self._simulator.hub.veil(body).encode(errors="replace")


def _headers(request: Request) -> dict[str, str]:
    raw = request.requestHeaders.getAllRawHeaders()
    return {name.decode("latin-1").lower(): values[-1].decode("latin-1") for name, values in raw}


def _body(request: Request) -> Any:
    raw = request.content.read(_MOST_BYTES + 1) if request.content is not None else b""
    if len(raw) > _MOST_BYTES:
        raise _trouble(413, f"a request has {_MOST_BYTES} bytes at most")
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _trouble(400, f"the body is no JSON: {error}") from None


def _number(request: Request, name: str) -> int | None:
    values = request.args.get(name.encode())
    if not values:
        return None
    text = values[-1].decode("ascii", "replace")
    if not text.isdigit() or len(text) > 18:
        raise _trouble(400, f"{name} is a number from 0 up, not {text!r}")
    return int(text)


def _wants_json(request: Request) -> bool:
    return "application/json" in (request.getHeader("accept") or "")


# --- what there is at each path


async def _manual(simulator: Simulator, request: Request, rest: str) -> object:
    return manual.as_json() if _wants_json(request) else manual.as_text()


async def _state(simulator: Simulator, request: Request, rest: str) -> object:
    return views.state(simulator)


async def _breaches(simulator: Simulator, request: Request, rest: str) -> object:
    return views.breaches(simulator)


async def _summary(simulator: Simulator, request: Request, rest: str) -> object:
    if not _wants_json(request):
        return f"{simulator.summary()}\n{simulator.report()}\n"
    totals = dict(simulator.hub.journal.totals)
    return {"summary": simulator.summary(), "report": simulator.report(), "totals": totals, "sent": simulator.sent}


async def _records(simulator: Simulator, request: Request, rest: str) -> object:
    after, shard, limit = _number(request, "after"), _number(request, "shard"), _number(request, "limit")
    most = views.MOST_RECORDS if limit is None else min(limit, views.MOST_RECORDS)
    try:
        return views.records(simulator, rest, after or 0, shard, most)
    except LookupError as error:
        raise _trouble(404, str(error)) from None


async def _forget(simulator: Simulator, request: Request, rest: str) -> object:
    simulator.forget_records()
    return {"forgotten": True}


async def _wait(simulator: Simulator, request: Request, rest: str) -> object:
    try:
        wait = parse_wait(_body(request))
    except ValueError as error:
        raise _trouble(400, str(error)) from None
    try:
        found = await simulator.until(wait.met(simulator), wait.timeout)
    except TimeoutError:
        sentence = f"not within {wait.timeout:g} s: {wait.count} {wait.what}"
        raise _trouble(408, sentence, found=wait.found(simulator)) from None
    return {"found": found}


async def _actions(simulator: Simulator, request: Request, rest: str) -> object:
    """All of them are read before the first is done."""
    body = _body(request)
    actions = []
    for index, value in enumerate(body if isinstance(body, list) else [body]):
        try:
            actions.append(parse_action(value))
        except ValueError as error:
            raise _trouble(400, str(error), index=index, done=[]) from None
    done: list[object] = []
    for index, action in enumerate(actions):
        name = action.verb
        try:
            waiting = action.perform(simulator)
            result = None if waiting is None else await waiting
        except LookupError as error:
            if type(error) is not LookupError:
                raise
            raise _trouble(409, f"{name}: {error}", index=index, done=done) from None
        except ValueError as error:
            raise _trouble(400, f"{name}: {error}", index=index, done=done) from None
        done.append({"do": name, "result": result})
    return done if isinstance(body, list) else done[0]


_Route = Callable[["Simulator", Request, str], Coroutine[Any, Any, object]]

_ROUTES: dict[str, dict[str, _Route]] = {
    "": {"GET": _manual},
    "actions": {"POST": _actions},
    "state": {"GET": _state},
    "records": {"DELETE": _forget},
    "records/": {"GET": _records},
    "breaches": {"GET": _breaches},
    "summary": {"GET": _summary},
    "wait": {"POST": _wait},
}
