"""Tests of the work on JSON as bytes."""

from __future__ import annotations

import ujson
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.store import blob

from . import samples as s

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 60), 1 << 60) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6) | st.just("user"), inner, max_size=3)
    ),
    max_leaves=8,
)


class BlobTests(SynchronousTestCase):
    """Objects as bytes."""

    @settings(deadline=None, database=None)
    @given(
        st.dictionaries(st.text(max_size=6), VALUES, max_size=4), VALUES, st.dictionaries(st.text(max_size=6), VALUES)
    )
    def test_without_user(self, before: dict[str, object], user: object, after: dict[str, object]) -> None:
        """Whatever stands around it, and wherever it stands again, the member's own user is taken out, and no more."""
        member = before | {"user": user} | after
        data = ujson.dumps(member, escape_forward_slashes=False).encode()
        own = bytes(blob.user_of(data).user)
        rest = {key: value for key, value in member.items() if key != "user"}
        self.assertEqual(ujson.loads(blob.without_user(data, own)), rest)

    def test_without_user_spaced(self) -> None:
        """Blanks between the parts are no matter."""
        data = b'{ "nick" : null , "user" : {"id":"1"} , "deaf" : false }'
        self.assertEqual(
            ujson.loads(blob.without_user(data, bytes(blob.user_of(data).user))), {"nick": None, "deaf": False}
        )

    def test_same_user_deeper(self) -> None:
        """A user inside of another part, though the same to the letter, stays where it is."""
        data = b'{"a":{"user":{"id":"1"}},"user":{"id":"1"}}'
        self.assertEqual(ujson.loads(blob.without_user(data, b'{"id":"1"}')), {"a": {"user": {"id": "1"}}})

    def test_merge_keeps_spelling(self) -> None:
        """What isn't replaced is Discord's to the letter: numbers, escapes, blanks."""
        merged = blob.merge(b'{"a":1.50,"b":"\\u00e9\\/","c":[1, 2]}', blob.fields(b'{"c":null,"d":1E2}'))
        self.assertEqual(merged, b'{"a":1.50,"b":"\\u00e9\\/","c":null,"d":1E2}')

    def test_ids(self) -> None:
        """Ids are taken from strings and numbers, to the last bit."""
        self.assertEqual(blob.id_of(b'{"id":"18446744073709551615"}').id, (1 << 64) - 1)
        self.assertEqual(blob.id_of(ujson.dumps(s.user()).encode()).id, s.ALICE)
        self.assertEqual(blob.to_int(b"5"), 5)
