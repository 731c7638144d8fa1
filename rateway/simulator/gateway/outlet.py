"""What a connection sends, and what it holds back, on its way from the gateway to the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from .behaviour import Behaviour, Drop
from .encoding import Encoder, Message, PlainEncoder
from .holdback import Holdback
from .packing import Packed

_encode = msgspec.json.Encoder().encode


class Wire(Protocol):
    """What carries a connection's messages.

    :ivar is_stuck: the client doesn't read what is sent as fast as it comes.
    """

    is_stuck: bool

    def send_messages(self, messages: list[Message]) -> None: ...

    def send_close(self, code: int | None, reason: str) -> None:
        """A close frame, empty where there is no code."""

    def drop(self, how: Drop) -> None:
        """End the TCP connection; never called with ``blackhole``."""

    def read(self, reading: bool) -> None:
        """Go on, or stop, reading what the client sends."""


class Outlet:
    """The sending half of a connection.

    :ivar over: the connection has been closed or lost; nothing is sent any more.
    :ivar swallowed: it is in a black hole: nothing is read, what is sent is lost.
    :ivar is_deaf: nothing is read for the time being.
    :ivar holdback: events that are withheld or change places.
    """

    def __init__(self, wire: Wire, behaviour: Behaviour) -> None:
        self.wire = wire
        self.behaviour = behaviour
        self.encoder: Encoder = PlainEncoder()
        self.holdback = Holdback()
        self.over = False
        self.swallowed = False
        self.is_deaf = False
        self._frozen: list[Message] | None = None

    @property
    def is_frozen(self) -> bool:
        """Whether what is sent waits."""
        return self._frozen is not None

    def send(self, payload: bytes) -> None:
        """One payload, through the connection's compression."""
        self.put(self.encoder.encode(payload, self.behaviour.pieces))

    @property
    def is_stuck(self) -> bool:
        """Whether what is sent now only piles up."""
        return self.is_frozen or self.wire.is_stuck

    def dispatch(self, name: str, payload: bytes) -> None:
        """One event, unless it is held back."""
        names = self.behaviour.withhold
        if names or self.holdback.swaps:
            for ready in self.holdback.pass_on(name, payload, names):
                self.send(ready)
        else:
            self.send(payload)

    def release(self, *, late: bool) -> int:
        """Withhold nothing any more; what was withheld is sent now, or dropped. How many events that were."""
        self.behaviour = msgspec.structs.replace(self.behaviour, withhold=())
        withheld = self.holdback.release()
        if late:
            for payload in withheld:
                self.send(payload)
        return len(withheld)

    @property
    def takes_packed(self) -> bool:
        """Whether packed events may go out as they are: nothing is to be done to each payload by itself."""
        behaviour = self.behaviour
        return behaviour.pieces < 2 and not behaviour.withhold and not self.holdback.swaps

    def send_packed(self, events: Sequence[Packed], first: int) -> None:
        """Packed events with the sequences from ``first`` on, in one write."""
        splice = self.encoder.splice
        self.put([splice(event, seq) for seq, event in enumerate(events, first)])

    def put(self, messages: list[Message]) -> None:
        """Messages as they are: nothing is compressed, nothing is checked."""
        if self.over or self.swallowed:
            return
        if self._frozen is not None:
            self._frozen.extend(messages)
            return
        self.wire.send_messages(messages)

    def control(self, op: int, d: object = None) -> None:
        """A payload that is no dispatch."""
        self.send(b'{"t":null,"s":null,"op":%d,"d":%b}' % (op, _encode(d)))

    def freeze(self, *, deaf: bool = False) -> None:
        """Send nothing more (it waits); with ``deaf``, stop reading too."""
        if self._frozen is None:
            self._frozen = []
        self.is_deaf = deaf
        self.wire.read(not (deaf or self.swallowed))

    def thaw(self) -> None:
        """Send what waited, and go on."""
        waiting, self._frozen, self.is_deaf = self._frozen or [], None, False
        self.wire.read(not self.swallowed)
        self.put(waiting)
