"""Tests of the reader: several clusters' stores as one, in one process and in two."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rateway.errors import RequestRefused
from rateway.model.session import Session
from rateway.store import answers
from rateway.store.cache import Cache
from rateway.store.cluster import ClusterStore

from . import samples as s
from .stores import ask, dispatch, feed, open_store
from .test_environment import line_of, other_process

FIRST = 10 << 22
SECOND = 12 << 22
"""Guilds of shards 0 and 2 of four, two shards to a cluster."""


class CacheTests(SynchronousTestCase):
    """Two clusters of two shards."""

    def setUp(self) -> None:
        self.state_dir = Path(self.mktemp()).absolute()
        self.own: dict[int, ClusterStore] = {}
        for number in (1, 2):
            self.open(number)
        self.cache = self.cache_over(self.own)

    def open(self, number: int, cache: bool = True) -> ClusterStore:
        """Open a cluster's store."""
        shards = range(2 * number - 2, 2 * number)
        store = open_store(self.state_dir / f"cluster-{number}", shards=shards, total=4, messages=5, cache=cache)
        self.addCleanup(store.close)
        self.own[number] = store
        return store

    def cache_over(self, own: dict[int, ClusterStore], *, enabled: bool = True) -> Cache:
        """A reader of both clusters."""
        cache = Cache(self.state_dir, total=4, per_cluster=2, own=own, enabled=enabled)
        self.addCleanup(cache.close)
        return cache

    def fill(self, number: int, guild: int, **more: object) -> None:
        """A cluster gets its guild."""
        feed(
            self.own[number],
            dispatch(1, "READY", s.ready(guild)),
            dispatch(2, "GUILD_CREATE", s.bare_guild(guild, **more)),
            session=Session(f"of {number}", "", 0),
            shard=guild >> 22 & 3,
        )

    def test_guild_goes_to_its_owner(self) -> None:
        """A guild's questions are answered by the cluster that owns it."""
        self.assertEqual((FIRST >> 22) % 4, 2)
        self.fill(2, FIRST)
        self.assertEqual(ask(self.cache, "Guild", FIRST)["id"], str(FIRST))
        self.assertEqual(ask(self.cache, "Member", str(FIRST), s.ALICE)["user"], s.user())
        self.assertIsNone(ask(self.cache, "Guild", SECOND))

    def test_ids_are_found_anywhere(self) -> None:
        """A channel, role or emoji is found whichever cluster has it, before and after it moved or went."""
        self.fill(1, SECOND, channels=[s.channel(5)], emojis=[s.emoji(6)])
        self.fill(2, FIRST, channels=[s.channel(7)])
        for _ in range(2):
            self.assertEqual(ask(self.cache, "GuildChannel", 5)["guild_id"], str(SECOND))
            self.assertEqual(ask(self.cache, "GuildChannel", 7)["guild_id"], str(FIRST))
            self.assertEqual(ask(self.cache, "Emoji", 6)["guild_id"], str(SECOND))
            self.assertEqual(ask(self.cache, "Role", FIRST)["guild_id"], str(FIRST))
            self.assertIsNone(ask(self.cache, "GuildChannel", 6))
        feed(
            self.own[2],
            dispatch(3, "CHANNEL_DELETE", s.channel(7) | {"guild_id": str(FIRST)}),
            session=Session("of 2", "", 0),
            shard=2,
        )
        self.assertIsNone(ask(self.cache, "GuildChannel", 7))
        feed(
            self.own[1],
            dispatch(3, "CHANNEL_CREATE", s.channel(7) | {"guild_id": str(SECOND)}),
            session=Session("of 1", "", 0),
            shard=0,
        )
        self.assertEqual(ask(self.cache, "GuildChannel", 7)["guild_id"], str(SECOND))

    def test_newest_user(self) -> None:
        """Of a user known to several clusters the newest copy is the answer."""
        self.fill(1, SECOND, members=[s.member(s.ALICE, "old"), s.member(s.BOB, "bob")])
        self.fill(2, FIRST, members=[s.member(s.ALICE, "new")])
        self.wait_a_little()
        update = s.member(s.ALICE, "newest") | {"guild_id": str(SECOND)}
        feed(self.own[1], dispatch(3, "GUILD_MEMBER_UPDATE", update), session=Session("of 1", "", 0))
        self.assertEqual(ask(self.cache, "User", s.ALICE)["username"], "newest")
        self.wait_a_little()
        update = s.member(s.ALICE, "last") | {"guild_id": str(FIRST)}
        feed(self.own[2], dispatch(3, "GUILD_MEMBER_UPDATE", update), session=Session("of 2", "", 0), shard=2)
        self.assertEqual(ask(self.cache, "User", s.ALICE)["username"], "last")
        self.assertEqual(ask(self.cache, "User", s.BOB)["username"], "bob")
        self.assertEqual(ask(self.cache, "CurrentUser"), s.own_user())

    def wait_a_little(self) -> None:
        """Until the clock, in milliseconds, moved on."""
        now = time.time_ns() // 1_000_000
        while time.time_ns() // 1_000_000 == now:
            pass

    def test_voice_state_by_channel_of_another_cluster(self) -> None:
        """A voice state is found by guild or by channel, whichever cluster has it."""
        voice = [s.voice_state(s.ALICE, 5)]
        self.fill(2, FIRST, channels=[s.channel(5, 2)], voice_states=voice)
        found = ask(self.cache, "VoiceState", s.ALICE, 5)
        self.assertEqual(found, voice[0] | {"guild_id": str(FIRST)})
        self.assertEqual(ask(self.cache, "VoiceState", s.ALICE, FIRST), found)
        self.assertEqual(ask(self.cache, "VoiceChannelStates", 5), [found])
        self.assertIsNone(self.cache.query("VoiceChannelStates", [6]))

    def test_a_large_stage(self) -> None:
        """What is too much to be answered in one go is refused, and where to find it is said."""
        self.patch(answers, "MOST_IN_VOICE", 2)
        listeners = [s.voice_state(user, 5) for user in (s.ALICE, s.BOB)]
        self.fill(2, FIRST, channels=[s.channel(5, 13)], voice_states=listeners)
        self.assertEqual(len(ask(self.cache, "VoiceChannelStates", 5)), 2)
        one_more = s.voice_state(s.CAROL, 5) | {"guild_id": str(FIRST), "member": s.member(s.CAROL)}
        session = Session("of 2", "", 0)
        feed(self.own[2], dispatch(3, "VOICE_STATE_UPDATE", one_more), session=session, shard=FIRST >> 22 & 3)
        error = self.assertRaises(RequestRefused, self.cache.query, "VoiceChannelStates", [5])
        self.assertIn("GuildVoiceStates", str(error))

    def test_group(self) -> None:
        """There are no groups."""
        self.assertIsNone(self.cache.query("Group", [5]))

    def test_disabled(self) -> None:
        """With the cache disabled nothing is found, and what is malformed is refused all the same."""
        self.fill(1, SECOND)
        cache = self.cache_over(self.own, enabled=False)
        self.assertIsNone(cache.query("Guild", [SECOND]))
        self.assertRaises(RequestRefused, cache.query, "Guild", [])
        self.assertRaises(RequestRefused, cache.query, "Planets", [])

    def test_closed_store(self) -> None:
        """A store that was closed has no answer, and is no error."""
        self.fill(1, SECOND)
        self.assertIsNotNone(ask(self.cache, "Guild", SECOND))
        self.own[1].close()
        self.assertIsNone(ask(self.cache, "Guild", SECOND))
        self.open(1)
        self.assertIsNotNone(ask(self.cache, "Guild", SECOND))

    def test_taken_over(self) -> None:
        """A store begun anew by another settings' owner is read anew."""
        self.fill(1, SECOND)
        reader = self.cache_over({2: self.own[2]})
        self.assertIsNotNone(ask(reader, "Guild", SECOND))
        self.own[1].close()
        self.assertIsNotNone(ask(reader, "Guild", SECOND))
        self.open(1, cache=False)
        self.assertIsNone(ask(reader, "Guild", SECOND))
        self.own[1].close()
        self.open(1)
        self.assertIsNone(ask(reader, "Guild", SECOND))
        self.fill(1, SECOND)
        self.assertIsNotNone(ask(reader, "Guild", SECOND))


WRITER = """
import sys, pathlib, ujson
from tests.store import samples as s
from tests.store.stores import open_store, dispatch, feed
total = int(sys.argv[2]) if len(sys.argv) > 2 else 1
store = open_store(pathlib.Path(sys.argv[1]) / "cluster-1", messages=5, total=total)
feed(store, dispatch(1, "READY", s.ready(s.GUILD)), dispatch(2, "GUILD_CREATE", s.guild()), kept=1)
print("ready", flush=True)
for line in sys.stdin:
    seq = int(line)
    channels = [s.channel(10_000 * seq + n, topic="x" * 900) for n in range(300)]
    events = [dispatch(100 * seq, "CHANNEL_UPDATE", s.channel(s.GENERAL, name=str(seq)) | {"guild_id": str(s.GUILD)})]
    events += [dispatch(100 * seq + 1, "GUILD_CREATE", s.bare_guild(seq << 22, channels=channels))]
    feed(store, *events, kept=100 * seq + 1)
    print(seq, flush=True)
"""


class TwoProcessesTests(SynchronousTestCase):
    """One process writes, this one reads."""

    def setUp(self) -> None:
        self.state_dir = Path(self.mktemp()).absolute()
        self.cache = Cache(self.state_dir, total=1, per_cluster=1, own={}, enabled=True)
        self.addCleanup(self.cache.close)

    def test_read_while_written(self) -> None:
        """A reader sees each event at once, also while the file grows."""
        self.assertIsNone(self.cache.query("Guild", [s.GUILD]))
        writer = other_process(WRITER, str(self.state_dir))
        with writer:
            assert writer.stdin is not None
            self.assertEqual(line_of(writer), "ready")
            self.assertEqual(ask(self.cache, "GuildChannel", s.GENERAL)["name"], "general")
            for seq in range(1, 40):
                writer.stdin.write(f"{seq}\n")
                writer.stdin.flush()
                self.assertEqual(line_of(writer), str(seq))
                self.assertEqual(ask(self.cache, "GuildChannel", s.GENERAL)["name"], str(seq))
                self.assertIsNotNone(ask(self.cache, "GuildChannel", 10_000 * seq + 299))
            writer.kill()
        self.assertEqual(ask(self.cache, "GuildChannel", s.GENERAL)["name"], "39")

    def test_begun_anew(self) -> None:
        """What another process set aside is read no more once the new store is there, each time it happens."""
        for total in (1, 2, 3):
            writer = other_process(WRITER, str(self.state_dir), str(total))
            with writer:
                assert writer.stdin is not None
                self.assertEqual(line_of(writer), "ready")
                self.assertEqual(ask(self.cache, "GuildChannel", s.GENERAL)["name"], "general")
                writer.stdin.write("1\n")
                writer.stdin.flush()
                line_of(writer)
                self.assertEqual(ask(self.cache, "GuildChannel", s.GENERAL)["name"], "1")
                writer.kill()
        self.assertTrue((self.state_dir / "cluster-1" / "entities.aside").exists())
        shutil.rmtree(self.state_dir / "cluster-1" / "entities")
        store = open_store(self.state_dir / "cluster-1", messages=5, total=3)
        self.addCleanup(store.close)
        self.assertIsNone(ask(self.cache, "GuildChannel", s.GENERAL))

    def test_killed_writer_loses_nothing(self) -> None:
        """What was applied when a process was killed is there for the next one, with the session to go on with."""
        writer = other_process(WRITER, str(self.state_dir))
        with writer:
            assert writer.stdin is not None
            line_of(writer)
            for seq in (1, 2, 3):
                writer.stdin.write(f"{seq}\n")
                writer.stdin.flush()
                line_of(writer)
            writer.kill()
        store = open_store(self.state_dir / "cluster-1", messages=5)
        self.addCleanup(store.close)
        found = store.sessions()[0]
        self.assertEqual((found.session.seq, found.applied, found.kept), (301, 301, 301))
        cache = Cache(self.state_dir, total=1, per_cluster=1, own={1: store}, enabled=True)
        self.assertEqual(ask(cache, "GuildChannel", s.GENERAL)["name"], "3")
        self.assertIsNotNone(ask(cache, "GuildChannel", 30_299))
        feed(store, dispatch(302, "GUILD_DELETE", {"id": str(s.GUILD)}))
        self.assertIsNone(ask(cache, "Guild", s.GUILD))
