"""Discord's REST API: who is let in, which route answers, and what a test wants instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import Factory, define, evolve, field

from ..hub import Hub
from ..records import RestRequest
from ..world.deeds import UnknownChannel, UnknownMessage, UnknownUser
from .answers import VIA, Answer, Staged, banned, json_answer, rate_limited
from .bodies import Query, read_body
from .buckets import Buckets, Route, generic_route
from .calls import Call
from .errors import ApiError, plain, refusal
from .limiter import Limiter
from .presets import preset
from .resource import BASE, RestResource
from .scripts import Scripts
from .table import is_known, needs_token, table

__all__ = ["BASE", "Answer", "Rest", "RestResource", "banned", "json_answer", "preset", "rate_limited"]

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_MOST_PATHS = 10_000
"""Paths whose highest number of requests in flight is remembered."""
_LOST: Mapping[type[LookupError], int] = {UnknownChannel: 10003, UnknownMessage: 10008, UnknownUser: 10013}
"""What the world's deeds raise, as Discord's codes."""


def _limiter(rest: Rest) -> Limiter:
    return Limiter(rest.hub)


def _table(rest: Rest) -> list[Route]:
    return table(rest.hub)


@define(eq=False)
class Rest:
    """The REST side: what is scripted, what is limited, what was asked (``hub.journal.requests``).

    :ivar routes: the first that matches answers.
    :ivar in_flight: requests being answered now, by ``"METHOD path"``; ``in_flight_max`` the most there ever were.
    """

    hub: Hub
    routes: list[Route] = field(default=Factory(_table, takes_self=True))
    limiter: Limiter = field(default=Factory(_limiter, takes_self=True))
    in_flight: dict[str, int] = Factory(dict)
    in_flight_max: dict[str, int] = Factory(dict)
    _scripts: Scripts = Factory(Scripts)

    @property
    def buckets(self) -> Buckets:
        return self.limiter.buckets

    # --- for tests

    def script(self, path: str, answers: Iterable[Answer | Staged], method: str = "*") -> None:
        """The next requests of a path (below ``/api/v10``) are answered so, one each; then as usual again.

        :param path: ``{}`` stands for one part of it; ``*`` alone for every path.
        :param answers: tuples ``(status, headers, body)``, or what :func:`preset` gives.
        """
        self._scripts.add(path, answers, method)

    def stage(self, path: str, name: str, *, times: int = 1, method: str = "*", **parameters: object) -> None:
        """The next ``times`` requests of a path get a ready-made answer, see ``presets``.

        :raises ValueError: for a name or a parameter that is none.
        """
        self.script(path, [preset(name, **parameters)] * times, method)

    def clear_scripts(self) -> None:
        """Everything is answered as usual again."""
        self._scripts.clear()

    def route(self, route: Route) -> None:
        """Define a route; later ones win."""
        self.routes.insert(0, route)

    def limit(self, method: str, template: str, limit: int, per: float = 1.0) -> None:
        """Give a route another limit, and a bucket of its own; what it does stays.

        :raises LookupError: when there is no such route.
        """
        for index, route in enumerate(self.routes):
            if (route.method, route.template) == (method, template):
                changed = evolve(route, limit=limit, per=per, bucket=f"{method} {template}", sliding=False, vary=None)
                self.routes[index] = changed
                return
        raise LookupError(f"there is no route {method} {template}")

    def requests(self, path: str | None = None, method: str | None = None) -> list[RestRequest]:
        """The requests so far, of one path or all."""
        return [
            request
            for request in self.hub.journal.requests
            if path in (None, request.path) and method in (None, request.method)
        ]

    # --- told by the resource

    def began(self, request: RestRequest) -> str:
        """A request has come; the key it counts under is returned."""
        journal, key = self.hub.journal, f"{request.method} {request.path}"
        journal.keep("requests", journal.requests, request)
        self.in_flight[key] = self.in_flight.get(key, 0) + 1
        self.in_flight_max[key] = max(self.in_flight_max.get(key, 0), self.in_flight[key])
        if len(self.in_flight_max) > _MOST_PATHS:
            del self.in_flight_max[next(iter(self.in_flight_max))]
        return key

    def ended(self, request: RestRequest, key: str, status: int) -> None:
        """Its answer goes out; 0 is none."""
        self.in_flight[key] -= 1
        if not self.in_flight[key]:
            del self.in_flight[key]
        request.status, request.answered_at = status, self.hub.now()
        self.hub.journal.happened()

    # --- answering

    def respond(self, request: RestRequest) -> Staged:
        """The answer, with what befalls it."""
        ban = self.limiter.ban(request)
        if ban is not None:
            return Staged(answer=ban)
        staged = self._scripted_or_usual(request)
        if staged.answer is not None and staged.flaw not in ("never", "reset"):
            self.limiter.note(request, staged.answer)
        return staged

    def _scripted_or_usual(self, request: RestRequest) -> Staged:
        scripted = self._scripts.next(request.method, request.path)
        agent = request.headers.get("user-agent", "")
        if not agent.startswith("DiscordBot ("):
            self.hub.breach("user-agent", None, f"{agent!r} does not begin with DiscordBot (url, version)")
            return Staged(answer=refusal(40333).answer())
        if scripted is None:
            return self._usual(request)
        if not isinstance(scripted, Staged):
            return Staged(answer=scripted, delay=self._route(request).delay)
        if scripted.answer is not None:
            return scripted
        usual = self._usual(request)
        return evolve(scripted, answer=usual.answer, delay=scripted.delay + usual.delay)

    def _usual(self, request: RestRequest) -> Staged:
        try:
            self._admit(request)
        except ApiError as error:
            return Staged(answer=error.answer())
        if request.method == "OPTIONS":
            return Staged(answer=(204, {"Allow": ", ".join(self._allowed(request.path)), "Via": VIA}, b""))
        route = self._route(request)
        counted = (route.vary and route.vary(route.parts(request.path))) or route
        refused = self.limiter.refuse_globally(request) or self.limiter.refuse_by_bucket(request, counted)
        if refused is not None:
            return Staged(answer=refused)
        status, headers, body = self._perform(request, route, counted)
        self.limiter.watch_webhooks(request, (status, headers, body))
        headers = {**self.limiter.headers(request, counted), **headers}
        return Staged(answer=(status, headers, body), delay=route.delay)

    def _admit(self, request: RestRequest) -> None:
        """Raises what refuses a request before its route is looked at."""
        method, path = request.method, request.path
        if path.rstrip("/") in ("", "/api", BASE):
            raise plain(404, "Not Found")
        if path.startswith("/api/"):
            self.hub.breach("api-version", None, f"{method} {path}: only version 10 is spoken")
            raise refusal(50041)
        if method not in _METHODS:
            raise plain(405, "Method Not Allowed")
        if method == "OPTIONS" or not needs_token(path):
            return
        authorization = request.headers.get("authorization", "")
        if not (authorization.startswith("Bot ") and self.hub.knows(authorization)):
            self.hub.breach("rest-token", None, f"{method} {path} without the bot's token")
            raise plain(401, "Unauthorized")

    def _perform(self, request: RestRequest, route: Route, counted: Route) -> Answer:
        try:
            body = read_body(request.headers.get("content-type", ""), request.body)
            call = Call(request, route.parts(request.path), Query.read(request.query), body)
            fields = [name for name in route.sub_limited if name in body.fields()]
            refused = self.limiter.refuse_fields(request, counted, fields) if fields else None
            if refused is not None:
                return refused
            if route.perform is None:
                return route.status, {"Content-Type": "application/json", "Via": VIA}, route.body
            return route.perform(call)
        except ApiError as error:
            return error.answer()
        except (UnknownChannel, UnknownMessage, UnknownUser) as error:
            return refusal(_LOST[type(error)]).answer()

    def _route(self, request: RestRequest) -> Route:
        method = "GET" if request.method == "HEAD" else request.method
        for route in self.routes:
            if route.matches(method, request.path):
                return route
        if is_known(request.path):
            return Route(limit=0, perform=_not_allowed)
        return generic_route(request.method, request.path)

    def _allowed(self, path: str) -> list[str]:
        found = {route.method for route in self.routes if route.matches(route.method, path)} - {"*"}
        if "GET" in found:
            found.add("HEAD")
        return sorted(found | {"OPTIONS"}) if found else list(_METHODS)


def _not_allowed(call: Call) -> Answer:
    raise plain(405, "Method Not Allowed")
