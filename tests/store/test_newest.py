"""Fewer messages are to be kept of a channel than a store has: it answers the newest, and counts them right."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rateway.store import keys
from rateway.store.cache import Cache
from rateway.store.cluster import ClusterStore

from . import samples as s
from .soundness import faults
from .stores import ask, dispatch, feed, open_store, rows

UNKNOWN = 650000000000000009
IDS = (5, 30, 40, 50, 60)


class LoweredTests(SynchronousTestCase):
    """A store with five messages of a channel, of one that isn't known, and of a private one; then opened anew."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.seq = 0
        self.open(5)
        self.happens("READY", s.ready(s.GUILD))
        self.happens("GUILD_CREATE", s.guild())
        for message in IDS:
            self.happens("MESSAGE_CREATE", s.message(message))
            self.happens("MESSAGE_CREATE", s.message(message, UNKNOWN))
            self.happens("MESSAGE_CREATE", s.private_message(message))

    def open(self, messages: int) -> None:
        """Open the store, and a cache over it."""
        self.store: ClusterStore = open_store(self.folder / "cluster-1", messages=messages)
        self.addCleanup(self.store.close)
        self.cache = Cache(self.folder, total=1, per_cluster=1, own={1: self.store}, enabled=True)
        self.addCleanup(self.cache.close)

    def reopen(self, messages: int) -> None:
        """The same store, with another setting."""
        self.store.close()
        self.cache.close()
        self.open(messages)

    def happens(self, name: str, d: object) -> None:
        """An event comes."""
        self.seq += 1
        feed(self.store, dispatch(self.seq, name, d))
        self.assertEqual(faults(rows(self.store)), [])

    def listed(self, channel: int = s.GENERAL, *page: object) -> list[int] | None:
        """The ids of a channel's messages."""
        messages = ask(self.cache, "ChannelMessages", channel, *page)
        return None if messages is None else [int(message["id"]) for message in messages]

    def test_newest_are_answered(self) -> None:
        """Of each channel no more than are to be kept, be they asked for one by one, together or by pages."""
        self.reopen(2)
        for channel in (s.GENERAL, UNKNOWN, s.PRIVATE):
            self.assertEqual(self.listed(channel), [50, 60])
            self.assertEqual(self.listed(channel, 5, 1), [50])
            self.assertEqual(self.listed(channel, 50), [60])
            one_by_one = [message for message in IDS if ask(self.cache, "Message", channel, message) is not None]
            self.assertEqual(one_by_one, [50, 60])
        self.assertEqual(len([key for key in rows(self.store) if key[:1] == b"N"]), 15)

    def test_next_message_makes_room(self) -> None:
        """The channel's next message lets go of all that are too many."""
        self.reopen(2)
        self.happens("MESSAGE_CREATE", s.message(70))
        self.assertEqual(self.listed(), [60, 70])
        self.assertEqual(
            [keys.last_id(key) for key in rows(self.store) if key[:9] == keys.messages(s.GENERAL)], [60, 70]
        )

    def test_old_message(self) -> None:
        """One that is too old itself lets go of all that are too many, too; what comes after is kept as ever."""
        self.reopen(2)
        self.happens("MESSAGE_UPDATE", s.message(20))
        self.assertEqual(self.listed(), [50, 60])
        self.happens("MESSAGE_CREATE", s.message(70))
        self.happens("MESSAGE_CREATE", s.message(80))
        self.assertEqual(self.listed(), [70, 80])

    def test_none(self) -> None:
        """With none to keep there are none, nor are there when some are kept again."""
        self.reopen(0)
        self.assertIsNone(self.listed())
        self.assertIsNone(ask(self.cache, "Message", s.GENERAL, 60))
        self.reopen(5)
        self.assertEqual(self.listed(), [])

    def test_raised(self) -> None:
        """With more to keep all are there."""
        self.reopen(7)
        self.happens("MESSAGE_CREATE", s.message(20))
        self.happens("MESSAGE_CREATE", s.message(70))
        self.assertEqual(self.listed(), [5, 20, 30, 40, 50, 60, 70])
