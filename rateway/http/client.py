"""treq behind the limits: the one way from rateway to Discord's REST.

Every call goes through ``RateLimits``. What may be repeated without harm is repeated after a server error or a
broken connection; a 429 is always repeated, for it did nothing. A 401 ends all: the token is dead, and each further
refusal would count towards a ban of this address (Discord's docs, "Rate Limits": Invalid Request Limit).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import ujson
from attrs import field, frozen
from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.web.client import HTTPConnectionPool, ResponseFailed
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent

from rateway import __version__
from rateway.errors import FatalError, Unavailable

from .answers import Refusal, read_answer
from .buckets import Ticket
from .gatewaybot import GatewayBot, SessionStartLimit, read_gateway_bot, read_url
from .limits import RateLimits
from .routes import Route, route_of
from .transport import BytesBody, make_agent, read_body
from .trouble import NOTHING_SENT, TROUBLE, describe, was_cancelled

USER_AGENT = f"DiscordBot (https://pypi.org/project/rateway, {__version__})"
REFUSED = "Discord refuses the token (401): set DISCORD_TOKEN to the token of the bot's page in the developer portal"
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_SERVER_ERRORS = frozenset({500, 502, 503, 504, 520, 521, 522, 523, 524})

__all__ = ["DiscordClient", "GatewayBot", "RateLimited", "Response", "SessionStartLimit"]


class RateLimited(Unavailable):
    """Discord wants a longer wait than the asker would bear.

    :ivar retry_after: seconds.
    """

    def __init__(self, sentence: str, retry_after: float) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


@frozen
class Response:
    """An answer of Discord's, whole; also one that says no."""

    status: int
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)

    def json(self) -> object:
        """The body's value.

        :raises Unavailable: if it isn't JSON.
        """
        try:
            return ujson.loads(self.body)
        except ValueError:
            raise Unavailable(f"Discord's answer ({self.status}) is not JSON") from None


class DiscordClient:
    """Discord's REST for one bot.

    :ivar token_dead: Discord refused the token; nothing is sent any more.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        api_url: str,
        token: str,
        *,
        agent: IAgent | None = None,
        limits: RateLimits | None = None,
        user_agent: str = USER_AGENT,
        connect_timeout: float = 10.0,
        response_timeout: float = 20.0,
        max_wait: float = 60.0,
        max_body: int = 16 * 1024 * 1024,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """
        :param max_wait: seconds a request may wait for its limits before it is given up.
        """
        self.token_dead = False
        self._reactor: Any = reactor
        self._api_url = api_url.rstrip("/")
        self._token = token
        self._pool: HTTPConnectionPool | None = None
        if agent is None:
            agent, self._pool = make_agent(reactor, connect_timeout)
        self._treq = HTTPClient(agent, data_to_body_producer=BytesBody)
        self._limits = limits or RateLimits()
        self._user_agent = user_agent
        self._response_timeout = response_timeout
        self._max_wait = max_wait
        self._max_body = max_body
        self._uniform = uniform
        self._turns: dict[int, Deferred[None]] = {}
        self._timer: IDelayedCall | None = None

    async def gateway_bot(self, attempts: int = 4) -> GatewayBot:
        """Where the bot connects, with how many shards, and how many sessions it may start.

        :raises FatalError: if the token is refused.
        :raises Unavailable: if Discord can't be reached or makes no sense.
        """
        return read_gateway_bot(await self._get("/gateway/bot", attempts))

    async def gateway_url(self, attempts: int = 4) -> str:
        """Where anybody connects: needs no token, and is served when /gateway/bot isn't."""
        return read_url((await self._get("/gateway", attempts)).get("url"))

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        params: Mapping[str, str] | None = None,
        reason: str | None = None,
        attempts: int = 4,
        repeat: bool | None = None,
    ) -> Response:
        """Ask Discord, and wait for the answer, whatever its status.

        :param path: below the API's base: ``/gateway/bot``.
        :param reason: for the guild's audit log.
        :param attempts: how often a request is sent at most.
        :param repeat: whether it may be sent again though Discord may have acted upon it; by default as its
            method allows.
        :raises FatalError: if the token is, or was, refused.
        :raises RateLimited: if the limits make it wait too long.
        :raises Unavailable: if Discord can't be reached or fails, as often as it was tried.
        """
        method = method.upper()
        route = route_of(method, path)
        repeatable = method in _REPEATABLE if repeat is None else repeat
        self._check_token()
        fields = frozenset(json) if isinstance(json, dict) else frozenset()
        ticket = self._limits.ask(route, self._reactor.seconds(), fields)
        wait = 0.0
        try:
            for attempt in range(attempts):
                if attempt:
                    self._limits.again(ticket, self._reactor.seconds() + wait)
                await self._turn(ticket)
                wait = self._uniform(0.5, 1.0) * min(30.0, 2.0**attempt)
                try:
                    response = await self._send(method, path, route, json, params, reason)
                except TROUBLE as error:
                    self._limits.leave(ticket)
                    trouble = Unavailable(f"Discord can't be reached: {describe(error)}")
                    if not repeatable and not isinstance(error, NOTHING_SENT):
                        break
                else:
                    refusal = self._learn(ticket, route, response)
                    if refusal is not None:
                        trouble, wait = refusal, refusal.retry_after
                        if wait > self._max_wait:
                            break
                    elif response.status in _SERVER_ERRORS and repeatable:
                        trouble = Unavailable(f"Discord has trouble of its own ({response.status})")
                    else:
                        return response
            raise trouble
        finally:
            self._limits.leave(ticket)
            self._give_turns()

    async def close(self) -> None:
        """Close the kept connections; requests still waiting fail."""
        self._end_waiting(Unavailable("rateway is stopping"))
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self._pool is not None:
            await self._pool.closeCachedConnections()

    def _learn(self, ticket: Ticket, route: Route, response: Response) -> RateLimited | None:
        """Tell the limits of an answer; gives what to do about it where it is a 429.

        :raises FatalError: for a 401 that concerns the bot's token.
        :raises RateLimited: for a ban.
        """
        answer = read_answer(response.status, _last_values(response.headers), response.body)
        self._limits.answered(ticket, answer, self._reactor.seconds())
        if response.status == 401 and not route.carries_token:
            self.token_dead = True
            self._end_waiting(FatalError(REFUSED))
            raise FatalError(REFUSED)
        if answer.refusal is None:
            self._give_turns()
            return None
        wait = answer.retry_after
        if answer.refusal is Refusal.BANNED:
            banned = RateLimited(f"Cloudflare refuses this address: nothing is sent to Discord for {wait:.0f} s", wait)
            self._log.error("{error} (on {route})", error=str(banned), route=route.key)
            raise banned
        self._log.warn(
            "Discord limits {route}: {why}; waiting {wait:.1f} s", route=route.key, why=answer.refusal.value, wait=wait
        )
        return RateLimited(f"Discord limits this request: it would have to wait {wait:.1f} s", wait)

    async def _send(
        self,
        method: str,
        path: str,
        route: Route,
        json: object,
        params: Mapping[str, str] | None,
        reason: str | None,
    ) -> Response:
        self._check_token()
        headers: dict[bytes | str, bytes | str] = {"User-Agent": self._user_agent, "Accept": "application/json"}
        if not route.carries_token:
            headers["Authorization"] = f"Bot {self._token}"
        if reason is not None:
            headers["X-Audit-Log-Reason"] = quote(reason, safe="")
        data = None
        if json is not None:
            headers["Content-Type"] = "application/json"
            data = ujson.dumps(json, escape_forward_slashes=False).encode()
        exchange = Deferred.fromCoroutine(self._exchange(method, self._api_url + path, headers, data, params))
        timer = self._reactor.callLater(self._response_timeout, exchange.cancel)
        try:
            return await exchange
        except (CancelledError, ResponseFailed) as error:
            if not timer.active():
                raise DeferredTimeout from None
            if was_cancelled(error):
                raise CancelledError from None
            raise
        finally:
            if timer.active():
                timer.cancel()

    async def _exchange(
        self,
        method: str,
        url: str,
        headers: dict[bytes | str, bytes | str],
        data: bytes | None,
        params: Mapping[str, str] | None,
    ) -> Response:
        response = await self._treq.request(
            method,
            url,
            headers=headers,
            data=data,
            params=params,
            allow_redirects=False,
            unbuffered=True,
            reactor=self._reactor,
        )
        return Response(response.code, response.headers, await read_body(response, self._max_body))

    async def _get(self, path: str, attempts: int) -> dict[str, object]:
        response = await self.request("GET", path, attempts=attempts)
        if response.status != 200:
            raise Unavailable(f"Discord answers GET {path} with {response.status}")
        said = response.json()
        if not isinstance(said, dict):
            raise Unavailable(f"Discord's answer to GET {path} makes no sense")
        return said

    def _check_token(self) -> None:
        if self.token_dead:
            raise FatalError(REFUSED)

    def _end_waiting(self, error: Exception) -> None:
        for turn in tuple(self._turns.values()):
            if not turn.called:
                turn.errback(error)

    async def _turn(self, ticket: Ticket) -> None:
        """Wait until the limits let this request go."""
        turn: Deferred[None] = Deferred()
        self._turns[ticket.number] = turn
        self._give_turns()
        try:
            await turn.addTimeout(self._max_wait, self._reactor)
        except DeferredTimeout:
            raise RateLimited(
                f"the request waited {self._max_wait:.0f} s for Discord's limits in vain", self._max_wait
            ) from None
        finally:
            self._turns.pop(ticket.number, None)

    def _give_turns(self) -> None:
        now = self._reactor.seconds()
        for ticket in self._limits.take(now):
            turn = self._turns.get(ticket.number)
            if turn is not None:
                turn.callback(None)
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        following = self._limits.next_time(now)
        self._timer = None
        if following is not None:
            self._timer = self._reactor.callLater(max(0.0, following - now), self._give_turns)


def _last_values(headers: Headers) -> dict[str, str]:
    return {
        name.decode("latin-1").lower(): values[-1].decode("latin-1")
        for name, values in headers.getAllRawHeaders()
        if values
    }
