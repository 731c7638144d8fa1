"""Tests of what stays small: a store over which very many events went that only changed what was there."""

from __future__ import annotations

from pathlib import Path
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from rateway.model.dispatch import Dispatch
from rateway.store.cache import Cache

from . import samples as s
from .stores import SESSION, ask, dispatch, open_store

PEOPLE = range(s.ALICE, s.ALICE + 400)
ROUNDS = 60
BATCH = 40


class ChurnTests(SynchronousTestCase):
    """A guild whose members come online, play, and go offline, again and again."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.random = Random(1)
        self.seq = 0
        self.store = open_store(self.folder / "cluster-1", initial_size=1 << 20)
        self.addCleanup(self.store.close)
        members = [s.member(user, f"user{user}") for user in PEOPLE]
        self.feed([self.event("READY", s.ready(s.GUILD))])
        self.feed([self.event("GUILD_CREATE", s.bare_guild(s.GUILD, members=members))])
        self.change_presences(3)

    def event(self, name: str, d: object) -> Dispatch:
        """The next event."""
        self.seq += 1
        return dispatch(self.seq, name, d)

    def feed(self, events: list[Dispatch]) -> None:
        """Apply them in one transaction."""
        self.store.apply([(0, SESSION.at(self.seq), events)], {})

    def change_presences(self, rounds: int) -> None:
        """Everybody's presence changes so many times, in an order that is another each time."""
        for _ in range(rounds):
            people = self.random.sample(PEOPLE, len(PEOPLE))
            for start in range(0, len(people), BATCH):
                self.feed(
                    [self.event("PRESENCE_UPDATE", self.presence(user)) for user in people[start : start + BATCH]]
                )

    def presence(self, user: int) -> s.Json:
        """Somebody does something of another length each time, or goes."""
        playing = [{"name": "chess", "type": 0, "details": "x" * self.random.randrange(1500)}]
        return s.presence(user, self.random.choice(("online", "idle", "offline")), activities=playing)

    def pages(self) -> int:
        """Bytes of the pages that hold something."""
        with self.store.environment.reading() as transaction:
            stat = transaction.stat()
        return int(stat["psize"] * (stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"]))

    def allocated(self) -> int:
        """What the disk gives the file."""
        return (self.store.environment.path / "data.mdb").stat().st_blocks * 512

    def test_presences(self) -> None:
        """Very many updates of the same presences leave the file as large as it was: on the disk, and in what it holds.

        Each update writes new pages; so many that a file that did not use them again would be several times as large.
        """
        allocated, pages, began = self.allocated(), self.pages(), self.seq
        self.change_presences(ROUNDS)
        written = (self.seq - began) * 4096
        self.assertGreater(written, 4 * allocated)
        self.assertEqual(self.allocated(), allocated)
        self.assertLess(self.pages(), 1.1 * pages)

    def test_presences_while_others_read(self) -> None:
        """The same, while the questions of another reader come between the batches."""
        cache = Cache(self.folder, total=1, per_cluster=1, own={1: self.store}, enabled=True)
        self.addCleanup(cache.close)
        allocated = self.allocated()
        for _ in range(ROUNDS):
            self.change_presences(1)
            self.assertIsNotNone(ask(cache, "Member", s.GUILD, self.random.choice(PEOPLE)))
            self.assertEqual(len(ask(cache, "GuildMembers", s.GUILD)), len(PEOPLE))
        self.assertEqual(self.allocated(), allocated)
