"""Tests for :mod:`rateway.gateway.command_check`."""

from __future__ import annotations

import json

import ujson
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.errors import RequestRefused
from rateway.gateway.commands import check_command, encode_command

PRESENCE: dict[str, object] = {
    "since": None,
    "activities": [{"name": "a game", "type": 0}],
    "status": "online",
    "afk": False,
}
VOICE: dict[str, object] = {
    "guild_id": "41771983423143937",
    "channel_id": "127121515262115840",
    "self_mute": False,
    "self_deaf": True,
}
QUIET: dict[str, object] = {"since": None, "activities": [], "afk": False}
MEMBERS: dict[str, object] = {"guild_id": "41771983444115456", "query": "", "limit": 0}
SOUNDS: dict[str, object] = {"guild_ids": ["613425648685547541", 81384788765712384]}
INFO: dict[str, object] = {"guild_id": "41771983444115456", "fields": ["status", "voice_start_time"]}


def _body(op: object, d: object) -> bytes:
    return json.dumps({"op": op, "d": d}).encode()


class AcceptedTests(SynchronousTestCase):
    """What Discord would understand passes."""

    def _accepts(self, op: int, d: dict[str, object]) -> None:
        self.assertEqual(check_command(_body(op, d)), (op, d))

    def test_documented(self) -> None:
        """Discord's own examples of the five commands pass."""
        for op, d in ((3, PRESENCE), (4, VOICE), (8, MEMBERS), (31, SOUNDS), (43, INFO)):
            self._accepts(op, d)

    def test_presences(self) -> None:
        """Every status, no activity, a stream, a custom one, an idle since."""
        for status in ("online", "dnd", "idle", "invisible", "offline"):
            self._accepts(3, {**PRESENCE, "status": status})
        self._accepts(3, {**PRESENCE, "activities": [], "since": 91879201, "afk": True})
        self._accepts(3, {**PRESENCE, "activities": [{"name": "x", "type": 1, "url": "https://twitch.tv/x"}]})
        self._accepts(3, {**PRESENCE, "activities": [{"name": "x", "type": 4, "state": "hello ✓", "url": None}]})

    def test_voice(self) -> None:
        """Leaving a channel, and the flags left out."""
        self._accepts(4, {**VOICE, "channel_id": None})
        self._accepts(4, {"guild_id": 41771983423143937, "channel_id": None})

    def test_members(self) -> None:
        """By prefix, by one id, by many, with a nonce."""
        self._accepts(8, {"guild_id": "1", "query": "a", "limit": 100, "presences": True, "nonce": "x"})
        self._accepts(8, {"guild_id": "1", "user_ids": "2"})
        self._accepts(8, {"guild_id": "1", "user_ids": 2, "query": None})
        self._accepts(8, {"guild_id": "1", "user_ids": [str(i) for i in range(100)], "limit": 0})

    def test_unknown_keys(self) -> None:
        """Keys that came later than this program pass, in d; beside op and d they are left out."""
        self._accepts(3, {**PRESENCE, "new": [1, {"x": None}]})
        body = json.dumps({"op": 4, "d": VOICE, "s": 1, "t": "X"}).encode()
        self.assertEqual(check_command(body), (4, VOICE))

    def test_what_says_nothing_may_be_left_out(self) -> None:
        """A presence without since, activities and afk, a query without limit: Discord gets them all the same."""
        self.assertEqual(check_command(b'{"op":3,"d":{"status":"dnd"}}'), (3, {**PRESENCE, **QUIET, "status": "dnd"}))
        op, members = check_command(b'{"op":8,"d":{"guild_id":"1","query":""}}')
        self.assertEqual((op, members["limit"]), (8, 0))

    def test_limit_is_in_bytes(self) -> None:
        """4096 bytes pass."""
        d: dict[str, object] = {**PRESENCE, "x": ""}
        d["x"] = "é" * ((4096 - len(encode_command(3, d))) // 2)
        body = encode_command(3, d)
        self.assertIn(len(body), (4095, 4096))
        self.assertEqual(check_command(body)[0], 3)


class RefusedTests(SynchronousTestCase):
    """What Discord would close the connection for is refused, with a word on what is wrong."""

    def _refuses(self, body: bytes, words: str) -> None:
        error = self.assertRaises(RequestRefused, check_command, body)
        self.assertIn(words, str(error))

    def test_too_long(self) -> None:
        """Criterion 40: 4097 bytes are refused, though the characters be fewer."""
        d: dict[str, object] = {**PRESENCE, "x": "é"}
        size = len(encode_command(3, d))
        d["x"] = "é" * ((4097 - size) // 2 + 1) + "e" * ((4097 - size) % 2)
        body = ujson.dumps({"op": 3, "d": d}, ensure_ascii=False, escape_forward_slashes=False).encode()
        self.assertEqual(len(body), 4097)
        self.assertLess(len(body.decode()), 4096)
        self._refuses(body, "4097 bytes")

    def test_too_long_when_written_anew(self) -> None:
        """So is one that grows beyond the limit as Discord would get it."""
        body = _body(3, {**PRESENCE, "x": []}).replace(b'"x": []', b'"x":[' + b",".join([b"1e9"] * 700) + b"]")
        self.assertLessEqual(len(body), 4096)
        self._refuses(body, "at most 4096")

    def test_no_json(self) -> None:
        """Garbage is refused."""
        for body in (b"", b"hello", b"{", b'{"op":3,"d":{}}x', b'{"op":3,"d":"\xff"}', b"\x00", b"[" * 4000):
            self._refuses(body, "no JSON")

    def test_no_payload(self) -> None:
        """So is JSON that is no payload."""
        for body in (b"[]", b"3", b"null", b'"x"'):
            self._refuses(body, "JSON object")
        for op in (None, "3", True, 3.0, [3]):
            self._refuses(_body(op, PRESENCE), "op has to be an integer")
        self._refuses(b'{"d":{}}', "op has to be an integer")
        data: tuple[object, ...] = (None, [], "x", 3)
        for d in data:
            self._refuses(_body(3, d), "d has to be an object")
        self._refuses(b'{"op":3}', "d has to be an object")

    def test_not_for_bots(self) -> None:
        """Criterion 43: the shard's own ops, and unknown ones, are refused with those that may be sent."""
        for op in (0, 1, 2, 5, 6, 7, 9, 10, 11, 12, 14, 99, -3, 10**30):
            self._refuses(_body(op, {}), "only 3, 4, 8, 31, 43")

    def test_presence(self) -> None:
        """A presence that Discord would not understand."""
        for change, words in (
            ({"status": "away"}, "status"),
            ({"status": None}, "status"),
            ({"status": ["online"]}, "status"),
            ({"since": "x"}, "since"),
            ({"since": 1.5}, "since"),
            ({"since": 10**30}, "since"),
            ({"since": True}, "since"),
            ({"afk": None}, "afk"),
            ({"afk": 0}, "afk"),
            ({"activities": None}, "activities"),
            ({"activities": {}}, "activities"),
            ({"activities": ["x"]}, "activities"),
            ({"activities": [{"type": 0}]}, "name"),
            ({"activities": [{"name": 5, "type": 0}]}, "name"),
            ({"activities": [{"name": "x"}]}, "type"),
            ({"activities": [{"name": "x", "type": "0"}]}, "type"),
            ({"activities": [{"name": "x", "type": 0, "url": 5}]}, "url"),
            ({"activities": [{"name": "x", "type": 0, "state": []}]}, "state"),
        ):
            self._refuses(_body(3, {**PRESENCE, **change}), words)

    def test_missing(self) -> None:
        """A field that Discord needs and is missing is named."""
        for op, d, keys in (
            (3, PRESENCE, ("status",)),
            (4, VOICE, ("guild_id", "channel_id")),
            (8, MEMBERS, ("guild_id", "query")),
            (31, SOUNDS, ("guild_ids",)),
            (43, INFO, ("guild_id", "fields")),
        ):
            for key in keys:
                self._refuses(_body(op, {name: value for name, value in d.items() if name != key}), key)

    def test_voice(self) -> None:
        """A voice state with ids or flags that are none."""
        for change, words in (
            ({"guild_id": None}, "guild_id"),
            ({"guild_id": "x"}, "guild_id"),
            ({"guild_id": -1}, "guild_id"),
            ({"channel_id": 1.5}, "channel_id"),
            ({"channel_id": ""}, "channel_id"),
            ({"self_mute": 1}, "self_mute"),
            ({"self_deaf": "yes"}, "self_deaf"),
        ):
            self._refuses(_body(4, {**VOICE, **change}), words)

    def test_members(self) -> None:
        """A request for members that names nobody, or too many."""
        for change, words in (
            ({"guild_id": ["1"]}, "guild_id"),
            ({"user_ids": ["1"]}, "either"),
            ({"query": None}, "either"),
            ({"query": 5}, "query"),
            ({"limit": None}, "limit"),
            ({"limit": -1}, "limit"),
            ({"limit": True}, "limit"),
            ({"query": None, "user_ids": []}, "user_ids"),
            ({"query": None, "user_ids": ["1"] * 101}, "101 ids"),
            ({"query": None, "user_ids": ["1", "x"]}, "user_ids"),
            ({"query": None, "user_ids": {}}, "user_ids"),
            ({"presences": "yes"}, "presences"),
            ({"nonce": 5}, "nonce"),
        ):
            self._refuses(_body(8, {**MEMBERS, **change}), words)

    def test_sounds(self) -> None:
        """A request for sounds without guilds."""
        for guild_ids in (None, [], "1", [None], [[1]]):
            self._refuses(_body(31, {"guild_ids": guild_ids}), "guild_ids")

    def test_channel_info(self) -> None:
        """A request for channels without fields, or for one that Discord doesn't know."""
        wrong: tuple[object, ...] = (None, [], "status", [5], [[]], [""], ["status", "colour"])
        for fields in wrong:
            self._refuses(_body(43, {**INFO, "fields": fields}), "fields")

    def test_not_writable(self) -> None:
        """Numbers and texts that JSON has no place for."""
        for value in (b"NaN", b"Infinity", b"1e999", b'"\\ud800"', b'"\xed\xa0\x80"'):
            body = _body(3, {**PRESENCE, "x": 0}).replace(b'"x": 0', b'"x": ' + value)
            self._refuses(body, "can't be written")

    def test_whatever_the_reader_raises(self) -> None:
        """Readers of JSON differ in what they raise at numbers too large and nesting too deep: all of it is refused."""
        for error in (
            ValueError("x"),
            OverflowError("x"),
            RecursionError("x"),
            UnicodeDecodeError("u", b"", 0, 1, "x"),
        ):

            def fails(*_: object, error: Exception = error, **__: object) -> object:
                raise error

            self.patch(ujson, "loads", fails)
            self._refuses(b'{"op":3,"d":{}}', "the payload is no JSON")
            self.patch(ujson, "dumps", fails)
            refused = self.assertRaises(RequestRefused, encode_command, 3, {})
            self.assertIn("can't be written as JSON", str(refused))

    def test_extremes(self) -> None:
        """Nesting to the reader's limit and beyond, numbers of thousands of digits, lone halves of characters."""
        for value in (
            *(b"[" * depth + b"]" * depth for depth in (500, 1000, 1022, 1023, 1024, 1025, 2000)),
            *(b'{"a":' * depth + b"1" + b"}" * depth for depth in (500, 600, 680)),
            b"9" * 4000,
            b"-" + b"9" * 4000,
            b"0." + b"9" * 3900 + b"e999999999",
            b'"' + b"\\ud83d" * 600 + b'"',
            b'"' + b"\\u0000" * 600 + b'"',
        ):
            for body in (
                b'{"op":3,"d":{"status":"online","x":%b}}' % value,
                b'{"op":3,"d":%b}' % value,
                b'{"op":%b,"d":{}}' % value,
                value,
            ):
                try:
                    check_command(body)
                except RequestRefused as refused:
                    ujson.dumps(str(refused))

    @settings(deadline=None, database=None, max_examples=300)
    @given(
        body=st.binary(max_size=80)
        | st.fixed_dictionaries(
            {
                "op": st.sampled_from([3, 4, 8, 31, 43, 2]) | st.integers(),
                "d": st.dictionaries(
                    st.sampled_from([*PRESENCE, *VOICE, *MEMBERS, *SOUNDS, *INFO, "user_ids", "nonce"]),
                    st.recursive(
                        st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["online", "1"]),
                        lambda inner: (
                            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
                        ),
                        max_leaves=6,
                    ),
                ),
            }
        ).map(lambda payload: json.dumps(payload).encode())
    )
    def test_anything(self, body: bytes) -> None:
        """Whatever bots send is accepted or refused, and what is accepted can be sent."""
        try:
            op, d = check_command(body)
        except RequestRefused as error:
            self.assertTrue(str(error))
            return
        self.assertEqual(json.loads(encode_command(op, d)), {"op": op, "d": d})


class EncodeTests(SynchronousTestCase):
    """What is sent is what was checked."""

    def test_dense(self) -> None:
        """It is written without spaces, other scripts and slashes as they are."""
        self.assertEqual(encode_command(3, {"x": "é/✓"}), '{"op":3,"d":{"x":"é/✓"}}'.encode())

    def test_given_twice(self) -> None:
        """A key given twice doesn't smuggle another op through."""
        body = b'{"op":2,"d":{"token":"x"},"op":4,"d":' + json.dumps(VOICE).encode() + b"}"
        op, d = check_command(body)
        self.assertEqual(json.loads(encode_command(op, d)), {"op": 4, "d": VOICE})

    def test_big_ids(self) -> None:
        """Ids keep every digit."""
        op, d = check_command(_body(4, {**VOICE, "guild_id": 2**64 - 1}))
        self.assertIn(b'"guild_id":18446744073709551615', encode_command(op, d))
