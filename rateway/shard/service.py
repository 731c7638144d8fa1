"""A shard as a service: it carries out what its life cycle decides, and gives events to the sink.

Nothing is decided here. What is read goes three ways: events into the read's batch, heartbeats' ACKs to the
book-keeping at once, the rest to the life cycle; op 7 and 9 only after the batch, so that a RESUME continues behind it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.logger import Logger

from rateway.errors import ConfigError, FatalError, RemoteProtocolError, RequestRefused
from rateway.gateway import actions as act
from rateway.gateway.backoff import Backoff
from rateway.gateway.envelope import Envelope
from rateway.gateway.lifecycle import Lifecycle
from rateway.gateway.payloads import identify, parse_hello, parse_ready, resume
from rateway.interfaces import IDispatchSink, IFatalReporter, IIdentifyGate
from rateway.model.closecodes import OwnClose
from rateway.model.dispatch import Dispatch
from rateway.model.opcodes import Opcode
from rateway.model.session import Session

from .link import Link, endpoint_for
from .outbox import Outbox
from .permit import Permit
from .settings import ShardSettings
from .speaker import Speaker
from .timer import Timer

_FLOWING = frozenset({"resuming", "active"})
"""States in which events belong to a session."""


class ShardService(Service):
    """One shard.

    :ivar session: the session, at the sequence of the last event given to the sink; None without one.
    :ivar outbox: what is sent in other names than the shard's own.
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
        refill: bool = False,
        random: Callable[[], float] = random.random,
        connect: Callable[[str], IStreamClientEndpoint] | None = None,
    ) -> None:
        """
        :param session: of an earlier process, to go on with.
        :param refill: the cache that belonged to it is lost: once it has been resumed, a new one is begun by permit.
        :param connect: makes the endpoint for a WebSocket URL; TCP, or TLS verified for the URL's host, by default.
        """
        self.session = session
        self._clock = IReactorTime(reactor)
        self._shard_id = shard_id
        self._settings = settings
        self._refill = refill
        self._sink = sink
        self._fatal = fatal
        self._random = random
        self._paused = False
        self._todo: act.Actions | None = None
        self._timer = Timer(self._clock, self._timer_fired)
        self._speaker: Speaker | None = None
        self.outbox = Outbox(self._clock, self._command_speaker)
        self._link = Link(
            reactor, settings.compression, self, connect or partial(endpoint_for, reactor), settings.distrusted
        )
        self._permit = Permit(gate, shard_id, self._permit_granted, self._permit_refused)
        self._lifecycle = self._new_lifecycle()

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

    def stop(self, final: bool = False) -> Deferred[None]:
        """Close, keeping the session unless it is ``final``; fires when the connection is gone, within two seconds."""
        if self.running:
            super().stopService()
        self._permit.withdraw()
        self._perform(self._lifecycle.stop(self._clock.seconds(), final))
        self.outbox.close("rateway is stopping")
        return self._link.gone()

    def stopService(self) -> Deferred[None]:
        """The same, keeping the session."""
        return self.stop()

    def send(self, op: int, payload: bytes, deadline: float) -> Deferred[None]:
        """Send a command when there is room for it.

        :param payload: the whole JSON payload.
        :param deadline: by the reactor's clock.
        :returns: fires when written; fails with :class:`RequestRefused`, whose text is for the bot's author.
        """
        if self._lifecycle.state == "stopped":
            return fail(RequestRefused("the shard is stopped"))
        return self.outbox.send(op, payload, deadline)

    def pause(self) -> None:
        """Stop reading: nobody can take events. Heartbeats go on; after a minute the connection is closed."""
        self._paused = True
        self._perform(self._lifecycle.pause(self._clock.seconds()))

    def resume(self) -> None:
        """Read again, or connect again."""
        self._paused = False
        self._perform(self._lifecycle.unpause(self._clock.seconds()))
        self._ask_to_refill()

    def hold(self, held: bool) -> None:
        """Read nothing for a moment, or go on: too much that was read waits for its turn."""
        self._link.hold(held)

    def payloads_received(self, envelopes: list[Envelope], trouble: str) -> None:
        """THE HOT PATH of a shard: one read."""
        now, connection = self._clock.seconds(), self._link.connection
        try:
            late = self._take(envelopes, now)
        except RemoteProtocolError as error:
            late, trouble = [], str(error)
        if self._lifecycle.state != "active":
            self._note_progress(envelopes, now)
        for envelope in late:
            if connection is self._link.connection:
                self._obey(envelope, now)
        if trouble and connection is self._link.connection:
            self._perform(self._lifecycle.broken(OwnClose.UNDECODABLE, trouble, now))

    def link_lost(self, code: int | None, detail: str) -> None:
        """Discord closed, or the connection is lost or could not be made."""
        self._hush()
        self._perform(self._lifecycle.closed(code, detail, self._clock.seconds()))

    def _take(self, envelopes: list[Envelope], now: float) -> list[Envelope]:
        """Events to the sink, the rest to the life cycle; what has to wait for the events is returned."""
        batch: list[Dispatch] = []
        late: list[Envelope] = []
        connection = self._link.connection
        flowing = self._lifecycle.state in _FLOWING
        try:
            for envelope in envelopes:
                if envelope.op == Opcode.DISPATCH:
                    seq, name = envelope.s, envelope.t
                    if seq is None or name is None:
                        raise RemoteProtocolError("Discord sent an event without a name or a sequence")
                    if name == "READY":
                        session = parse_ready(envelope.d, seq).session
                        actions = self._lifecycle.ready(session.resume_url, now)
                        if self._lifecycle.state == "active":
                            self._flush(batch)
                            batch, self.session, flowing, self._refill = [], session, True, False
                            self.outbox.session_began()
                        self._perform(actions)
                    if flowing:
                        batch.append((seq, name, bytes(envelope.d)))
                    if name == "RESUMED":
                        self._perform(self._lifecycle.resumed(now))
                        if self._refill:
                            self._clock.callLater(0, self._ask_to_refill)
                elif envelope.op == Opcode.HEARTBEAT_ACK:
                    if self._speaker is not None:
                        self._speaker.pulse.acknowledged(now)
                elif envelope.op in (Opcode.RECONNECT, Opcode.INVALID_SESSION):
                    late.append(envelope)
                else:
                    self._obey(envelope, now)
                if connection is not self._link.connection:
                    break
        finally:
            self._flush(batch)
        return late

    def _flush(self, batch: list[Dispatch]) -> None:
        session = self.session
        if batch and session is not None:
            self.session = session = session.at(max(session.seq, batch[-1][0]))
            self._sink.take(self._shard_id, session, batch)
            if self.outbox.listens:
                self.outbox.hear(batch)

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

    def _note_progress(self, envelopes: list[Envelope], now: float) -> None:
        """Discord may be slow with READY or a replay, as long as something of it comes."""
        connection = self._link.connection
        replayed = any(envelope.op == Opcode.DISPATCH for envelope in envelopes)
        if replayed or (not envelopes and connection is not None and connection.gathering):
            self._lifecycle.replaying(now)

    def _perform(self, actions: act.Actions) -> None:
        """Carry out actions in order; what they bring about at once comes after them."""
        if self._todo is not None:
            self._todo.extend(actions)
            return
        self._todo = list(actions)
        try:
            for action in self._todo:  # which may grow meanwhile
                try:
                    _DEEDS[type(action)](self, action)
                except Exception:
                    self._log.failure("shard {shard}: {action!r} failed", shard=self._shard_id, action=action)
        finally:
            self._todo = None
        self.outbox.pump()

    def _ask_to_refill(self) -> None:
        if self._refill and self.running and self._lifecycle.state == "active":
            self._permit.ask()

    def _permit_granted(self) -> None:
        granted = self._lifecycle.renew if self._refill else self._lifecycle.permit_granted
        self._perform(granted(self._clock.seconds()))

    def _permit_refused(self, why: str) -> None:
        self._perform(self._lifecycle.permit_refused(why, self._clock.seconds()))

    def _close(self, action: act.Close) -> None:
        self._hush()
        self._link.close(action.code)

    def _hush(self) -> None:
        speaker, self._speaker = self._speaker, None
        if speaker is not None:
            speaker.end()

    def _begin_heartbeat(self, action: act.BeginHeartbeat) -> None:
        connection = self._link.connection
        if connection is not None:
            self._speaker = Speaker(
                self._clock, connection, action.interval, self._random(), self._seq, self._heard_nothing
            )

    def _seq(self) -> int | None:
        return self.session.seq if self.session is not None and self._lifecycle.state in _FLOWING else None

    def _heard_nothing(self) -> None:
        self._perform(self._lifecycle.broken(OwnClose.ZOMBIE, "heartbeats are not acknowledged", self._clock.seconds()))

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
            self._speaker.book()
            self._permit.used()

    def _send_resume(self, action: act.SendResume) -> None:
        if self._speaker is not None and self.session is not None:
            self._speaker.say(resume(self._settings.token, self.session))
            self._speaker.book()

    def _forget_session(self, action: act.ForgetSession) -> None:
        self.session = None
        self._sink.forget_session(self._shard_id)

    def _timer_fired(self) -> None:
        self._perform(self._lifecycle.timer_fired(self._clock.seconds()))

    def _read(self, reading: bool) -> None:
        self._link.read(reading)
        if self._speaker is not None:
            pulse = self._speaker.pulse
            (pulse.resume if reading else pulse.suspend)(self._clock.seconds())

    def _note(self, action: act.Note) -> None:
        say = self._log.error if action.our_fault else self._log.warn if action.loss else self._log.info
        say("shard {shard}: {what}", shard=self._shard_id, what=action.sentence)

    def _command_speaker(self) -> Speaker | None:
        speaker = self._speaker
        return speaker if speaker is not None and speaker.heard and self._lifecycle.state == "active" else None

    def _new_lifecycle(self) -> Lifecycle:
        resume_url = None if self.session is None else self.session.resume_url
        url = self._settings.gateway_url
        return Lifecycle(self._shard_id, self._settings.intents, url, resume_url, Backoff(), self._random)


_DEEDS: dict[type[act.Action], Callable[[ShardService, Any], None]] = {
    act.AskPermit: lambda shard, action: shard._permit.ask(),
    act.WithdrawPermit: lambda shard, action: shard._permit.withdraw(),
    act.GiveBackPermit: lambda shard, action: shard._permit.give_back(),
    act.SettlePermit: lambda shard, action: shard._permit.settle(),
    act.Connect: lambda shard, action: shard._link.connect(action.url),
    act.Close: ShardService._close,
    act.BeginHeartbeat: ShardService._begin_heartbeat,
    act.SendHeartbeat: ShardService._send_heartbeat,
    act.SendIdentify: ShardService._send_identify,
    act.SendResume: ShardService._send_resume,
    act.ForgetSession: ShardService._forget_session,
    act.SetTimer: lambda shard, action: shard._timer.set(action.delay),
    act.CancelTimer: lambda shard, action: shard._timer.cancel(),
    act.StopReading: lambda shard, action: shard._read(False),
    act.GoOnReading: lambda shard, action: shard._read(True),
    act.Note: ShardService._note,
    act.Fail: lambda shard, action: shard._fatal.report_fatal(action.error),
}
