"""Tests for :mod:`rateway.gateway.membernews`."""

from __future__ import annotations

import ujson
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.gateway.membernews import LONGEST, SHORTEST, Chunk, Limited, read_chunk, read_guild, read_limited

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


class ChunkTests(SynchronousTestCase):
    """GUILD_MEMBERS_CHUNK."""

    def test_chunk(self) -> None:
        """Guild, nonce and numbers are read; members, presences and who wasn't found are passed over."""
        d = {
            "guild_id": "800",
            "members": [{"user": {"id": "7"}, "nonce": "theirs", "guild_id": "1"}],
            "presences": [{}],
            "not_found": [123123, "77"],
            "chunk_index": 1,
            "chunk_count": 3,
            "nonce": "rw-1-17",
        }
        self.assertEqual(read_chunk(ujson.dumps(d).encode()), Chunk(800, "rw-1-17", 1, 3))

    def test_without_nonce(self) -> None:
        """A nonce may be missing, or a number."""
        self.assertEqual(read_chunk(b'{"guild_id":"8","chunk_index":0,"chunk_count":1}'), Chunk(8, None, 0, 1))
        self.assertEqual(read_chunk(b'{"guild_id":8,"chunk_index":0,"chunk_count":1,"nonce":5}'), Chunk(8, "5", 0, 1))

    def test_impossible(self) -> None:
        """A number beyond the count, or no guild that there can be: no chunk."""
        for d in (
            b'{"guild_id":"8","chunk_index":1,"chunk_count":1}',
            b'{"guild_id":"8","chunk_index":-1,"chunk_count":1}',
            b'{"guild_id":"8","chunk_index":0,"chunk_count":0}',
            b'{"guild_id":"0","chunk_index":0,"chunk_count":1}',
            b'{"guild_id":"18446744073709551616","chunk_index":0,"chunk_count":1}',
            b'{"chunk_index":0,"chunk_count":1}',
            b"[]",
            b"",
        ):
            self.assertIsNone(read_chunk(d), d)


class LimitedTests(SynchronousTestCase):
    """RATE_LIMITED."""

    def test_limited(self) -> None:
        """As Discord documents it."""
        d = b'{"opcode":8,"retry_after":27.418,"meta":{"guild_id":"800","nonce":"rw-1-18"}}'
        self.assertEqual(read_limited(d), Limited(800, "rw-1-18", 27.418))

    def test_without_nonce(self) -> None:
        """The request may have had none."""
        d = b'{"opcode":8,"retry_after":5,"meta":{"guild_id":"800"}}'
        self.assertEqual(read_limited(d), Limited(800, None, 5.0))

    def test_of_something_else(self) -> None:
        """What isn't about op 8 and a guild concerns no list."""
        for d in (
            b'{"opcode":4,"retry_after":5,"meta":{"guild_id":"800"}}',
            b'{"opcode":8,"retry_after":5,"meta":{}}',
            b'{"opcode":8,"retry_after":5}',
            b'{"opcode":8,"retry_after":"soon","meta":{"guild_id":"800"}}',
            b'{"opcode":8,"retry_after":5,"meta":{"guild_id":"-1"}}',
            b"null",
        ):
            self.assertIsNone(read_limited(d), d)

    def test_within_reason(self) -> None:
        """A time that can't be meant is taken for one that can."""
        for told, meant in ((b"-3", SHORTEST), (b"0", SHORTEST), (b"1e9", LONGEST)):
            limited = read_limited(b'{"opcode":8,"retry_after":%b,"meta":{"guild_id":"8"}}' % told)
            assert limited is not None
            self.assertEqual(limited.seconds, meant)


class GuildTests(SynchronousTestCase):
    """GUILD_CREATE and GUILD_DELETE."""

    def test_guild(self) -> None:
        """Its id wherever it stands, and whether there is an outage."""
        self.assertEqual(read_guild(b'{"roles":[{"id":"1"}],"unavailable":false,"id":"800"}'), (800, False))
        self.assertEqual(read_guild(b'{"id":"800","unavailable":true}'), (800, True))
        self.assertEqual(read_guild(b'{"id":"800"}'), (800, False))
        self.assertIsNone(read_guild(b'{"unavailable":true}'))
        self.assertIsNone(read_guild(b'{"id":"0"}'))


class AnythingTests(SynchronousTestCase):
    """Whatever Discord sends."""

    @given(st.binary(max_size=40) | JSON.map(lambda value: ujson.dumps(value).encode()))
    @settings(deadline=None, database=None)
    def test_no_event_does_harm(self, d: bytes) -> None:
        """It is read, or it is none; nothing is raised."""
        for read in (read_chunk, read_limited, read_guild):
            read(d)
