"""The simulated Discord's face.

In a test::

    simulator = Simulator(reactor, SimulatorOptions(shards=2, guilds=10))
    await simulator.start()
    self.addCleanup(simulator.stop)
    ...                                     # run what is tested against simulator.api_url
    await simulator.until(lambda: simulator.connected_shards() == {0, 1})
    simulator.dispatch(0, "MESSAGE_CREATE", b'{"id":"1"}')
    simulator.drop(0, "rst")
    await simulator.until(lambda: simulator.resumes)
    self.assertEqual(simulator.breaches, [])

Addresses and time
    ``Simulator(reactor, options=SimulatorOptions(), clock=None)``; ``await start(endpoint="tcp:0:interface=…")``,
    on 127.0.0.1 by default; ``await stop()``; ``await renew(options=None)``: everything anew at the same addresses;
    ``api_url``, ``gateway_url``, ``resume_url``, ``port``, ``host``, ``resume_host``, ``options``.
    An ``ssl:`` endpoint makes the addresses ``https`` and ``wss``; set the options ``host`` and ``resume_host`` to
    the names in the certificate then. ``await close_resume_host()`` makes the resume host refuse TCP,
    ``await open_resume_host()`` listens again.

    ``clock`` is the world's: timestamps, traffic, the age of what sessions keep. By default it is the reactor's, or
    ``options.speed`` times as fast; a ``task.Clock`` stands still until advanced. All limits that protect a client
    (identify window, allowance, sends, RATE_LIMITED, REST), heartbeats and the times in records are the reactor's.

Waiting
    ``await until(predicate, timeout=60.0, what="")``: the predicate's value as soon as it is true; it is tried at
    each happening and every 50 ms; TimeoutError otherwise.

What happened (lists, oldest first; see ``records``)
    ``breaches`` Breach(rule, shard, detail, at); ``connections`` Connected(number, at, host, path, query, shard,
    client_code, server_code, lost_at); ``frames`` Frame(connection, shard, at, op, size, d); ``identifies``
    Identify(connection, shard, total, key, at, intents, host, query, answer, d); ``resumes`` Resume(connection,
    shard, session_id, seq, at, host, query, answer, replayed); ``closes`` ClientClose(connection, shard, code,
    reason, at): close frames of the client's own accord; ``commands`` Command(connection, shard, at, op, d);
    ``wasted`` Wasted(shard, session_id, how, at); ``events`` Sent(shard, session_id, seq, name, d), with the option
    ``record_events``. ``sessions``: those that live. ``sent``: events so far. ``summary()``: a sentence.
    ``report()``: ``no rule broken``, or the breaches with times, shards and details, a line each.

Rules (``Breach.rule``)
    api-version, query, payload-size, undecodable, unknown-op, send-limit, not-authenticated, already-authenticated,
    late-heartbeat, heartbeat-sequence, wrong-token, identify-shape, invalid-shard, sharding-required,
    invalid-intents, disallowed-intents, identify-concurrency, daily-allowance, resume-shape, resume-sequence,
    resume-host, resume-query, wasted-session, command-shape, presence-limit, foreign-guild, members-intent,
    member-list-limit, nonce-size, user-agent, rest-token, rest-bucket, rest-global-limit, rest-invalid-requests,
    rest-dead-webhook.

Who is there
    ``connection(shard)``, ``session(shard)`` (LookupError without), ``is_connected(shard)``, ``connected_shards()``.

Events
    ``dispatch(shard, name, d, *, order=("t", "s", "op", "d"))`` -> sequence, ``d`` verbatim where it is bytes;
    ``emit(guild_id, name, d)`` as Discord routes and filters; ``skip_sequences(shard, count)``;
    ``send_op(shard, op, d=None)``, ``request_heartbeat(shard)``, ``request_reconnect(shard)``,
    ``invalidate(shard, *, resumable)``; ``repeat(shard, count=1)``, ``swap(shard, pairs=1)``,
    ``dispatch_huge_guild(guild_id, size)``.

Ends
    ``drop(shard, how="fin")``, ``"rst"`` or ``"blackhole"``; ``end_blackholes(shards=None)``; ``close(shard, code,
    reason=None)``, code None for none; ``forget_session(shard)``; ``reset_token()``.

Silence and noise
    ``freeze(shard, *, deaf=False)``, ``thaw(shard)``, ``acknowledge(shard, how)``, ``withhold(shard, *events)``,
    ``release(shard, "late")`` or ``"dropped"``, ``shape(shard, ...)``, ``send_text(shard, text)`` through the
    compression, ``send_raw(shard, message, *, binary=True)`` past it, ``corrupt(shard)``,
    ``send_nonsense(shard, kind)``, ``set_behaviour(shard, Behaviour(...))``.

Connections to come (see ``behaviour``)
    ``on_connect(Behaviour(...), *, shard=None, host=None, times=1)``, ``behave(Behaviour(...))``, ``behave_well()``,
    ``refuse_connections(how=503, *, seconds=None)``, ``admit_connections()``, ``await set_resume_host(state)``.

By other means
    ``control.actions.parse_action({"do": "drop", "shard": 0}).perform(simulator)``; HTTP below ``/control``;
    ``forget_records()``.

The world
    ``world`` (``guilds``, ``users``, ``bot``), ``guild(index)``, ``guild_create(guild_id, *, intents=None, pad_to=0)``
    -> bytes of d, ``outage(guild_id)``, ``recover(guild_id)``, ``join_guild(members=None)`` -> Guild,
    ``leave_guild(guild_id, *, how="told")`` or ``"silently"``; ``traffic.start(rate, mix=None)``, ``traffic.stop()``,
    ``traffic.happen(count)``; ``deeds``: messages, reactions, typing, pins by anybody (see ``world.deeds``). For
    benchmarks ``load.start(rate, sessions=1)``, ``load.stop()``: packed events over all
    sessions, once so many are there; ``load.reached`` events/s, ``load.sent``, ``load.left_out``.

REST (``rest``; paths are those below ``/api/v10``)
    ``rest.script(path, [(status, headers, body), ...], method="*")``, ``rest.stage(path, PRESET, times=1, ...)``,
    ``rest.clear_scripts()``, ``rest.route(Route(...))``, ``rest.limit(method, template, limit, per=1.0)``,
    ``rest.requests(path=None, method=None)`` -> RestRequest (see ``records``), ``rest.in_flight_max["GET /path"]``;
    answers for scripts: ``json_answer``, ``rate_limited``, ``banned``, ``preset(PRESET, ...)`` of ``rest.server``.

Scenarios (``scenario``)
    ``await run_scenario(simulator, load("bad_day"))`` -> a Report for each case: ``held``, ``failures``. It begins with
    :meth:`renew`: what was recorded or scripted before is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import Site

from .control.api import ControlResource
from .control.controls import Controls
from .endpoints import at_address, is_address
from .gateway.sessions import Sessions
from .gateway.websocket import GatewayResource
from .hub import Hub
from .load.load import Load
from .options import SimulatorOptions
from .records import (
    Breach,
    ClientClose,
    Clock,
    Command,
    Connected,
    Frame,
    Identify,
    Resume,
    Sent,
    Wasted,
)
from .report import report, summary
from .rest.server import Rest, RestResource
from .world.traffic import Traffic
from .world.world import World

T = TypeVar("T")


class _QuietSite(Site):
    """Without the access log: the simulator writes its own lines."""

    def log(self, request: object) -> None:
        pass


class Simulator(Controls):
    """A simulated Discord; the module's docstring lists what it offers.

    :ivar options: of the Discord there is now; ``first_options`` those it was built with.
    :ivar in_scenario: a scenario is being run.
    """

    _log = Logger()
    in_scenario = False

    def __init__(self, reactor: Any, options: SimulatorOptions | None = None, clock: Clock | None = None) -> None:
        self.options = self.first_options = options or SimulatorOptions()
        self.host = self.resume_host = ""
        self.port = 0
        self._reactor = reactor
        self._clock = clock
        self._endpoint = ""
        self._site = _QuietSite(self._build(), timeout=None)
        self._site.noisy = False
        self._site.displayTracebacks = False
        self._main_port: IListeningPort | None = None
        self._resume_port: IListeningPort | None = None
        self._tls = False
        self._separate_resume_host = False

    def _build(self) -> Resource:
        """Everything that :meth:`renew` makes anew."""
        self.hub = Hub(self._reactor, self.options, self._clock)
        self.rest = Rest(self.hub)
        self.traffic = Traffic(self.hub)
        self.load = Load(self.hub)
        root, gateway = Resource(), GatewayResource(self.hub)
        root.putChild(b"", gateway)
        root.putChild(b"api", RestResource(self.rest))
        root.putChild(b"control", ControlResource(self))
        return root

    # --- life

    async def start(self, endpoint: str = "tcp:0:interface=127.0.0.1") -> None:
        """Listen, on the resume host too where it is an address of this machine, and begin the traffic."""
        self._endpoint = endpoint
        self._tls = endpoint.partition(":")[0] in ("ssl", "tls")
        self._main_port = await serverFromString(self._reactor, endpoint).listen(self._site)
        address: Any = self._main_port.getHost()
        self.port = address.port
        self.host = self.options.host or ("127.0.0.1" if address.host == "0.0.0.0" else address.host)  # noqa: S104
        self.resume_host = self.options.resume_host or self.host
        if is_address(self.resume_host) and self.resume_host != self.host and address.host != "0.0.0.0":  # noqa: S104
            try:
                await self.open_resume_host()
                self._separate_resume_host = True
            except CannotListenError as error:
                self._log.warn(
                    "sessions are resumed on the main address, choose another by --resume-host: {error}", error=error
                )
                self.resume_host = self.host
        self._log.info("a simulated Discord listens: DISCORD_API_URL={url}", url=self.api_url)
        self._begin()

    def _begin(self) -> None:
        self.hub.resumption.main, self.hub.resumption.resume = self.host, self.resume_host
        self.hub.addresses.gateway = self.gateway_url
        self.hub.addresses.resume = self.resume_url
        if self.options.rate:
            self.traffic.start(self.options.rate)
        if self.options.load:
            self.load.start(self.options.load, self.options.load_sessions)

    async def renew(self, options: SimulatorOptions | None = None) -> None:
        """Begin anew at the same addresses: another world, no connections, no sessions, nothing recorded or scripted.

        :param options: from now on; ``host`` and ``resume_host`` stay what they were at the start.
        """
        self.traffic.stop()
        self.load.stop()
        hub = self.hub
        for connection in tuple(hub.connections.values()):
            connection.drop("rst")
        await self.until(lambda: not hub.connections, 30.0, "all connections ended")
        hub.cancel_calls()
        self.options = options or self.options
        self._site.resource = self._build()
        if self._separate_resume_host:
            await self.open_resume_host()
        self._begin()

    async def open_resume_host(self) -> None:
        """Listen on the resume host; done by :meth:`start` already."""
        if self._resume_port is None:
            endpoint = at_address(self._endpoint, self.resume_host, self.port)
            self._resume_port = await serverFromString(self._reactor, endpoint).listen(self._site)
            self.hub.resumption.listening = True

    async def close_resume_host(self) -> None:
        """The resume host refuses TCP from now on; connections that stand are kept."""
        if self._resume_port is not None:
            port, self._resume_port = self._resume_port, None
            self.hub.resumption.listening = False
            self.hub.resumption.misbehaved(self.hub.now())
            await maybeDeferred(port.stopListening)

    async def stop(self) -> None:
        """End the traffic and every connection, and stop listening."""
        self.traffic.stop()
        self.load.stop()
        await self.close_resume_host()
        if self._main_port is not None:
            port, self._main_port = self._main_port, None
            await maybeDeferred(port.stopListening)
        for connection in tuple(self.hub.connections.values()):
            connection.drop("rst")
        for transport in tuple(self.hub.transports):
            # TLS that has ended can't be aborted, and says so in its own way.
            with suppress(AttributeError):
                transport.abortConnection()
        await self.until(lambda: not self.hub.connections, 30.0, "all connections ended")
        await deferLater(self._reactor, 0)
        self.hub.cancel_calls()

    # --- addresses

    @property
    def api_url(self) -> str:
        """For DISCORD_API_URL."""
        return f"{'https' if self._tls else 'http'}://{self.host}:{self.port}/api/v10"

    @property
    def gateway_url(self) -> str:
        return self._gateway(self.host)

    @property
    def resume_url(self) -> str:
        return self._gateway(self.resume_host)

    def _gateway(self, host: str) -> str:
        slash = "/" if self.options.trailing_slash else ""
        return f"{'wss' if self._tls else 'ws'}://{host}:{self.port}{slash}"

    # --- what happened

    def until(self, predicate: Callable[[], T], timeout: float = 60.0, what: str = "") -> Deferred[T]:
        """Fires with the predicate's value as soon as it is true; see the module's docstring."""
        return self.hub.journal.until(predicate, timeout, what)

    @property
    def breaches(self) -> list[Breach]:
        return self.hub.journal.breaches

    @property
    def connections(self) -> list[Connected]:
        return self.hub.journal.connections

    @property
    def frames(self) -> list[Frame]:
        return self.hub.journal.frames

    @property
    def identifies(self) -> list[Identify]:
        return self.hub.journal.identifies

    @property
    def resumes(self) -> list[Resume]:
        return self.hub.journal.resumes

    @property
    def closes(self) -> list[ClientClose]:
        return self.hub.journal.closes

    @property
    def commands(self) -> list[Command]:
        return self.hub.journal.commands

    @property
    def wasted(self) -> list[Wasted]:
        return self.hub.journal.wasted

    @property
    def events(self) -> Sequence[Sent]:
        return self.hub.journal.events

    @property
    def sessions(self) -> Sessions:
        return self.hub.sessions

    @property
    def sent(self) -> int:
        return self.hub.sent

    @property
    def world(self) -> World:
        return self.hub.world

    def summary(self) -> str:
        """What happened, in one line."""
        return summary(self.hub.journal, live=len(self.hub.sessions), sent=self.hub.sent, rows=self.load.summary())

    def report(self) -> str:
        """``no rule broken``, or the breaches line by line, grouped when they are many."""
        return report(self.hub.journal)
