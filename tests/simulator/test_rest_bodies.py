"""Bodies and queries of REST, without a socket."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.simulator.rest.bodies import Body, File, Query, read_body, snowflake
from rateway.simulator.rest.drafts import read_draft
from rateway.simulator.rest.errors import MEANINGS, ApiError, invalid, plain, refusal
from rateway.simulator.rest.fields import flag, items, record, text, whole

MULTIPART = "multipart/form-data; boundary=xyz"
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
_DRAFT = st.dictionaries(
    st.sampled_from(
        ("content", "embeds", "components", "poll", "nonce", "flags", "tts", "message_reference", "attachments")
    ),
    _JSON
    | st.lists(st.dictionaries(st.sampled_from(("title", "fields", "footer", "id")), _JSON, max_size=3), max_size=3),
    max_size=4,
)


def part(name: str, content: bytes, more: str = "", type: str = "") -> bytes:
    head = f'--xyz\r\nContent-Disposition: form-data; name="{name}"{more}\r\n'
    return head.encode() + (f"Content-Type: {type}\r\n".encode() if type else b"") + b"\r\n" + content + b"\r\n"


class BodyTests(SynchronousTestCase):
    """What a body says."""

    def test_none(self) -> None:
        """No body is nothing, whatever its type."""
        self.assertEqual([read_body(type, b"") for type in ("", "text/plain", "application/json")], [Body()] * 3)
        self.assertEqual(Body().fields(), {})

    def test_json(self) -> None:
        """JSON, whatever else the type says; NaN is none."""
        self.assertEqual(read_body("Application/JSON; charset=utf-8", b'{"a":[1]}').value, {"a": [1]})
        for raw in (b"{", b'{"a":NaN}', b'"\xff"', b"[" * 100_000, b"\x00", b'"\\ud800"', b"1" * 5000):
            with self.assertRaises(ApiError) as caught:
                read_body("application/json", raw)
            self.assertEqual(caught.exception.code, 50109)

    def test_form(self) -> None:
        """A form's fields, empty ones too."""
        body = read_body("application/x-www-form-urlencoded", b"content=a+b%21&x=")
        self.assertEqual(body.value, {"content": "a b!", "x": ""})

    def test_multipart(self) -> None:
        """Fields, files byte for byte, and payload_json, which wins."""
        file = part("files[0]", b"\r\n--xy\x00", '; filename="a.bin"', "image/png")
        body = read_body(MULTIPART, part("a", b"1") + file + b"--xyz--\r\n")
        self.assertEqual(body, Body({"a": "1"}, (File("files[0]", "a.bin", "image/png", 7),)))
        body = read_body(MULTIPART, part("payload_json", b'{"b":2}') + part("a", b"1") + b"--xyz--")
        self.assertEqual(body.value, {"b": 2})

    def test_broken_multipart(self) -> None:
        """Without a boundary, an end, a name: refused."""
        for type, raw in (
            ("multipart/form-data", part("a", b"1") + b"--xyz--"),
            (MULTIPART, part("a", b"1")),
            (MULTIPART, b"x" + part("a", b"1") + b"--xyz--"),
            (MULTIPART, b"--xyz\r\n\r\nx\r\n--xyz--"),
            (MULTIPART, b'--xyz\r\nContent-Disposition: form-data; name="a"\r\n--xyz--'),
            (MULTIPART, b"hello"),
        ):
            with self.assertRaises(ApiError) as caught:
                read_body(type, raw)
            self.assertEqual(caught.exception.code, 50035)

    @given(
        st.sampled_from(("application/json", MULTIPART, "application/x-www-form-urlencoded", "text/html")),
        st.binary(max_size=60) | st.binary(max_size=40).map(lambda raw: part("a", raw) + b"--xyz--"),
    )
    @settings(max_examples=200, deadline=None)
    def test_anything(self, type: str, raw: bytes) -> None:
        """Whatever comes is read or refused with a code."""
        try:
            read_body(type, raw)
        except ApiError as error:
            self.assertIn(error.code, (50035, 50109))

    @given(_DRAFT)
    @settings(max_examples=200, deadline=None)
    def test_any_draft(self, value: dict[str, object]) -> None:
        """Whatever describes a message is read or refused with 50035; what is read can be written as JSON."""
        try:
            draft = read_draft(Body(value))
        except ApiError as error:
            self.assertEqual((error.status, error.code), (400, 50035))
        else:
            json.dumps([draft.fields, draft.poll, draft.nonce])
            self.assertLessEqual(len(draft.content), 2000)


class DraftTests(SynchronousTestCase):
    """What describes a message."""

    def test_too_many_files(self) -> None:
        """Ten files at most."""
        files = tuple(File(f"files[{number}]", "x", "text/plain", 1) for number in range(11))
        self.assertEqual(len(read_draft(Body({}, files[:10])).fields["attachments"]), 10)
        self.assertRaises(ApiError, read_draft, Body({}, files))


class FieldTests(SynchronousTestCase):
    """One value."""

    def refused(self, code: str, read: object, *arguments: object) -> None:
        with self.assertRaises(ApiError) as caught:
            read(*arguments)  # type: ignore[operator]
        errors: Any = caught.exception.errors
        self.assertEqual(errors["x"]["_errors"][0]["code"], code)

    def test_text(self) -> None:
        """Numbers become texts; true does not."""
        self.assertEqual([text("é", "x", 1), text(5, "x", 1)], ["é", "5"])
        self.refused("STRING_TYPE_CONVERT", text, True, "x", 9)
        self.refused("BASE_TYPE_MAX_LENGTH", text, "abc", "x", 2)
        self.refused("BASE_TYPE_BAD_LENGTH", lambda: text("", "x", 5, lowest=1))

    def test_whole(self) -> None:
        """Texts may be numbers; true, halves and null are none."""
        self.assertEqual([whole("7", "x", 0, 9), whole(7, "x", 0, 9)], [7, 7])
        for value in (True, 1.5, None, "x", "-1", "٣", "1" * 5000):
            self.refused("NUMBER_TYPE_COERCE", whole, value, "x", 0, 9)
        self.refused("NUMBER_TYPE_MIN", whole, -1, "x", 0, 9)
        self.refused("NUMBER_TYPE_MAX", whole, 10, "x", 0, 9)

    def test_others(self) -> None:
        """Flags, lists, objects."""
        self.assertEqual(
            [flag(True, "x"), flag("FALSE", "x"), items(None, "x", 1), record({}, "x")], [True, False, [], {}]
        )
        self.refused("BOOLEAN_TYPE_CONVERT", flag, 1, "x")
        self.refused("LIST_TYPE_CONVERT", items, {}, "x", 1)
        self.refused("BASE_TYPE_MAX_LENGTH", items, [1, 2], "x", 1)
        self.refused("BASE_TYPE_BAD_LENGTH", lambda: items([], "x", 2, lowest=1))
        self.refused("DICT_TYPE_CONVERT", record, [], "x")

    def test_snowflake(self) -> None:
        """Ids are texts or numbers of 64 bits."""
        self.assertEqual([snowflake("x", "5"), snowflake("x", 5), snowflake("x", (1 << 64) - 1)], [5, 5, (1 << 64) - 1])
        for value in ("x", "-1", "", "1" * 21, 1 << 64, -1, True, 1.0, None, "٣"):
            self.refused("NUMBER_TYPE_COERCE", snowflake, "x", value)

    def test_query(self) -> None:
        """The last of repeated keys counts; what is missing has its default."""
        query = Query.read("limit=1&limit=2&flag=TRUE&id=7")
        self.assertEqual((query.number("limit", 5, 1, 9), query.number("x", 5, 1, 9)), (2, 5))
        self.assertEqual(
            (query.flag("flag"), query.flag("x"), query.snowflake("id"), query.snowflake("x")), (True, False, 7, None)
        )
        self.refused("NUMBER_TYPE_COERCE", Query.read("x=" + "1" * 5000).number, "x", 1, 1, 9)
        self.refused("BASE_TYPE_BOOLEAN", Query.read("x=2").flag, "x")
        self.refused("NUMBER_TYPE_COERCE", Query.read("x=-2").number, "x", 1, 1, 9)


class ErrorTests(SynchronousTestCase):
    """Errors as bodies."""

    def test_shape(self) -> None:
        """Code and message always; the field's path where there is one."""
        status, headers, body = invalid("a.0.b", "C", "m").answer()
        self.assertEqual((status, headers["Content-Type"]), (400, "application/json"))
        errors = {"a": {"0": {"b": {"_errors": [{"code": "C", "message": "m"}]}}}}
        self.assertEqual(json.loads(body), {"message": "Invalid Form Body", "code": 50035, "errors": errors})
        self.assertEqual(json.loads(plain(404, "Not Found").answer()[2]), {"message": "404: Not Found", "code": 0})

    def test_codes(self) -> None:
        """Each known code has a status and a message."""
        for code, (status, message) in MEANINGS.items():
            answered, _, body = refusal(code).answer()
            self.assertEqual((answered, json.loads(body)), (status, {"message": message, "code": code}))
            self.assertTrue(400 <= status < 500)
