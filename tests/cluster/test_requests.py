"""Cache queries: every malformed one is refused with a word, none does harm."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import ujson
from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rateway.amqp.inbox import Delivery
from rateway.cluster.patience import Patience
from rateway.cluster.requests import CacheRequests, Desk, load_object, parse_question, parse_return_key
from rateway.cluster.turns import SIDE_BY_SIDE, WAITING, Turns
from rateway.errors import RequestRefused
from rateway.gateway.memberlists import PATIENCE
from rateway.store.pages import PAGE_BYTES
from rateway.store.queries import QUERIES, Question
from rateway.store.standing import Answer

from .fakes import RecordingAnswers, delivery

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KINDS = st.sampled_from(sorted(QUERIES))
ARGUMENTS = st.lists(st.integers(0, 3) | st.text(max_size=3) | st.none(), max_size=3)
REQUESTS = st.fixed_dictionaries({"type": KINDS}, optional={"arguments": ARGUMENTS})


@define
class FakeCache:
    """Knows one guild, and lists that take some steps; breaks on demand."""

    asked: list[tuple[object, ...]] = field(factory=list)
    rooms: list[int] = field(factory=list)
    broken: bool = False
    steps: int = 3

    def ask(self, question: Question, room: int = PAGE_BYTES) -> Generator[None, None, Answer]:
        self.asked.append(question.values)
        self.rooms.append(room)
        if self.broken:
            raise RuntimeError("the cache is broken")
        if question.query.steps is not None:
            for _ in range(self.steps):
                yield
            return Answer(b"[1,2]", {"shard_id": 0, "next": "2"})
        return Answer(b'{"id":"1"}' if question.values == (1,) else None)


class RequestsTestCase(SynchronousTestCase):
    """A desk over the fake cache."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.answers = RecordingAnswers()
        self.cache = FakeCache()
        self.turns = Turns(self.clock)
        self.requests = CacheRequests("rateway-1", self.answers, Desk(self.cache, self.turns))

    def ask(self, body: object, **more: object) -> None:
        raw = body if isinstance(body, bytes) else ujson.dumps(body).encode()
        self.requests.received(delivery(raw, **more))  # type: ignore[arg-type]

    def bodies(self) -> list[bytes]:
        """Of the answers so far."""
        return [body for _, _, body, *_ in self.answers.sent]


class CacheRequestsTests(RequestsTestCase):
    """A query and where its answer goes."""

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
        ((*sent, headers),) = self.answers.sent
        self.assertEqual(sent, ["rateway-1", "abc", b"", None])
        assert isinstance(headers, dict)
        self.assertIn("'Nope' is no type of query", headers["error"])

    def test_garbage_with_reply_to_is_answered(self) -> None:
        """Even a body that is no JSON gets its answer, where there is a place to send it."""
        self.ask(b"\xff{", reply_to="q")
        self.assertEqual(self.answers.sent, [("", "q", b"", None, {"error": "the body is not JSON in UTF-8"})])

    def test_too_long(self) -> None:
        """A body too long to be taken in is refused as any other that can't be read."""
        for more, sent in (({"reply_to": "q", "correlation_id": b"7"}, 1), ({}, 1)):
            self.requests.received(Delivery("cache", b"", too_long=9_000_000, **more))  # type: ignore[arg-type]
            self.assertEqual(len(self.answers.sent), sent)
        expected = {"error": "a body of 9000000 bytes is too long"}
        self.assertEqual(self.answers.sent, [("", "q", b"", b"7", expected)])

    def test_no_text(self) -> None:
        """Half of a surrogate pair, which JSON can spell and no text holds, is refused wherever a text may stand."""
        half = "\\ud800"
        for body in (
            f'{{"type": "SearchMembers", "arguments": [1, "{half}"]}}',
            f'{{"type": "{half}", "arguments": [1]}}',
            f'{{"type": "Guild", "arguments": ["{half}"]}}',
            f'{{"type": "Guild", "arguments": "{half}"}}',
            f'{{"requests": "{half}"}}',
            f'{{"requests": [{{"type": "{half}"}}]}}',
        ):
            self.answers.sent.clear()
            self.ask(body.encode(), reply_to="q")
            ((*_, headers),) = self.answers.sent
            assert isinstance(headers, dict)
            self.assertNotIn("its log says more", str(headers["error"]).encode().decode(), body)
        self.assertEqual(self.cache.asked, [])

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
        self.setUp()
        self.ask(body, reply_to="q")
        self.clock.pump([0] * 10)
        self.assertEqual(len(self.answers.sent), 1)

    @given(
        st.fixed_dictionaries(
            {},
            optional={
                "type": JSON | KINDS,
                "arguments": JSON | ARGUMENTS,
                "return_routing_key": JSON,
                "requests": JSON | st.lists(JSON | REQUESTS, max_size=4),
            },
        )
    )
    @settings(deadline=None, database=None)
    def test_no_field_does_harm(self, fields: dict[str, object]) -> None:
        """Whatever stands in the fields, at most one answer is sent, to a key that AMQP can carry."""
        self.setUp()
        self.ask(fields)
        self.clock.pump([0] * 40)
        self.assertLessEqual(len(self.answers.sent), 1)
        for _, key, *_ in self.answers.sent:
            self.assertLessEqual(len(key.encode()), 255)
        self.assertEqual(self.flushLoggedErrors(), [])

    @given(st.lists(JSON | REQUESTS, max_size=4))
    @settings(deadline=None, database=None)
    def test_no_bulk_does_harm(self, requests: list[object]) -> None:
        """Whatever is among the requests, one answer comes: all of them answered in their order, or an error."""
        self.setUp()
        self.ask({"requests": requests}, reply_to="q")
        self.clock.pump([0] * 40)
        ((_, _, body, _, headers),) = self.answers.sent
        if body:
            self.assertEqual(len(ujson.loads(body)), len(requests))
        else:
            assert isinstance(headers, dict)
            self.assertTrue(headers["error"])


class TurnTests(RequestsTestCase):
    """What takes long, and what doesn't."""

    def test_short_ones_overtake(self) -> None:
        """A lookup is answered at once, whatever is under way."""
        for number in range(10):
            self.ask({"type": "GuildMembers", "arguments": [number]}, reply_to="list")
        self.assertEqual(self.bodies(), [])
        self.ask({"type": "Guild", "arguments": [1]}, reply_to="one")
        self.assertEqual(self.bodies(), [b'{"id":"1"}'])
        self.clock.pump([0] * 100)
        self.assertEqual(self.bodies(), [b'{"id":"1"}', *[b"[1,2]"] * 10])

    def test_short_ones_together_overtake(self) -> None:
        """So are lookups in one request: before all lists, if not in the same moment."""
        for number in range(10):
            self.ask({"type": "GuildMembers", "arguments": [number]}, reply_to="list")
        lookup = {"type": "Guild", "arguments": [1]}
        self.ask({"requests": [lookup, lookup]}, reply_to="two")
        self.ask({"requests": [lookup, {"type": "GuildMembers", "arguments": [1]}]}, reply_to="mixed")
        self.clock.pump([0] * 100)
        self.assertEqual(self.bodies()[0], b'[{"id":"1"},{"id":"1"}]')
        self.assertEqual(self.bodies()[-1], b'[{"id":"1"},[1,2]]')
        self.assertEqual(len(self.bodies()), 12)

    def test_short_list_at_once(self) -> None:
        """A list that needs no pause is answered at once, if nothing else is under way."""
        self.cache.steps = 0
        self.ask({"type": "GuildRoles", "arguments": [7]}, reply_to="q", correlation_id=b"5")
        self.assertEqual(self.answers.sent, [("", "q", b"[1,2]", b"5", {"shard_id": 0, "next": "2"})])
        self.assertTrue(self.turns.is_idle)

    def test_too_many(self) -> None:
        """When too many wait, more are refused, and the others are answered all the same."""
        most = SIDE_BY_SIDE + WAITING
        for number in range(most + 2):
            self.ask({"type": "GuildMembers", "arguments": [number]}, reply_to="q")
        self.assertEqual(len(self.answers.sent), 2)
        for *_, headers in self.answers.sent:
            assert isinstance(headers, dict)
            self.assertIn("ask again later", headers["error"])
        self.ask({"type": "Guild", "arguments": [1]}, reply_to="one")
        self.assertEqual(self.bodies()[-1], b'{"id":"1"}')
        while not self.turns.is_idle:
            self.clock.advance(0)
        self.assertEqual(self.bodies().count(b"[1,2]"), most)

    def test_failing_later(self) -> None:
        """What fails under way is answered as what fails at once, and the others go on."""

        def failing(question: Question, room: int = 0) -> Generator[None, None, Answer]:
            yield
            if question.values[0] == 1:
                raise RequestRefused("it went away")
            if question.values[0] == 2:
                raise RuntimeError("a fault")
            return Answer(b"[]")

        requests = CacheRequests("rateway-1", self.answers, Desk(Asking(failing), self.turns))
        for guild in (1, 2, 3):
            body = ujson.dumps({"type": "GuildMembers", "arguments": [guild], "return_routing_key": str(guild)})
            requests.received(delivery(body.encode()))
        self.clock.pump([0] * 10)
        found = {key: (body, headers) for _, key, body, _, headers in self.answers.sent}
        self.assertEqual(found["1"], (b"", {"error": "it went away"}))
        self.assertEqual(found["2"], (b"", {"error": "rateway could not answer; its log says more"}))
        self.assertEqual(found["3"], (b"[]", None))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)


@define
class Asking:
    """A cache that is one function."""

    ask: Any


class BulkTests(RequestsTestCase):
    """Several queries in one request."""

    def answered(self, requests: object, **more: object) -> tuple[bytes, Any]:
        """The body and the headers of the one answer."""
        self.ask({"requests": requests, **more}, reply_to="q")
        self.clock.pump([0] * 500)
        ((_, _, body, _, headers),) = self.answers.sent
        return body, headers

    def test_in_order(self) -> None:
        """The answers come in one array, in the order asked, null for what isn't known."""
        guilds = [{"type": "Guild", "arguments": [number]} for number in (2, 1, 3, "1")]
        self.assertEqual(self.answered(guilds), (b'[null,{"id":"1"},null,{"id":"1"}]', None))

    def test_hundred(self) -> None:
        """A hundred may be asked for, and no more."""
        guilds = [{"type": "Guild", "arguments": [1]}] * 100
        self.assertEqual(len(ujson.loads(self.answered(guilds)[0])), 100)
        self.answers.sent.clear()
        body, headers = self.answered([*guilds, guilds[0]])
        self.assertEqual((body, headers), (b"", {"error": '"requests" may hold 100 requests, not 101'}))

    def test_none(self) -> None:
        """No requests, no answers."""
        self.assertEqual(self.answered([]), (b"[]", None))

    def test_return_routing_key(self) -> None:
        """The one key is beside the requests."""
        self.ask({"requests": [{"type": "Guild", "arguments": [1]}], "return_routing_key": "abc"})
        self.clock.pump([0] * 5)
        self.assertEqual(self.answers.sent, [("rateway-1", "abc", b'[{"id":"1"}]', None, None)])

    def test_malformed(self) -> None:
        """One malformed request among them is told, and nothing is asked of the cache."""
        good = {"type": "Guild", "arguments": [1]}
        for odd, why in (
            (None, "a request is a JSON object"),
            ([], "a request is a JSON object"),
            ({}, '"type" must be the name of a query, such as "Guild"'),
            ({"type": "Guild", "arguments": 7}, '"arguments" must be an array'),
            ({"type": "Guild", "arguments": []}, "Guild takes 1 (guild) as arguments, not 0"),
            ({"type": "Nope"}, "'Nope' is no type of query"),
            (good | {"return_routing_key": "k"}, "there is one return_routing_key for all of them, beside requests"),
            ({"requests": [good]}, '"type" must be the name of a query, such as "Guild"'),
        ):
            self.answers.sent.clear()
            body, headers = self.answered([good, odd, good])
            self.assertEqual(body, b"")
            self.assertTrue(headers["error"].startswith(f"requests[1]: {why}"), headers)
        for requests in (None, 7, "x", {"type": "Guild"}):
            self.answers.sent.clear()
            self.assertEqual(self.answered(requests), (b"", {"error": '"requests" must be an array'}))
        self.answers.sent.clear()
        self.assertIn("either", self.answered([good], type="Guild")[1]["error"])
        self.assertEqual(self.cache.asked, [])

    def test_lists_share_the_room(self) -> None:
        """Lists may be among them: they share what one may take, and each says by its number where it goes on."""
        lists = [{"type": "GuildMembers", "arguments": [7]}, {"type": "Guild", "arguments": [1]}]
        body, headers = self.answered([*lists, *lists])
        self.assertEqual(body, b'[[1,2],{"id":"1"},[1,2],{"id":"1"}]')
        self.assertEqual(headers, {"shard_id": {"0": 0, "2": 0}, "next": {"0": "2", "2": "2"}})
        self.assertEqual(self.cache.rooms, [PAGE_BYTES - taken for taken in (0, 6, 17, 23)])

    def test_headers_of_all(self) -> None:
        """Of one shard: it and the lowest sequence; else each its own. What makes any doubtful is said of all."""
        headers: list[dict[str, object]] = [
            {"shard_id": 3, "as_of_seq": 8},
            {"shard_id": 3, "as_of_seq": 7, "stale": True},
            {"shard_id": 3, "as_of_seq": 9, "maintained": False, "reason": "so"},
        ]

        def asking(question: Question, room: int = 0) -> Generator[None, None, Answer]:
            yield
            return Answer(b"{}", headers[int(str(question.values[0]))])

        self.requests = CacheRequests("rateway-1", self.answers, Desk(Asking(asking), self.turns))
        several = [{"type": "Guild", "arguments": [number]} for number in range(3)]
        expected = {"shard_id": 3, "as_of_seq": 7, "stale": True, "maintained": False, "reason": "so"}
        self.assertEqual(self.answered(several)[1], expected)
        doubtful = {"stale": True, "maintained": False, "reason": "so"}
        headers[0] = {"shard_id": 4, "as_of_seq": 1}
        self.answers.sent.clear()
        expected = {"shard_id": {"0": 4, "1": 3, "2": 3}, "as_of_seq": {"0": 1, "1": 7, "2": 9}, **doubtful}
        self.assertEqual(self.answered(several)[1], expected)
        headers[0] = {}
        self.answers.sent.clear()
        expected = {"shard_id": {"1": 3, "2": 3}, "as_of_seq": {"1": 7, "2": 9}, **doubtful}
        self.assertEqual(self.answered(several)[1], expected)

    def test_members_known(self) -> None:
        """How many members are known, and of how many, is said for each question that it is said for alone."""
        headers: list[dict[str, object]] = [{"known": 3, "total": 8}, {}, {"known": 0}]

        def asking(question: Question, room: int = 0) -> Generator[None, None, Answer]:
            yield
            return Answer(b"{}", headers[int(str(question.values[0]))])

        self.requests = CacheRequests("rateway-1", self.answers, Desk(Asking(asking), self.turns))
        several = [{"type": "Member", "arguments": [number, 1]} for number in range(3)]
        self.assertEqual(self.answered(several)[1], {"known": {"0": 3, "2": 0}, "total": {"0": 8}})

    def test_one_without_an_answer(self) -> None:
        """A question that can't be answered costs no other's answer: it is null, and its number says why."""

        def asking(question: Question, room: int = 0) -> Generator[None, None, Answer]:
            yield
            if question.values[1] == "a":
                raise RequestRefused("too much")
            return Answer(b"[]", {"shard_id": 0})

        self.requests = CacheRequests("rateway-1", self.answers, Desk(Asking(asking), self.turns))
        several = [{"type": "SearchMembers", "arguments": [1, prefix]} for prefix in ("b", "a", "c")]
        expected = {"shard_id": {"0": 0, "2": 0}, "errors": {"1": "too much"}}
        self.assertEqual(self.answered(several), (b"[[],null,[]]", expected))


class PatienceTests(RequestsTestCase):
    """Questions that wait for what the cache lacks."""

    def setUp(self) -> None:
        super().setUp()
        self.lacking = {1}
        self.fetched: list[Deferred[None]] = []
        patience = Patience(self.clock, self.lacks, self.send, lambda guild: 0)
        self.requests = CacheRequests("rateway-1", self.answers, Desk(self.cache, self.turns, None, patience))

    def lacks(self, question: Question) -> int | None:
        guild = question.values[0]
        return guild if isinstance(guild, int) and guild in self.lacking else None

    def send(self, shard: int, op: int, payload: bytes, left: float) -> Deferred[None]:
        self.fetched.append(Deferred())
        return self.fetched[-1]

    def test_it_waits(self) -> None:
        """The cache isn't asked before; others pass by meanwhile; then the answer goes where it was wanted."""
        self.ask({"type": "Guild", "arguments": [1]}, reply_to="q", correlation_id=b"5")
        self.assertEqual(self.cache.asked, [])
        self.ask({"type": "Guild", "arguments": [2]}, reply_to="other")
        self.assertEqual(self.bodies(), [b""])
        self.fetched[0].callback(None)
        self.assertEqual(self.answers.sent[1:], [("", "q", b'{"id":"1"}', b"5", None)])

    def test_no_longer_than_it_may(self) -> None:
        """Then it is answered by what is known."""
        self.ask({"type": "Guild", "arguments": [1]}, reply_to="q")
        self.clock.advance(PATIENCE)
        self.assertEqual(self.bodies(), [b'{"id":"1"}'])

    def test_lists_and_several(self) -> None:
        """A list, and several in one request, wait as one does."""
        self.ask({"type": "GuildMembers", "arguments": [1]}, reply_to="q")
        self.ask({"requests": [{"type": "Guild", "arguments": [n]} for n in (2, 1)]}, reply_to="q")
        self.clock.pump([0] * 10)
        self.assertEqual(self.answers.sent, [])
        self.fetched[0].callback(None)
        self.clock.pump([0] * 10)
        self.assertEqual(sorted(self.bodies()), [b"[1,2]", b'[null,{"id":"1"}]'])

    def test_a_fault_after_the_wait(self) -> None:
        """Is answered, and logged."""
        self.ask({"type": "Guild", "arguments": [1]}, reply_to="q")
        self.cache.broken = True
        self.fetched[0].callback(None)
        self.assertEqual(self.answers.sent[0][4], {"error": "rateway could not answer; its log says more"})
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)


class ParsingTests(SynchronousTestCase):
    """The parts of a query."""

    def test_body_must_be_an_object(self) -> None:
        """Arrays, numbers and nested depths beyond reason are refused."""
        for body in (b"[]", b"1", b"null", b"", b"[" * 100_000, b'{"a":'):
            self.assertRaises(RequestRefused, load_object, body)

    def test_type_must_be_text(self) -> None:
        """A query's type is a name."""
        self.assertRaises(RequestRefused, parse_question, {"type": 3})
        self.assertRaises(RequestRefused, parse_question, {})

    def test_arguments_may_be_left_out(self) -> None:
        """CurrentUser needs none."""
        self.assertEqual(parse_question({"type": "CurrentUser"}).values, ())

    def test_return_key_must_fit_into_amqp(self) -> None:
        """A key is text of at most 255 bytes in UTF-8."""
        self.assertEqual(parse_return_key({"return_routing_key": "é" * 127}), "é" * 127)
        self.assertIsNone(parse_return_key({}))
        for key in ("é" * 128, "\ud800", 5, ["k"], True):
            self.assertRaises(RequestRefused, parse_return_key, {"return_routing_key": key})
