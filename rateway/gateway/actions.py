"""What the life cycle asks its shell to do: frozen words, carried out in the order given.

The core decides and the shell acts; nothing here has behaviour.
"""

from __future__ import annotations

from typing import TypeAlias

from attrs import frozen

from rateway.errors import FatalError
from rateway.model.closecodes import OwnClose


@frozen
class AskPermit:
    """Enter the queue of those who want to identify."""


@frozen
class WithdrawPermit:
    """Leave that queue: the permit asked for is no longer wanted."""


@frozen
class GiveBackPermit:
    """A permit was granted and is not used."""


@frozen
class SettlePermit:
    """The IDENTIFY has its answer, whatever it is."""


@frozen
class Connect:
    """Open a connection.

    :ivar url: the gateway's base URL, without a query.
    """

    url: str


@frozen
class Close:
    """Close the connection, wherever its handshake stands, and hear nothing more of it."""

    code: OwnClose


@frozen
class BeginHeartbeat:
    """Send heartbeats from now on.

    :ivar interval: seconds, from HELLO.
    """

    interval: float


@frozen
class SendHeartbeat:
    """Send one heartbeat more, at once."""


@frozen
class SendIdentify:
    """Send IDENTIFY, and tell the gate that the permit is used."""


@frozen
class SendResume:
    """Send RESUME for the session, with the sequence of the last dispatch taken."""


@frozen
class ForgetSession:
    """Discord has ended the session: it is never resumed again."""


@frozen
class SetTimer:
    """Tell the core when these seconds are over; replaces the timer set before."""

    delay: float


@frozen
class CancelTimer:
    """The timer is no longer wanted."""


@frozen
class StopReading:
    """Read nothing from the socket."""


@frozen
class GoOnReading:
    """Read from the socket again."""


@frozen
class Note:
    """A sentence for the log: what happened, and what follows.

    :ivar our_fault: Discord objects to something rateway did: an error, not information.
    :ivar loss: events may be missing for it: a warning.
    """

    sentence: str
    our_fault: bool = False
    loss: bool = False


@frozen
class Fail:
    """No retry mends it: the whole bot has to stop."""

    error: FatalError


Action: TypeAlias = (
    AskPermit
    | WithdrawPermit
    | GiveBackPermit
    | SettlePermit
    | Connect
    | Close
    | BeginHeartbeat
    | SendHeartbeat
    | SendIdentify
    | SendResume
    | ForgetSession
    | SetTimer
    | CancelTimer
    | StopReading
    | GoOnReading
    | Note
    | Fail
)

Actions: TypeAlias = list[Action]
