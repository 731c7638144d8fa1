"""PURE: all buckets, the global limit, blocks and bans, and the count of invalid requests.

A request asks for a ticket and waits; ``take`` says which tickets go now; the answer is told back, and teaches.

*Discovery.* Discord names a route's bucket only in answers. Until then a route's requests to one resource share a
bucket of their own with one request in flight. The first answer gives the hash: the bucket is filed under hash and
resource, or merged with the one that is there already. Hashes may change at any time; the queue then moves.

*Order.* The bucket comes first, the global limit last: a request that waits for its bucket takes nobody's turn.
"""

from __future__ import annotations

from collections import deque
from itertools import count

from rateway.errors import Unavailable

from .answers import Answer, Refusal
from .buckets import Bucket, Ticket
from .routes import Route

PER_SECOND = 50
INVALID_WINDOW = 600.0
INVALID_SLOW = 5_000
"""From so many invalid requests in ten minutes on (Discord bans an address at 10,000), requests go slowly."""
INVALID_STOP = 9_500
SLOW_PER_SECOND = 5
"""Slow enough that ten minutes of nothing but invalid requests stay below INVALID_STOP."""
WAITING_LIMIT = 1_000
IDLE_SECONDS = 300.0
HASH_SECONDS = 86_400.0
_SECOND = 1.0

_Key = tuple[str, str]


class RateLimits:
    """The limits of one bot's token.

    :ivar banned_until: while Cloudflare refuses this address.
    """

    def __init__(self, per_second: int = PER_SECOND, waiting_limit: int = WAITING_LIMIT) -> None:
        self.banned_until = 0.0
        self._per_second = per_second
        self._waiting_limit = waiting_limit
        self._numbers = count(1)
        self._hashes: dict[str, tuple[str, float]] = {}
        self._buckets: dict[_Key, Bucket] = {}
        self._sublimits: dict[tuple[_Key, frozenset[str]], float] = {}
        self._global_until = 0.0
        self._sent: deque[float] = deque()
        self._invalid: deque[float] = deque()
        self._swept_at = 0.0

    def ask(self, route: Route, now: float, fields: frozenset[str] = frozenset()) -> Ticket:
        """Queue a request.

        :raises Unavailable: while the address is banned or about to be, or if too many requests wait already.
        """
        if now < self.banned_until:
            raise Unavailable(f"Discord refuses this address for another {self.banned_until - now:.0f} s")
        if self.invalid_requests(now) >= INVALID_STOP:
            raise Unavailable("too many of this address's requests were refused lately; one more might get it banned")
        if sum(len(bucket.waiting) for bucket in self._buckets.values()) >= self._waiting_limit:
            raise Unavailable(f"{self._waiting_limit} requests to Discord wait already")
        ticket = Ticket(next(self._numbers), route, fields)
        self._bucket_of(route).wait(ticket)
        return ticket

    def again(self, ticket: Ticket, not_before: float) -> None:
        """Queue a request once more, in its old place."""
        ticket.not_before = not_before
        self._bucket_of(ticket.route).wait(ticket)

    def leave(self, ticket: Ticket) -> None:
        """The request was given up, or no answer to it will ever come."""
        bucket = ticket.bucket
        if bucket is None:
            return
        if ticket in bucket.flying:
            bucket.returned(ticket)
        else:
            bucket.waiting.remove(ticket)
            ticket.bucket = None

    def take(self, now: float) -> list[Ticket]:
        """The requests to send now; they count as sent."""
        self._sweep(now)
        taken = []
        for bucket in self._busy():
            for ticket in tuple(bucket.waiting):
                if not bucket.may_send(now):
                    break
                if self._held_until(ticket, now) <= now:
                    bucket.send(ticket, now)
                    if not ticket.route.unbound:
                        self._sent.append(now)
                    taken.append(ticket)
        return taken

    def next_time(self, now: float) -> float | None:
        """When ``take`` may give something; ``None`` if that takes an answer, or nothing waits."""
        times = []
        for bucket in self._busy():
            opens = bucket.opens_at(now)
            if opens is not None:
                times.append(max(opens, min(self._held_until(ticket, now) for ticket in bucket.waiting)))
        return min(times, default=None)

    def answered(self, ticket: Ticket, answer: Answer, now: float) -> None:
        """The answer to a request came. A refused one may be queued again."""
        bucket = ticket.bucket
        if bucket is None:
            return
        bucket.returned(ticket)
        if answer.quota is not None:
            bucket = self._file(ticket.route, answer.quota.bucket, now)
            bucket.learn(answer.quota, now)
        elif answer.teaches and bucket.limit is None:
            bucket.learn_unlimited(now)
        if answer.invalid:
            self._invalid.append(now)
        until = now + answer.retry_after
        match answer.refusal:
            case Refusal.BUCKET:
                bucket.exhausted(until)
            case Refusal.SHARED:
                bucket.block(until)
            case Refusal.SUBLIMIT:
                self._sublimits[(ticket.route.key, ticket.route.major), ticket.fields] = until
            case Refusal.GLOBAL:
                self._global_until = max(self._global_until, until)
            case Refusal.BANNED:
                self.banned_until = max(self.banned_until, until)

    def invalid_requests(self, now: float) -> int:
        """How many requests of the last ten minutes Discord holds against this address."""
        while self._invalid and self._invalid[0] + INVALID_WINDOW <= now:
            self._invalid.popleft()
        return len(self._invalid)

    def _busy(self) -> list[Bucket]:
        """The buckets somebody waits for, the one who asked first before the others."""
        busy = [bucket for bucket in self._buckets.values() if bucket.waiting]
        return sorted(busy, key=lambda bucket: bucket.waiting[0].number)

    def _bucket_of(self, route: Route) -> Bucket:
        found = self._hashes.get(route.key)
        return self._buckets.setdefault((found[0] if found else route.key, route.major), Bucket())

    def _file(self, route: Route, hashed: str, now: float) -> Bucket:
        """The bucket of this hash and resource, after everything that waits for the route has moved there."""
        old = self._hashes.get(route.key)
        self._hashes[route.key] = (hashed, now)
        if old is None:
            for key in [key for key in self._buckets if key[0] == route.key]:
                self._rename(key, (hashed, key[1]))
        elif old[0] != hashed:
            for key in [key for key in self._buckets if key[0] == old[0]]:
                self._move(route, self._buckets[key], self._buckets.setdefault((hashed, key[1]), Bucket()))
        target = self._buckets.setdefault((hashed, route.major), Bucket())
        target.used_at = now
        return target

    def _rename(self, key: _Key, new: _Key) -> None:
        bucket = self._buckets.pop(key)
        there = self._buckets.get(new)
        if there is None:
            self._buckets[new] = bucket
        else:
            there.merge(bucket)

    @staticmethod
    def _move(route: Route, source: Bucket, target: Bucket) -> None:
        for ticket in [ticket for ticket in source.waiting if ticket.route.key == route.key]:
            source.waiting.remove(ticket)
            target.wait(ticket)

    def _held_until(self, ticket: Ticket, now: float) -> float:
        """Until when something other than its bucket keeps a request back."""
        sublimit = self._sublimits.get(((ticket.route.key, ticket.route.major), ticket.fields), 0.0)
        until = max(ticket.not_before, sublimit, self.banned_until)
        return until if ticket.route.unbound else max(until, self._global_until, self._next_slot(now))

    def _next_slot(self, now: float) -> float:
        """When the limit over all requests has room."""
        while self._sent and self._sent[0] + _SECOND <= now:
            self._sent.popleft()
        slow = self.invalid_requests(now) >= INVALID_SLOW
        allowed = min(self._per_second, SLOW_PER_SECOND) if slow else self._per_second
        return now if len(self._sent) < allowed else self._sent[-allowed] + _SECOND

    def _sweep(self, now: float) -> None:
        """Forget what has been idle for long: a bot meets many channels."""
        if now < self._swept_at + 60.0:
            return
        self._swept_at = now
        self._buckets = {k: bucket for k, bucket in self._buckets.items() if not bucket.idle(now, IDLE_SECONDS)}
        self._sublimits = {k: until for k, until in self._sublimits.items() if until > now}
        self._hashes = {k: seen for k, seen in self._hashes.items() if seen[1] + HASH_SECONDS > now}
