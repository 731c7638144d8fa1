"""Cache queries: every malformed one is refused with a word, none does harm."""

from __future__ import annotations

from collections.abc import Sequence

import ujson
from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.cluster.requests import CacheRequests, load_object, parse_query, parse_return_key
from rateway.errors import RequestRefused

from .fakes import RecordingAnswers, delivery

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@define
class FakeCache:
    """Knows one guild; refuses unknown kinds; breaks on demand."""

    asked: list[tuple[str, Sequence[object]]] = field(factory=list)
    broken: bool = False

    def query(self, kind: str, arguments: Sequence[object]) -> bytes | None:
        self.asked.append((kind, arguments))
        if self.broken:
            raise RuntimeError("the cache is broken")
        if kind != "Guild":
            raise RequestRefused(f"there is no query {kind}")
        return b'{"id":"1"}' if list(arguments) == [1] else None


class CacheRequestsTests(SynchronousTestCase):
    """A query and where its answer goes."""

    def setUp(self) -> None:
        self.answers = RecordingAnswers()
        self.cache = FakeCache()
        self.requests = CacheRequests("rateway-1", self.answers, self.cache)

    def ask(self, body: object, **more: object) -> None:
        raw = body if isinstance(body, bytes) else ujson.dumps(body).encode()
        self.requests.received(delivery(raw, **more))  # type: ignore[arg-type]

    def test_found_goes_to_the_return_routing_key(self) -> None:
        """The original's form: the answer goes to the same exchange, by the key the bot named."""
        self.ask({"type": "Guild", "arguments": [1], "return_routing_key": "abc"})
        self.assertEqual(self.answers.sent, [("rateway-1", "abc", b'{"id":"1"}', None, None)])

    def test_not_found_is_an_empty_body(self) -> None:
        """An unknown guild is answered by nothing at all."""
        self.ask({"type": "Guild", "arguments": [2], "return_routing_key": "abc"})
        self.assertEqual(self.answers.sent, [("rateway-1", "abc", b"", None, None)])

    def test_reply_to_goes_through_the_default_exchange(self) -> None:
        """With reply_to the answer goes straight to that queue, with the correlation id, and no key is needed."""
        self.ask({"type": "Guild", "arguments": [1]}, reply_to="amq.gen-1", correlation_id=b"7")
        self.assertEqual(self.answers.sent, [("", "amq.gen-1", b'{"id":"1"}', b"7", None)])

    def test_refusal_bears_the_error_header(self) -> None:
        """A query that can't be served is answered by an empty body and the reason."""
        self.ask({"type": "Nope", "arguments": [], "return_routing_key": "abc"})
        self.assertEqual(self.answers.sent, [("rateway-1", "abc", b"", None, {"error": "there is no query Nope"})])

    def test_garbage_with_reply_to_is_answered(self) -> None:
        """Even a body that is no JSON gets its answer, where there is a place to send it."""
        self.ask(b"\xff{", reply_to="q")
        self.assertEqual(self.answers.sent, [("", "q", b"", None, {"error": "the body is not JSON in UTF-8"})])

    def test_nowhere_to_answer_is_not_answered(self) -> None:
        """Without reply_to and return_routing_key nothing is sent, nor asked of the cache."""
        self.ask({"type": "Guild", "arguments": [1]})
        self.assertEqual((self.answers.sent, self.cache.asked), ([], []))

    def test_wrong_arguments_are_refused(self) -> None:
        """Arguments that are no array are refused before the cache is asked."""
        self.ask({"type": "Guild", "arguments": {"0": 1}, "return_routing_key": "k"})
        self.assertEqual(self.answers.sent[0][4], {"error": '"arguments" must be an array'})
        self.assertEqual(self.cache.asked, [])

    def test_a_bug_is_answered_and_logged(self) -> None:
        """When the cache itself fails, the bot hears so, and the log has the traceback."""
        self.cache.broken = True
        self.ask({"type": "Guild", "arguments": [1], "return_routing_key": "k"})
        self.assertEqual(
            self.answers.sent[0][2:], (b"", None, {"error": "rateway could not answer; its log says more"})
        )
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    @given(st.binary(max_size=60) | JSON.map(lambda value: ujson.dumps(value).encode()))
    @settings(deadline=None, database=None)
    def test_no_body_does_harm(self, body: bytes) -> None:
        """Whatever a body holds, one answer goes to reply_to and nothing is raised."""
        answers = RecordingAnswers()
        CacheRequests("rateway-1", answers, FakeCache()).received(delivery(body, reply_to="q"))
        self.assertEqual(len(answers.sent), 1)

    @given(
        st.fixed_dictionaries(
            {}, optional={"type": JSON | st.just("Guild"), "arguments": JSON, "return_routing_key": JSON}
        )
    )
    @settings(deadline=None, database=None)
    def test_no_field_does_harm(self, fields: dict[str, object]) -> None:
        """Whatever stands in the fields, at most one answer is sent, to a key that AMQP can carry."""
        answers = RecordingAnswers()
        CacheRequests("rateway-1", answers, FakeCache()).received(delivery(ujson.dumps(fields).encode()))
        for _, key, *_ in answers.sent:
            self.assertLessEqual(len(key.encode()), 255)


class ParsingTests(SynchronousTestCase):
    """The parts of a query."""

    def test_body_must_be_an_object(self) -> None:
        """Arrays, numbers and nested depths beyond reason are refused."""
        for body in (b"[]", b"1", b"null", b"", b"[" * 100_000, b'{"a":'):
            self.assertRaises(RequestRefused, load_object, body)

    def test_type_must_be_text(self) -> None:
        """A query's type is a name."""
        self.assertRaises(RequestRefused, parse_query, {"type": 3})
        self.assertRaises(RequestRefused, parse_query, {})

    def test_arguments_may_be_left_out(self) -> None:
        """CurrentUser needs none."""
        self.assertEqual(parse_query({"type": "CurrentUser"}).arguments, [])

    def test_return_key_must_fit_into_amqp(self) -> None:
        """A key is text of at most 255 bytes in UTF-8."""
        self.assertEqual(parse_return_key({"return_routing_key": "é" * 127}), "é" * 127)
        self.assertIsNone(parse_return_key({}))
        for key in ("é" * 128, "\ud800", 5, ["k"], True):
            self.assertRaises(RequestRefused, parse_return_key, {"return_routing_key": key})
