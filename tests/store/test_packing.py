"""Rows of members and users as they lie on disk."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.store import keys, trust
from rateway.store.packing import MEMBER, PACKED, SHORTEST, USER, pack, unpack
from rateway.store.transaction import TransactionReader
from scripts.people_dictionary import PATH

from . import samples as s
from .stores import dispatch, feed, open_store

DICTIONARIES = {3: "ce76090a298441bc89251c7e3f0602ea494440d4f9a61eaca117b312011d801b"}
"""Version of the store → the digest of the dictionary that its rows need."""

json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.dictionaries(st.text(), inner),
    max_leaves=20,
)
objects = st.dictionaries(st.text(), json).map(msgspec.json.encode)


class PackingTests(SynchronousTestCase):
    """What goes in comes out."""

    @given(objects)
    def test_any_object(self, row: bytes) -> None:
        """A member's row, and a user's with its stamp, come back to the byte; and none is longer for it."""
        for first, whole in ((MEMBER, row), (USER, bytes(range(8)) + row)):
            packed = pack(first, whole)
            self.assertEqual(unpack(first, packed), whole)
            self.assertLessEqual(len(packed), len(whole))

    @given(st.binary(max_size=200))
    def test_any_bytes(self, row: bytes) -> None:
        """Even what is no JSON."""
        self.assertEqual(unpack(MEMBER, pack(MEMBER, row)), row)

    def test_what_discord_sends(self) -> None:
        """A member and a user are well below half of what they were; what is short stays as it is."""
        member = msgspec.json.encode({key: value for key, value in s.member(5).items() if key != "user"})
        user = bytes(8) + msgspec.json.encode(s.user(5))
        self.assertLess(len(pack(MEMBER, member)), len(member) / 2)
        self.assertLess(len(pack(USER, user)), len(user) / 2)
        for row in (b"", b"{}", b'{"nick":null}'):
            self.assertLess(len(row), SHORTEST)
            self.assertEqual(pack(MEMBER, row), row)

    def test_damaged(self) -> None:
        """A row that was never packed is found out, and not taken for something else."""
        for row in (b"\x00", b"\xff" * 40, bytes(50), b"\xe0" + b"\xff" * 30):
            with self.assertRaises(ValueError):
                unpack(MEMBER, row)

    def test_the_version_knows_its_dictionary(self) -> None:
        """Another dictionary needs another version of the store: rows are read by the one they were written with."""
        digest = hashlib.sha256(PATH.read_bytes()).hexdigest()
        self.assertEqual(digest, DICTIONARIES[trust.VERSION])


class StoredTests(SynchronousTestCase):
    """In LMDB."""

    def test_rows_are_packed(self) -> None:
        """Members and users lie packed on the disk, and are JSON for whoever reads them; by whatever way they come."""
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        store = open_store(folder / "cluster-1")
        self.addCleanup(store.close)
        feed(store, dispatch(1, "READY", s.ready(s.GUILD)), dispatch(2, "GUILD_CREATE", s.guild()))
        with store.environment.reading() as transaction:
            reader, seen = TransactionReader(transaction), set()
            for key, raw in transaction.cursor():
                if key[0] in PACKED:
                    seen.add(key[0])
                    self.assertNotEqual(raw[8:9] if key[0] == USER else raw[:1], b"{", key)
                    msgspec.json.decode((reader.get(key) or b"")[8 if key[0] == USER else 0 :])
                self.assertTrue(reader.has(key))
            self.assertEqual(seen, PACKED)
            self.assertEqual(list(reader.keys(b"M")), [key for key, _ in reader.items(b"M")])
            self.assertFalse(reader.has(keys.user(1)))
