"""PURE: one bucket: how many requests are left, until when.

What Discord counts is known only from answers, and answers overtake one another. So the bucket counts for itself
from the moment of sending, and an answer can only lower what is left, or move the reset later. When the reset is
past, everything is back but what is still in flight. Waiting for a full reset is right for fixed and for sliding
windows alike.
"""

from __future__ import annotations

from attrs import define, field

from .answers import Quota
from .routes import Route


@define(eq=False)
class Ticket:
    """One request in the queue.

    :ivar number: order of asking.
    :ivar fields: the top-level names of its JSON body: some fields have limits of their own.
    :ivar not_before: a retry's earliest time.
    :ivar bucket: where it waits, or where it counts while it is in flight; ``None`` between the two.
    """

    number: int
    route: Route
    fields: frozenset[str] = frozenset()
    not_before: float = 0.0
    bucket: Bucket | None = field(default=None, repr=False)


@define(eq=False)
class Bucket:
    """A count shared by all requests of one hash and one top-level resource.

    :ivar limit: ``None`` until an answer told it: then one request at a time goes, to learn it.
    :ivar unlimited: an answer showed that the route has no bucket.
    :ivar reset_at: ``None`` where no answer of this window has come yet.
    """

    limit: int | None = None
    unlimited: bool = False
    remaining: int = 0
    reset_at: float | None = None
    blocked_until: float = 0.0
    used_at: float = 0.0
    waiting: list[Ticket] = field(factory=list, repr=False)
    flying: list[Ticket] = field(factory=list, repr=False)

    @property
    def in_flight(self) -> int:
        return len(self.flying)

    def may_send(self, now: float) -> bool:
        """Whether one more request fits."""
        if now < self.blocked_until:
            return False
        if self.unlimited:
            return True
        if self.limit is None:
            return self.in_flight == 0
        if self.reset_at is not None and self.reset_at <= now:
            self.remaining = max(0, self.limit - self.in_flight)
            self.reset_at = None
        # With no reset known and nothing in flight no answer will ever tell one: a single request goes and asks.
        return self.remaining > 0 or (self.reset_at is None and self.in_flight == 0)

    def send(self, ticket: Ticket, now: float) -> None:
        """The ticket's request goes out."""
        self.waiting.remove(ticket)
        self.flying.append(ticket)
        self.remaining = max(0, self.remaining - 1)
        self.used_at = now

    def returned(self, ticket: Ticket) -> None:
        """The ticket's request was answered, or never will be."""
        self.flying.remove(ticket)
        ticket.bucket = None

    def learn(self, quota: Quota, now: float) -> None:
        """Take over what an answer told."""
        if self.limit is None:
            self.remaining = max(0, quota.remaining - self.in_flight)
        else:
            self.remaining = min(self.remaining, quota.remaining)
        self.limit, self.unlimited = quota.limit, False
        self.reset_at = max(self.reset_at or 0.0, now + quota.reset_after)
        self.used_at = now

    def learn_unlimited(self, now: float) -> None:
        """An answer without a bucket: only the global limit counts."""
        self.unlimited, self.used_at = True, now

    def exhausted(self, until: float) -> None:
        """A 429 of the bucket itself: its own word about the reset holds, whatever other answers said."""
        self.remaining, self.reset_at, self.blocked_until = 0, until, max(self.blocked_until, until)

    def block(self, until: float) -> None:
        """A 429 for everybody who uses the resource: what is left of the bucket stays."""
        self.blocked_until = max(self.blocked_until, until)

    def wait(self, ticket: Ticket) -> None:
        """Queue a ticket in the order of asking."""
        ticket.bucket = self
        place = len(self.waiting)
        while place and self.waiting[place - 1].number > ticket.number:
            place -= 1
        self.waiting.insert(place, ticket)

    def merge(self, other: Bucket) -> None:
        """The other bucket turned out to be this one: take over its queue, and count what it has in flight."""
        for ticket in other.waiting:
            self.wait(ticket)
        for ticket in other.flying:
            ticket.bucket = self
        self.remaining = max(0, self.remaining - other.in_flight)
        self.flying += other.flying
        other.waiting, other.flying = [], []
        self.blocked_until = max(self.blocked_until, other.blocked_until)

    def opens_at(self, now: float) -> float | None:
        """When the next request fits; ``None`` if that takes an answer."""
        if self.may_send(now):
            return now
        if now < self.blocked_until:
            return self.blocked_until
        return self.reset_at

    def idle(self, now: float, seconds: float) -> bool:
        """Whether nothing of worth would be lost by forgetting it."""
        quiet = not self.waiting and not self.in_flight and self.used_at + seconds <= now
        return quiet and self.blocked_until <= now and (self.reset_at or 0.0) <= now
