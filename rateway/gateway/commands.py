"""What bots send to Discord through us: checked, then queued in front of the budget."""

from __future__ import annotations

from attrs import frozen

from .budget import SendBudget


@frozen
class Command:
    """A command that passed :func:`check_command`.

    :ivar payload: the whole JSON payload.
    :ivar deadline: monotonic seconds; not sent by then, it is refused.
    :ivar token: the caller's own, handed back with the outcome.
    """

    op: int
    payload: bytes
    deadline: float
    token: object


@frozen
class Outcome:
    """What became of a command that wasn't sent.

    :ivar reason: a sentence for the bot's author.
    """

    token: object
    reason: str


@frozen
class Take:
    """What :meth:`CommandQueue.due` hands out.

    :ivar send: to be written now, in this order; each is booked in the budget already.
    :ivar refused: those whose time is over.
    """

    send: tuple[Command, ...]
    refused: tuple[Outcome, ...]


class CommandQueue:
    """One shard's commands; it outlives the shard's connections."""

    def add(self, command: Command, now: float) -> list[Outcome]:
        """Queue a command; what is refused for it (an older presence, or itself when it is too late or the queue is
        full) is returned."""
        raise NotImplementedError

    def due(self, now: float, budget: SendBudget | None) -> Take:
        """What may go out now, and what won't any more.

        :param budget: the connection's, which books what is handed out; None while the shard isn't active.
        """
        raise NotImplementedError

    def next_time(self, now: float, budget: SendBudget | None) -> float | None:
        """When to call :meth:`due` next; None with nothing queued."""
        raise NotImplementedError

    def refuse_all(self, reason: str) -> list[Outcome]:
        """Empty the queue: rateway stops."""
        raise NotImplementedError


def check_command(body: bytes) -> tuple[int, dict[str, object]]:
    """The op and the ``d`` of a bot's payload.

    :raises RequestRefused: with a sentence for the bot's author.
    """
    raise NotImplementedError


def encode_command(op: int, d: dict[str, object]) -> bytes:
    """The payload to send for a checked command: what Discord reads is precisely what was checked."""
    raise NotImplementedError
