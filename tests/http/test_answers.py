from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rateway.http.answers import BAN_SECONDS, Quota, Refusal, read_answer

QUOTA = {
    "x-ratelimit-bucket": "abc",
    "x-ratelimit-limit": "5",
    "x-ratelimit-remaining": "0",
    "x-ratelimit-reset-after": "64.57",
}


class AnswerTests(SynchronousTestCase):
    """What an answer says about limits."""

    def test_the_bucket_of_a_success(self) -> None:
        """The headers are read as numbers."""
        answer = read_answer(200, QUOTA, b"{}")
        self.assertEqual(answer.quota, Quota("abc", 5, 0, 64.57))
        self.assertIsNone(answer.refusal)

    def test_an_answer_without_the_headers_has_no_bucket(self) -> None:
        """A route without a bucket is only bound by the global limit; a server error says nothing of that."""
        self.assertTrue(read_answer(200, {}, b"").teaches)
        self.assertFalse(read_answer(503, {}, b"").teaches)
        self.assertFalse(read_answer(401, {}, b"").teaches)

    def test_a_429_is_waited_for_as_its_body_says(self) -> None:
        """Not as the bucket's reset says, which belongs to another limit."""
        headers = QUOTA | {"x-ratelimit-scope": "shared", "retry-after": "1338"}
        answer = read_answer(429, headers, b'{"message":"","retry_after":1337.5,"global":false}')
        self.assertEqual((answer.refusal, answer.retry_after, answer.invalid), (Refusal.SHARED, 1337.5, False))

    def test_an_empty_bucket(self) -> None:
        """Scope user, none remaining."""
        answer = read_answer(429, (QUOTA | {"x-ratelimit-scope": "user"}), b'{"retry_after":1}')
        self.assertEqual((answer.refusal, answer.invalid), (Refusal.BUCKET, True))

    def test_a_limit_beside_the_bucket(self) -> None:
        """Scope user, though some remain: a limit of single fields, as of a channel's name."""
        headers = QUOTA | {"x-ratelimit-scope": "user", "x-ratelimit-remaining": "3"}
        self.assertIs(read_answer(429, headers, b'{"retry_after":500}').refusal, Refusal.SUBLIMIT)

    def test_the_global_limit(self) -> None:
        """Told by the body, or by either header."""
        for headers, body in (
            ({}, b'{"retry_after":1,"global":true}'),
            ({"x-ratelimit-global": "true"}, b'{"retry_after":1}'),
            ({"x-ratelimit-scope": "global"}, b'{"retry_after":1}'),
        ):
            self.assertIs(read_answer(429, headers, body).refusal, Refusal.GLOBAL)

    def test_a_ban_is_not_json(self) -> None:
        """Cloudflare answers in its own name; its Retry-After is taken if there is one."""
        self.assertEqual(
            [
                (answer.refusal, answer.retry_after)
                for answer in (
                    read_answer(429, {}, b"<html>error 1015</html>"),
                    read_answer(429, {"retry-after": "120"}, b"<html>"),
                    read_answer(429, {}, b'{"message":"no"}'),
                    read_answer(403, {}, b"You are being blocked from accessing our API"),
                )
            ],
            [(Refusal.BANNED, seconds) for seconds in (BAN_SECONDS, 120.0, BAN_SECONDS, BAN_SECONDS)],
        )

    @settings(deadline=None, database=None, max_examples=200)
    @given(
        st.sampled_from([200, 401, 403, 404, 429, 500]),
        st.dictionaries(st.sampled_from([*QUOTA, "retry-after", "x-ratelimit-scope", "x-ratelimit-global"]), st.text()),
        st.binary() | st.just(b'{"retry_after":NaN}') | st.just(b'{"retry_after":-1}') | st.just(b"[1]"),
    )
    def test_nonsense_is_read_without_harm(self, status: int, headers: dict[str, str], body: bytes) -> None:
        """Whatever a proxy answers, there is a finite wait and no exception."""
        answer = read_answer(status, headers, body)
        self.assertTrue(0 <= answer.retry_after < float("inf"))
        if status == 429:
            self.assertIsNotNone(answer.refusal)
