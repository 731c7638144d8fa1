"""A store that stopped: what is still answered from it says so, in every process, until the next start."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import lmdb
import ujson
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from rateway.store import condition, generation
from rateway.store.cache import Cache
from rateway.store.cluster import ClusterStore
from rateway.store.condition import Condition
from rateway.store.queries import parse_query
from rateway.store.standing import Answer

from . import samples as s
from .stores import dispatch, feed, open_store
from .test_environment import line_of, other_process

FIRST = 10 << 22
SECOND = 11 << 22
"""Guilds of the two clusters, of a shard each."""

READER = """
import sys, pathlib, ujson
from rateway.store.cache import Cache
from rateway.store.queries import parse_query
cache = Cache(pathlib.Path(sys.argv[1]), total=2, per_cluster=1, own={}, enabled=True)
for line in sys.stdin:
    kind, *arguments = ujson.loads(line)
    steps = cache.ask(parse_query(kind, arguments))
    try:
        while True:
            next(steps)
    except StopIteration as end:
        answer = end.value
    print(ujson.dumps([answer.body is not None, "stale" in answer.headers]), flush=True)
"""


def channel_of(guild: int) -> int:
    """A channel's id, which taken for a guild's is one of the other cluster."""
    return guild + (1 << 22) + 1


def webhook_message(guild: int) -> s.Json:
    """A message in the guild's channel, by nobody."""
    return s.webhook_message(guild + 2) | {"guild_id": str(guild), "channel_id": str(channel_of(guild))}


def answer_of(cache: Cache, kind: str, *arguments: object) -> Answer:
    """The answer, with its headers."""
    return cache.answer(parse_query(kind, arguments))


class StoppedTests(SynchronousTestCase):
    """Two clusters, of which the second's store stops; it is read by its own process, and by another one."""

    def setUp(self) -> None:
        self.state_dir = Path(self.mktemp()).absolute()
        self.begin()

    def begin(self) -> None:
        """Fill both stores, and ask each reader once."""
        self.own = {number: self.open(number) for number in (1, 2)}
        self.readers = [self.reader(self.own), self.reader({1: self.own[1]})]
        self.fill(1, FIRST, s.BOB)
        self.fill(2, SECOND, s.ALICE)
        self.assert_answers(guild=(True, False), nobody=(False, False))

    def open(self, number: int) -> ClusterStore:
        """Open a cluster's store."""
        folder = self.state_dir / f"cluster-{number}"
        store = open_store(folder, shards=range(number - 1, number), total=2, messages=5)
        self.addCleanup(store.close)
        return store

    def reader(self, own: Mapping[int, ClusterStore]) -> Cache:
        """Who reads the other stores as another process does."""
        cache = Cache(self.state_dir, total=2, per_cluster=1, own=own, enabled=True)
        self.addCleanup(cache.close)
        return cache

    def fill(self, number: int, guild: int, user: int) -> None:
        """A cluster gets its guild, with a channel, a member and a message."""
        members, channels = [s.member(user, "somebody")], [s.channel(channel_of(guild))]
        feed(
            self.own[number],
            dispatch(1, "READY", s.ready(guild)),
            dispatch(2, "GUILD_CREATE", s.bare_guild(guild, members=members, channels=channels)),
            dispatch(3, "MESSAGE_CREATE", webhook_message(guild)),
            shard=number - 1,
        )

    def full(self, store: ClusterStore) -> None:
        """There is no room for what comes next."""

        def no_room(*_: object) -> int:
            raise OSError(28, "No space left on device")

        patch = self.patch(store.environment, "_allocate", no_room)
        channels = [s.channel(1000 + n, topic="x" * 3000) for n in range(1000)]
        feed(store, dispatch(4, "GUILD_CREATE", s.bare_guild(SECOND, channels=channels)), shard=1)
        patch.restore()
        self.assertTrue(store.stopped)

    def damaged(self, store: ClusterStore) -> None:
        """What comes next can't be written."""

        def fails() -> object:
            raise lmdb.CorruptedError("mdb_put")

        patch = self.patch(store.environment, "writing", fails)
        feed(store, dispatch(4, "GUILD_DELETE", {"id": str(SECOND)}), shard=1)
        patch.restore()
        self.flushLoggedErrors()
        self.assertTrue(store.stopped)

    def assert_answers(self, guild: tuple[bool, bool], nobody: tuple[bool, bool]) -> None:
        """Whether anything is found of what the second store has, and whether the answer is called stale.

        :param guild: of what it has.
        :param nobody: of what neither store has.
        """
        asked: list[tuple[str, *tuple[object, ...]]] = [
            ("Guild", SECOND),
            ("Member", SECOND, s.ALICE),
            ("GuildChannel", channel_of(SECOND)),
            ("Message", channel_of(SECOND), SECOND + 2),
            ("User", s.ALICE),
            ("GuildChannels", SECOND),
            ("ChannelMessages", channel_of(SECOND)),
            ("SearchMembers", SECOND, "some"),
            ("UserGuilds", s.ALICE),
        ]
        unknown: list[tuple[str, *tuple[object, ...]]] = [
            ("GuildChannel", 5),
            ("User", 5),
            ("VoiceState", s.ALICE, channel_of(SECOND)),
            ("PrivateChannel", 5),
        ]
        for cache in self.readers:
            for wanted, questions in ((guild, asked), (nobody, unknown)):
                for question in questions:
                    answer = answer_of(cache, *question)
                    told = (answer.body is not None, answer.headers.get("stale", False))
                    self.assertEqual(told, wanted, (question, self.readers.index(cache)))
            # The other store is as it was.
            for kind, argument in (("Guild", FIRST), ("GuildChannel", channel_of(FIRST)), ("GuildChannels", FIRST)):
                answer = answer_of(cache, kind, argument)
                self.assertEqual((answer.body is not None, "stale" in answer.headers), (True, False), kind)
            guilds = answer_of(cache, "Guilds")
            self.assertEqual(guilds.headers, {"stale": True} if guild[1] else {})
            ids = [int(each["id"]) for each in ujson.loads(guilds.body or b"[]")]
            self.assertEqual(ids, [FIRST, SECOND] if guild[0] else [FIRST])

    def again(self) -> None:
        """The next start: the store is begun anew, and nothing is stale any more."""
        self.own[2].close()
        self.own[2] = self.open(2)
        for cache in self.readers:
            for kind, *arguments in (("Guilds",), ("Guild", SECOND), ("User", 5)):
                self.assertNotIn("stale", answer_of(cache, kind, *arguments).headers, kind)
        self.fill(2, SECOND, s.ALICE)
        self.assert_answers(guild=(True, False), nobody=(False, False))
        self.assertEqual(condition.read(self.state_dir / "cluster-2"), Condition.LIVE)
        self.assertFalse((self.state_dir / "cluster-2" / condition.FROZEN_NOTE).exists())

    def test_no_room(self) -> None:
        """What was known before the disk was full is still answered, and called stale; so is that nothing is found."""
        self.full(self.own[2])
        self.readers.append(self.reader({}))
        self.assert_answers(guild=(True, True), nobody=(False, True))
        self.again()

    def test_damaged(self) -> None:
        """Nothing is answered from a damaged store, and that nothing is found is called stale."""
        self.damaged(self.own[2])
        self.readers.append(self.reader({}))
        self.assert_answers(guild=(False, True), nobody=(False, True))
        self.again()

    def test_one_after_the_other(self) -> None:
        """A store that was frozen once, and is damaged after its next start, is damaged."""
        self.full(self.own[2])
        self.again()
        self.damaged(self.own[2])
        self.assertEqual(condition.read(self.state_dir / "cluster-2"), Condition.DAMAGED)
        self.again()

    def test_writer_is_gone(self) -> None:
        """A process that ends after its store stopped leaves that known."""
        self.full(self.own[2])
        self.own.pop(2).close()
        answer = answer_of(self.readers[0], "Guild", SECOND)
        self.assertEqual((answer.body is not None, answer.headers.get("stale")), (True, True))

    def test_disk_that_takes_no_mark(self) -> None:
        """Where the disk doesn't let the store be marked, its own process knows all the same, and the log says so."""

        def refuse(*_: object, **__: object) -> None:
            raise OSError(30, "Read-only file system")

        with_own = self.readers.pop(0)
        self.patch(Path, "unlink", refuse)
        self.patch(generation, "_open", refuse)
        self.damaged(self.own[2])
        answer = answer_of(with_own, "Guild", SECOND)
        self.assertEqual((answer.body, answer.headers.get("stale")), (None, True))

    def test_other_process(self) -> None:
        """A process that has the store open learns of it with its next question."""
        for stop, wanted in ((self.full, [True, True]), (self.damaged, [False, True])):
            reader = other_process(READER, str(self.state_dir))
            with reader:
                assert reader.stdin is not None
                for expected in ([True, False], wanted):
                    for question in (["Guild", SECOND], ["GuildMembers", SECOND], ["User", s.ALICE]):
                        reader.stdin.write(ujson.dumps(question) + "\n")
                        reader.stdin.flush()
                        self.assertEqual(ujson.loads(line_of(reader)), expected, question)
                    if expected != wanted:
                        stop(self.own[2])
                reader.stdin.close()
            self.again()


class FullDiskTests(SynchronousTestCase):
    """A disk without room for a byte or a file."""

    def setUp(self) -> None:
        self.state_dir = Path(self.mktemp()).absolute()
        self.state_dir.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=24m,nr_inodes=12,mode=0700", "tmpfs", str(self.state_dir)]
        done = subprocess.run(mount, capture_output=True)
        if done.returncode:
            raise SkipTest(f"a disk can't be mounted here: {done.stderr.decode().strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", str(self.state_dir)], check=True)

    def test_told_without_room(self) -> None:
        """All processes are told on a disk on which nothing can be written and no file made."""
        store = open_store(self.state_dir / "cluster-1", messages=5)
        self.addCleanup(store.close)
        cache = Cache(self.state_dir, total=1, per_cluster=1, own={}, enabled=True)
        self.addCleanup(cache.close)
        feed(store, dispatch(1, "READY", s.ready(s.GUILD)), dispatch(2, "GUILD_CREATE", s.guild()))
        self.assertNotIn("stale", answer_of(cache, "Guild", s.GUILD).headers)
        counted = self.state_dir / generation.FILE
        counted.write_bytes(bytes(4096))
        answer_of(cache, "Guild", s.GUILD)
        with (self.state_dir / "ballast").open("ab", buffering=0) as ballast, self.assertRaises(OSError):
            while ballast.write(bytes(4096)):
                pass
        with self.assertRaises(OSError):
            for number in range(12):
                (self.state_dir / str(number)).touch()
        channels = [s.channel(1000 + n, topic="x" * 3000) for n in range(6000)]
        feed(store, dispatch(3, "GUILD_CREATE", s.bare_guild(s.GUILD, channels=channels)))
        self.assertTrue(store.stopped)
        self.assertEqual(counted.stat().st_size, 4097)
        answer = answer_of(cache, "Guild", s.GUILD)
        self.assertEqual((answer.body is not None, answer.headers["stale"]), (True, True))
