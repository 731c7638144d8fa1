"""What bots send to Discord through us, queued in front of the budget.

Commands wait in the order they came, until the shard is active and its budget has room, or their time is over. Presence
updates are apart: Discord takes 5 in 20 s, and only the newest matters, so one at most waits, and a newer one takes its
place. All members of one guild are asked for once in 30 s: Discord would answer more with nothing but RATE_LIMITED, so
that more is refused here. What Discord refuses all the same is sent once more when it says (``repeats``).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

from attrs import frozen

from rateway.model.opcodes import Opcode

from .budget import SLACK, SendBudget
from .command_check import check_command, encode_command
from .membernews import Limited
from .repeats import Repeats
from .wholelists import WholeLists, guild_of

__all__ = ["Command", "CommandQueue", "Outcome", "Take", "check_command", "encode_command"]

PRESENCES = 5
PRESENCE_WINDOW = 20.0
"""Presence updates in so many seconds (Discord's docs, "Gateway": Update Presence)."""

MAX_WAITING = 1000
"""Commands in one shard's queue; far more than can go out before their time is over."""

SUPERSEDED = "superseded by a newer presence"
TOO_LATE = "the command is older than COMMAND_TTL allows"
NOT_CONNECTED = "the shard was not connected to Discord within the time the command may wait (COMMAND_TTL)"
NO_BUDGET = (
    "the shard may not send more (120 payloads in 60 s, of those 5 presences in 20 s) within the time the command may "
    "wait (COMMAND_TTL)"
)
TOO_OFTEN = "all members of guild {} were asked for just now, and Discord answers that once in 30 s: ask in {} s"
FULL = f"{MAX_WAITING} commands are waiting for this shard already"


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
    :ivar again: payloads to be written before the others, which were sent before: of these nobody need be told.
    """

    send: tuple[Command, ...]
    refused: tuple[Outcome, ...]
    again: tuple[bytes, ...] = ()


class CommandQueue:
    """One shard's commands; it outlives the shard's connections.

    :ivar whole_lists: when each guild's members were asked for, by bots or by rateway itself.
    """

    def __init__(self) -> None:
        self._waiting: deque[Command] = deque()
        self._presence: Command | None = None
        self._presences: deque[float] = deque(maxlen=PRESENCES)
        self._earliest = math.inf
        self.whole_lists = WholeLists()
        self._repeats = Repeats()

    @property
    def has_orders(self) -> bool:
        """Whether anything waits for the budget; a presence may only wait for the time it may be changed again."""
        return bool(self._waiting)

    def __len__(self) -> int:
        return len(self._waiting) + (self._presence is not None)

    def add(self, command: Command, now: float) -> list[Outcome]:
        """Queue a command.

        Returned is what is refused for it: an older presence, or itself when it is too late or the queue is full.
        """
        if command.deadline <= now:
            return [Outcome(command.token, TOO_LATE)]
        refused = []
        if command.op == Opcode.PRESENCE_UPDATE:
            if self._presence is not None:
                refused.append(Outcome(self._presence.token, SUPERSEDED))
            self._presence = command
        elif len(self._waiting) >= MAX_WAITING:
            return [Outcome(command.token, FULL)]
        else:
            self._waiting.append(command)
        self._earliest = min(self._earliest, command.deadline)
        return refused

    def due(self, now: float, budget: SendBudget | None) -> Take:
        """What may go out now, and what won't any more.

        :param budget: the connection's, which books what is handed out; None while the shard isn't active.
        """
        refused = list(self._expire(now, NOT_CONNECTED if budget is None else NO_BUDGET))
        send: list[Command] = []
        again: list[bytes] = []
        if budget is not None:
            again += self._again(now, budget)
            if self._presence is not None and self._presence_slot(now) <= now and budget.may_send(now):
                send.append(self._presence)
                budget.sent(now)
                self._presences.append(now)
                self._presence = None
            while self._waiting and budget.may_send(now):
                command = self._waiting.popleft()
                guild = guild_of(command.op, command.payload)
                wait = 0.0 if guild is None else self.whole_lists.ask(guild, now)
                if wait:
                    refused.append(Outcome(command.token, TOO_OFTEN.format(guild, math.ceil(wait))))
                else:
                    send.append(command)
                    budget.sent(now)
                    if guild is not None:
                        self._repeats.sent(guild, command.payload, now)
        return Take(tuple(send), tuple(refused), tuple(again))

    def next_time(self, now: float, budget: SendBudget | None) -> float | None:
        """When to call :meth:`due` next, if nothing else happens before; None with nothing queued.

        It may come a little too early for anything to be due.
        """
        if not self:
            self._earliest = math.inf
        times = [self._earliest]
        if budget is not None:
            slot = budget.next_slot(now)
            if self._waiting:
                times.append(slot)
            if self._presence is not None:
                times.append(max(slot, self._presence_slot(now)))
            repeat = self._repeats.next_time()
            if repeat is not None:
                times.append(max(slot, repeat))
        time = min(times)
        return None if time == math.inf else max(time, now)

    def listens(self, now: float) -> bool:
        """Whether Discord may still refuse a whole list that a bot asked for."""
        return self._repeats.listens(now)

    def limited(self, limited: Limited, now: float) -> None:
        """RATE_LIMITED: nobody asks for the guild's list before Discord says; a bot's request is sent again then."""
        self.whole_lists.limited(limited.guild, limited.seconds, now)
        self._repeats.refused(limited, now)

    def session_began(self) -> None:
        """What was asked for in the old session is not answered any more, nor asked for again."""
        self._repeats.forget()

    def refuse_all(self, reason: str) -> list[Outcome]:
        """Empty the queue: rateway stops."""
        refused = [Outcome(command.token, reason) for command in self._all()]
        self._waiting.clear()
        self._presence = None
        self._repeats.forget()
        return refused

    def _again(self, now: float, budget: SendBudget) -> list[bytes]:
        payloads = []
        for guild in self._repeats.due(now):
            if not budget.may_send(now):
                break
            wait = self.whole_lists.ask(guild, now)
            if wait:
                self._repeats.put_off(guild, now + wait)
            else:
                payloads.append(self._repeats.take(guild, now))
                budget.sent(now)
        return payloads

    def _all(self) -> Iterable[Command]:
        return self._waiting if self._presence is None else (*self._waiting, self._presence)

    def _expire(self, now: float, reason: str) -> tuple[Outcome, ...]:
        if now < self._earliest:
            return ()
        over = [command for command in self._all() if command.deadline <= now]
        self._waiting = deque(command for command in self._waiting if command.deadline > now)
        if self._presence is not None and self._presence.deadline <= now:
            self._presence = None
        self._earliest = min((command.deadline for command in self._all()), default=math.inf)
        return tuple(Outcome(command.token, reason) for command in over)

    def _presence_slot(self, now: float) -> float:
        if len(self._presences) < PRESENCES:
            return now
        return self._presences[0] + PRESENCE_WINDOW + SLACK
