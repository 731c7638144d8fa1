"""A shard as a service: it carries out what its life cycle decides, and gives events to the sink.

Nothing is decided here. What is read goes three ways: events into the read's batch, heartbeats' ACKs to the
book-keeping at once, the rest to the life cycle; op 7 and 9 only after the batch, so that a RESUME continues behind it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

from attrs import field, frozen
from autobahn.websocket.util import parse_url
from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime, IStreamClientEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from rateway.errors import ConfigError, FatalError, RatewayError, RemoteProtocolError, RequestRefused
from rateway.gateway import actions as act
from rateway.gateway.backoff import Backoff
from rateway.gateway.budget import SendBudget
from rateway.gateway.commands import Command, CommandQueue, Outcome
from rateway.gateway.envelope import Envelope, decode
from rateway.gateway.heartbeat import Heartbeat
from rateway.gateway.inflate import Inflater, make_inflater
from rateway.gateway.lifecycle import Lifecycle
from rateway.gateway.payloads import gateway_url, identify, parse_hello, parse_ready, resume
from rateway.interfaces import IDispatchSink, IFatalReporter, IIdentifyGate
from rateway.model.closecodes import OwnClose
from rateway.model.dispatch import Dispatch
from rateway.model.opcodes import COMMANDS, MAX_PAYLOAD, Opcode
from rateway.model.session import Session
from rateway.tls import client_endpoint, explain

from .frames import Message
from .protocol import GatewayConnection, connection_factory
from .speaker import Speaker

_FLOWING = frozenset({"resuming", "active"})
"""States in which events belong to a session."""


@frozen
class ShardSettings:
    """What all shards of a bot have in common.

    :ivar gateway_url: of GET /gateway/bot.
    :ivar presence: JSON text for IDENTIFY, or None.
    """

    token: str = field(repr=False)
    intents: int
    total: int
    compression: str
    presence: str | None
    gateway_url: str


class ShardService(Service):
    """One shard.

    :ivar session: the session, at the sequence of the last event given to the sink; None without one.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        shard_id: int,
        settings: ShardSettings,
        sink: IDispatchSink,
        gate: IIdentifyGate,
        fatal: IFatalReporter,
        session: Session | None = None,
        random: Callable[[], float] = random.random,
        connect: Callable[[str], IStreamClientEndpoint] | None = None,
    ) -> None:
        """
        :param session: of an earlier process, to go on with.
        :param random: gives numbers from 0 to 1.
        :param connect: makes the endpoint for a WebSocket URL; TCP, or TLS verified for the URL's host, by default.
        """
        self.session = session
        self._reactor = reactor
        self._clock = IReactorTime(reactor)
        self._shard_id = shard_id
        self._settings = settings
        self._sink = sink
        self._gate = gate
        self._fatal = fatal
        self._random = random
        self._endpoint = connect or partial(_endpoint, reactor)
        self._lifecycle = self._new_lifecycle()
        self._paused = False
        self._todo: list[act.Action] | None = None
        self._timer: IDelayedCall | None = None
        self._permit: Deferred[None] | None = None
        self._dialling: Deferred[Any] | None = None
        self._connection: GatewayConnection | None = None
        self._inflater: Inflater | None = None
        self._speaker: Speaker | None = None
        self._ending: set[GatewayConnection] = set()
        self._all_gone: Deferred[None] | None = None
        self._commands: CommandQueue | None = None
        self._commands_timer: IDelayedCall | None = None

    # The shard's face.

    @property
    def state(self) -> str:
        """The name of the life cycle's state."""
        return self._lifecycle.state

    @property
    def latency(self) -> float | None:
        """Seconds from the last acknowledged heartbeat to its ACK; None while there is none."""
        return None if self._speaker is None else self._speaker.pulse.latency

    def startService(self) -> None:
        """Resume the session, or identify by permit."""
        if self.running:
            return
        super().startService()
        if self._lifecycle.state == "stopped":
            self._lifecycle = self._new_lifecycle()
            if self._paused:
                self._perform(self._lifecycle.pause(self._clock.seconds()))
        self._perform(self._lifecycle.start(self._clock.seconds()))

    def stopService(self) -> Deferred[None]:
        """Close, keeping the session; fires when the connection is gone, within two seconds."""
        return self.stop()

    def stop(self, final: bool = False) -> Deferred[None]:
        """The same; ``final`` ends the session, and the bot shows offline at once."""
        if self.running:
            super().stopService()
        self._perform(self._lifecycle.stop(self._clock.seconds(), final))
        if self._commands is not None:
            self._refuse(self._commands.refuse_all("rateway is stopping"))
            self._pump()
        if not self._ending:
            return succeed(None)
        gone: Deferred[None] = Deferred()
        if self._all_gone is None:
            self._all_gone = Deferred()
        self._all_gone.addCallback(gone.callback)
        return gone

    def send(self, op: int, payload: bytes, deadline: float) -> Deferred[None]:
        """Send a command when there is room for it.

        :param payload: the whole JSON payload.
        :param deadline: by the reactor's clock.
        :returns: fires when written; fails with :class:`RequestRefused`, whose text is for the bot's author.
        """
        done: Deferred[None] = Deferred()
        if op not in COMMANDS or len(payload) > MAX_PAYLOAD or self._lifecycle.state == "stopped":
            done.errback(RequestRefused("the shard is stopped, or this is no command a bot may send"))
            return done
        if self._commands is None:
            self._commands = CommandQueue()
        self._refuse(self._commands.add(Command(op, payload, deadline, done), self._clock.seconds()))
        self._pump()
        return done

    def pause(self) -> None:
        """Stop reading: nobody can take events. Heartbeats go on; after a minute the connection is closed."""
        self._paused = True
        self._perform(self._lifecycle.pause(self._clock.seconds()))

    def resume(self) -> None:
        """Read again, or connect again."""
        self._paused = False
        self._perform(self._lifecycle.unpause(self._clock.seconds()))

    # What the connection tells.

    def messages_received(self, connection: GatewayConnection, messages: list[Message]) -> None:
        """THE HOT PATH of a shard: one read."""
        if connection is not self._connection or self._inflater is None:
            return
        feed = self._inflater.feed
        heard: list[Envelope] = []
        trouble = ""
        try:
            for message, binary in messages:
                for payload in feed(message, binary):
                    heard.append(decode(payload))
        except RemoteProtocolError as error:
            trouble = str(error)
        now = self._clock.seconds()
        try:
            late = self._take(connection, heard, now)
        except RemoteProtocolError as error:
            late, trouble = [], str(error)
        if self._lifecycle.state != "active":
            self._note_progress(connection, bool(messages), heard, now)
        for envelope in late:
            if connection is self._connection:
                self._obey(envelope, now)
        if trouble and connection is self._connection:
            self._perform(self._lifecycle.broken(OwnClose.UNDECODABLE, f"what came can't be read: {trouble}", now))

    def connection_ended(self, connection: GatewayConnection, code: int | None, detail: str, cause: Failure) -> None:
        """Discord closed, or the connection is lost."""
        self._ending.add(connection)
        if connection is self._connection:
            self._disconnect()
            detail = explain(cause) or " ".join(detail.split()).rstrip(".")
            self._perform(self._lifecycle.closed(code, detail, self._clock.seconds()))

    def connection_gone(self, connection: GatewayConnection) -> None:
        """A socket is closed."""
        self._ending.discard(connection)
        if not self._ending and self._all_gone is not None:
            gone, self._all_gone = self._all_gone, None
            gone.callback(None)

    def _take(self, connection: GatewayConnection, heard: list[Envelope], now: float) -> list[Envelope]:
        """Events to the sink, the rest to the life cycle; what has to wait for the events is returned."""
        batch: list[Dispatch] = []
        late: list[Envelope] = []
        flowing = self._lifecycle.state in _FLOWING
        try:
            for envelope in heard:
                if envelope.op:
                    if envelope.op == Opcode.HEARTBEAT_ACK:
                        if self._speaker is not None:
                            self._speaker.pulse.acknowledged(now)
                        continue
                    if envelope.op in (Opcode.RECONNECT, Opcode.INVALID_SESSION):
                        late.append(envelope)
                        continue
                    self._obey(envelope, now)
                else:
                    seq, name = envelope.s, envelope.t
                    if seq is None or name is None:
                        raise RemoteProtocolError("a dispatch without sequence or name")
                    if name == "READY":
                        session = parse_ready(envelope.d, seq).session
                        actions = self._lifecycle.ready(session.resume_url, now)
                        if self._lifecycle.state == "active":
                            self._flush(batch)
                            batch, self.session, flowing = [], session, True
                        self._perform(actions)
                    if flowing:
                        batch.append((seq, name, bytes(envelope.d)))
                    if name == "RESUMED":
                        self._perform(self._lifecycle.resumed(now))
                if connection is not self._connection:
                    break
        finally:
            self._flush(batch)
        return late

    def _flush(self, batch: list[Dispatch]) -> None:
        session = self.session
        if batch and session is not None:
            self.session = session = session.at(max(session.seq, batch[-1][0]))
            self._sink.take(self._shard_id, session, batch)

    def _obey(self, envelope: Envelope, now: float) -> None:
        op = envelope.op
        if op == Opcode.HELLO:
            self._perform(self._lifecycle.hello(parse_hello(envelope.d), now))
        elif op == Opcode.HEARTBEAT:
            self._perform(self._lifecycle.heartbeat_asked(now))
        elif op == Opcode.RECONNECT:
            self._perform(self._lifecycle.reconnect_asked(now))
        elif op == Opcode.INVALID_SESSION:
            self._perform(self._lifecycle.invalid_session(bytes(envelope.d) == b"true", now))
        else:
            self._log.debug("shard {shard}: unknown op {op} ignored", shard=self._shard_id, op=op)

    def _note_progress(self, connection: GatewayConnection, messages: bool, heard: list[Envelope], now: float) -> None:
        """Discord may be slow with READY or a replay, as long as something of it comes."""
        piece = not heard and (messages or connection.gathering)
        if piece or (self._lifecycle.state == "resuming" and any(envelope.op == 0 for envelope in heard)):
            self._lifecycle.replaying(now)

    # What the life cycle decides.

    def _perform(self, actions: act.Actions) -> None:
        """Carry out actions in order; what they bring about at once comes after them."""
        if self._todo is not None:
            self._todo.extend(actions)
            return
        self._todo = list(actions)
        try:
            for action in self._todo:  # it may grow meanwhile
                try:
                    _DEEDS[type(action)](self, action)
                except Exception:
                    self._log.failure("shard {shard}: {action!r} failed", shard=self._shard_id, action=action)
        finally:
            self._todo = None
        self._pump()

    def _ask_permit(self, action: act.AskPermit) -> None:
        permit = self._permit = maybeDeferred(self._gate.acquire, self._shard_id)
        permit.addCallbacks(partial(self._granted, permit), partial(self._refused, permit))
        permit.addErrback(partial(self._log.failure, "shard {shard}: on the permit", shard=self._shard_id))

    def _granted(self, permit: Deferred[None], _: object) -> None:
        if permit is self._permit:
            self._permit = None
            self._perform(self._lifecycle.permit_granted(self._clock.seconds()))

    def _refused(self, permit: Deferred[None], failure: Failure) -> None:
        if permit is self._permit:
            self._permit = None
            if not failure.check(RatewayError):
                self._log.failure("shard {shard}: the gate failed", failure, shard=self._shard_id)
            self._perform(self._lifecycle.permit_refused(failure.getErrorMessage(), self._clock.seconds()))

    def _withdraw_permit(self, action: act.WithdrawPermit) -> None:
        permit, self._permit = self._permit, None
        if permit is not None:
            permit.cancel()

    def _give_back_permit(self, action: act.GiveBackPermit) -> None:
        self._gate.give_back(self._shard_id)

    def _settle_permit(self, action: act.SettlePermit) -> None:
        self._gate.settled(self._shard_id)

    def _connect(self, action: act.Connect) -> None:
        try:
            url = gateway_url(action.url, self._settings.compression)
            endpoint = self._endpoint(url)
        except RatewayError as error:
            self._perform(self._lifecycle.closed(None, str(error), self._clock.seconds()))
            return
        dialling = self._dialling = endpoint.connect(connection_factory(self._reactor, url, self))
        dialling.addCallbacks(partial(self._connected, dialling), partial(self._not_connected, dialling))
        dialling.addErrback(partial(self._log.failure, "shard {shard}: on connecting", shard=self._shard_id))

    def _connected(self, dialling: Deferred[Any], connection: GatewayConnection) -> None:
        if dialling is self._dialling:
            self._dialling = None
            self._connection = connection
            self._inflater = make_inflater(self._settings.compression)
        else:
            connection.end(OwnClose.RECONNECT)

    def _not_connected(self, dialling: Deferred[Any], failure: Failure) -> None:
        if dialling is self._dialling:
            self._dialling = None
            detail = explain(failure) or " ".join(failure.getErrorMessage().split()).rstrip(".")
            self._perform(self._lifecycle.closed(None, detail, self._clock.seconds()))

    def _close(self, action: act.Close) -> None:
        dialling, self._dialling = self._dialling, None
        if dialling is not None:
            dialling.cancel()
        connection = self._connection
        self._disconnect()
        if connection is not None:
            self._ending.add(connection)
            connection.end(action.code)

    def _disconnect(self) -> None:
        """The connection is over, for us."""
        speaker, self._speaker = self._speaker, None
        if speaker is not None:
            speaker.end()
        self._connection = self._inflater = None

    def _begin_heartbeat(self, action: act.BeginHeartbeat) -> None:
        if self._connection is not None:
            pulse = Heartbeat(action.interval, self._random(), self._clock.seconds())
            self._speaker = Speaker(
                self._clock, self._connection, self._seq, self._dead, pulse, SendBudget(action.interval)
            )
            self._speaker.begin()

    def _seq(self) -> int | None:
        return None if self.session is None else self.session.seq

    def _dead(self) -> None:
        why = "no heartbeat is acknowledged, the connection is dead"
        self._perform(self._lifecycle.broken(OwnClose.ZOMBIE, why, self._clock.seconds()))

    def _send_heartbeat(self, action: act.SendHeartbeat) -> None:
        if self._speaker is not None:
            self._speaker.answer()

    def _send_identify(self, action: act.SendIdentify) -> None:
        known = self._settings
        try:
            payload = identify(known.token, known.intents, self._shard_id, known.total, known.presence)
        except ConfigError as error:
            self._fatal.report_fatal(FatalError(str(error)))
            return
        if self._speaker is not None:
            self._speaker.say(payload)
            self._gate.used(self._shard_id)

    def _send_resume(self, action: act.SendResume) -> None:
        if self._speaker is not None and self.session is not None:
            self._speaker.say(resume(self._settings.token, self.session))

    def _forget_session(self, action: act.ForgetSession) -> None:
        self.session = None
        self._sink.forget_session(self._shard_id)

    def _set_timer(self, action: act.SetTimer) -> None:
        self._cancel_timer()
        self._timer = self._clock.callLater(action.delay, self._timer_fired)

    def _cancel_timer(self, action: act.CancelTimer | None = None) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def _timer_fired(self) -> None:
        self._timer = None
        self._perform(self._lifecycle.timer_fired(self._clock.seconds()))

    def _stop_reading(self, action: act.StopReading) -> None:
        if self._connection is not None:
            self._connection.pause_reading()
        if self._speaker is not None:
            self._speaker.pulse.suspend(self._clock.seconds())

    def _go_on_reading(self, action: act.GoOnReading) -> None:
        if self._connection is not None:
            self._connection.go_on_reading()
        if self._speaker is not None:
            self._speaker.pulse.resume(self._clock.seconds())

    def _note(self, action: act.Note) -> None:
        if action.our_fault:
            self._log.error("shard {shard}: {what}", shard=self._shard_id, what=action.sentence)
        else:
            self._log.info("shard {shard}: {what}", shard=self._shard_id, what=action.sentence)

    def _fail(self, action: act.Fail) -> None:
        self._fatal.report_fatal(action.error)

    # Commands.

    def _pump(self) -> None:
        """Send what may be sent, refuse what is too late, and come back in time."""
        if self._commands is None:
            return
        now = self._clock.seconds()
        connection, speaker = self._connection, self._speaker
        budget = speaker.budget if speaker is not None and self._lifecycle.state == "active" else None
        take = self._commands.due(now, budget)
        for command in take.send:
            assert connection is not None
            connection.send(command.payload)
        after = self._commands.next_time(now, budget)
        if self._commands_timer is not None and self._commands_timer.active():
            self._commands_timer.cancel()
        self._commands_timer = None if after is None else self._clock.callLater(max(after - now, 0), self._pump)
        for command in take.send:
            _deferred(command.token).callback(None)
        self._refuse(take.refused)

    def _refuse(self, outcomes: list[Outcome] | tuple[Outcome, ...]) -> None:
        for outcome in outcomes:
            _deferred(outcome.token).errback(RequestRefused(outcome.reason))

    def _new_lifecycle(self) -> Lifecycle:
        resume_url = None if self.session is None else self.session.resume_url
        known = self._settings
        return Lifecycle(self._shard_id, known.intents, known.gateway_url, resume_url, Backoff(), self._random)


def _deferred(token: object) -> Deferred[None]:
    assert isinstance(token, Deferred)
    return token


def _endpoint(reactor: Any, url: str) -> IStreamClientEndpoint:
    secure, host, port, *_ = parse_url(url)
    return client_endpoint(reactor, host, port, tls=secure)


_DEEDS: dict[type[Any], Callable[[ShardService, Any], None]] = {
    act.AskPermit: ShardService._ask_permit,
    act.WithdrawPermit: ShardService._withdraw_permit,
    act.GiveBackPermit: ShardService._give_back_permit,
    act.SettlePermit: ShardService._settle_permit,
    act.Connect: ShardService._connect,
    act.Close: ShardService._close,
    act.BeginHeartbeat: ShardService._begin_heartbeat,
    act.SendHeartbeat: ShardService._send_heartbeat,
    act.SendIdentify: ShardService._send_identify,
    act.SendResume: ShardService._send_resume,
    act.ForgetSession: ShardService._forget_session,
    act.SetTimer: ShardService._set_timer,
    act.CancelTimer: ShardService._cancel_timer,
    act.StopReading: ShardService._stop_reading,
    act.GoOnReading: ShardService._go_on_reading,
    act.Note: ShardService._note,
    act.Fail: ShardService._fail,
}
