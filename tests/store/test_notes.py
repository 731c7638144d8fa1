"""What is noted of rows, and when it is forgotten."""

from __future__ import annotations

import ujson
from twisted.trial.unittest import SynchronousTestCase

from rateway.store import keys
from rateway.store.notes import ROWS, Notes

from . import samples as s
from .memory import MemoryStore, kept
from .stores import dispatch, feed
from .test_cluster import StoreTestCase

KEY = keys.user(5)


class NotesTests(SynchronousTestCase):
    """The notes by themselves."""

    def test_noted_until_dropped(self) -> None:
        """Only what was said to the letter is old, and only until one of the rows it is about changes."""
        notes, said, other = Notes(), (1, b"{}"), keys.member(1, 5)
        for changed in (KEY, other):
            self.assertFalse(notes.is_old(said))
            notes.note(said, KEY, other)
            self.assertTrue(notes.is_old((1, b"{}")))
            self.assertFalse(notes.is_old((1, b"{ }")))
            self.assertFalse(notes.is_old((2, b"{}")))
            notes.drop(keys.user(6))
            self.assertTrue(notes.is_old(said))
            notes.drop(changed)
            self.assertFalse(notes.is_old(said))
            notes.drop(changed)

    def test_many_ways_to_say_it(self) -> None:
        """A row may be spoken of in several ways, all of which are old until it changes."""
        notes = Notes()
        for number in range(3):
            notes.note((number,), KEY)
        self.assertTrue(all(notes.is_old((number,)) for number in range(3)))
        notes.drop(KEY)
        self.assertFalse(any(notes.is_old((number,)) for number in range(3)))

    def test_bounded(self) -> None:
        """There are never more than the limit; all stores of a process together have about as many as one."""
        notes = Notes(10)
        for number in range(1000):
            row = keys.user(number % 7)
            notes.note((number,), row)
            self.assertTrue(notes.is_old((number,)))
            self.assertLessEqual(len(notes._old), 10)
            self.assertLessEqual(sum(map(len, notes._about.values())), 10)
            if not number % 3:
                notes.drop(row)
        self.assertEqual(Notes.of_one_among(1).limit, ROWS)
        self.assertEqual(Notes.of_one_among(64).limit * 64, ROWS)
        self.assertGreater(Notes.of_one_among(10**6).limit, 0)


class RepeatedTests(SynchronousTestCase):
    """What people are said to be, again and again."""

    def setUp(self) -> None:
        self.store = MemoryStore(kept())
        self.store.happens("READY", s.ready(s.GUILD))
        self.store.happens("GUILD_CREATE", s.guild())

    def message(self, number: int, nick: str | None) -> None:
        d = s.message(number)
        d["member"]["nick"] = nick
        self.store.happens("MESSAGE_CREATE", d)

    def nick(self) -> object:
        return self.store.ask("Member", s.GUILD, s.ALICE)["nick"]

    def test_there_and_back(self) -> None:
        """A nick that changes and changes back is always the last one said, whoever says it."""
        for number, nick in enumerate(["a", "a", "a", "b", "a", "a", None, None, "a", "b", "b"]):
            self.message(10 + number, nick)
            self.assertEqual(self.nick(), nick)
            d = s.member() | {"guild_id": str(s.GUILD), "nick": "by hand"}
            for _ in range(number % 3):
                self.store.happens("GUILD_MEMBER_UPDATE", d)
                self.assertEqual(self.nick(), "by hand")

    def test_put_again(self) -> None:
        """Who is added to a thread is the member that comes along, whatever was said of them before, and in between."""
        for number, nick in enumerate(["a", "a", "b", "b", "a", "a", "a"]):
            added = {"id": str(s.POST), "user_id": str(s.ALICE), "member": s.member() | {"nick": nick}}
            event = {"id": str(s.POST), "guild_id": str(s.GUILD), "member_count": 2, "added_members": [added]}
            self.store.happens("THREAD_MEMBERS_UPDATE", event)
            self.assertEqual(self.nick(), nick)
            if number % 2:
                self.message(10 + number, "in between")
                self.assertEqual(self.nick(), "in between")

    def test_gone_and_back(self) -> None:
        """Who left and writes no more is gone, though what they said was noted; who comes again is there."""
        user = s.ALICE
        for number in range(3):
            self.message(10 + number, "a")
        self.store.happens("GUILD_MEMBER_REMOVE", {"guild_id": str(s.GUILD), "user": s.user(user)})
        self.assertIsNone(self.store.ask("Member", s.GUILD, user))
        self.assertIsNone(self.store.ask("User", user))
        self.message(20, "a")
        self.assertEqual(self.nick(), "a")
        self.assertIsNotNone(self.store.ask("User", user))


class GivenUpTests(StoreTestCase):
    """A transaction that is given up takes its notes along."""

    def test_no_room(self) -> None:
        """The file has to grow amid a batch, again and again: what the batch says of people is there all the same."""
        store = self.open(initial_size=1 << 16)
        feed(store, dispatch(1, "READY", s.ready(s.GUILD)), dispatch(2, "GUILD_CREATE", s.guild()))
        seq = 2
        for nick in ("a", "b", "a", "b"):
            batch = []
            for _ in range(400):
                seq += 1
                d = s.message(seq)
                d["member"]["nick"] = nick
                batch.append(dispatch(seq, "MESSAGE_CREATE", d))
                seq += 1
                batch.append(
                    dispatch(seq, "GUILD_MEMBER_ADD", s.member(10_000 + seq) | {"guild_id": str(s.GUILD)}),
                )
            feed(store, *batch)
            found = self.cache_of(store).query("Member", [s.GUILD, s.ALICE])
            assert found is not None
            self.assertEqual(ujson.loads(found)["nick"], nick)
        self.assertGreater(store.environment.size, 1 << 16)
