from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rateway.errors import FatalError, Unavailable
from rateway.http.client import GatewayBot, RateLimited, SessionStartLimit
from rateway.process.discovery import Discovery

from .fakes import Heard

FOUND = GatewayBot("wss://gateway.example", 4, SessionStartLimit(1000, 990, 3600.0, 1))


class Client:
    """Answers in turn."""

    def __init__(self, *answers: Exception | GatewayBot) -> None:
        self.answers = list(answers)
        self.tries = 0

    async def gateway_bot(self, attempts: int) -> GatewayBot:
        self.tries += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class DiscoveryTests(SynchronousTestCase):
    """Waiting for Discord."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.heard = Heard(self)

    def ask(self, client: Client) -> Deferred[GatewayBot]:
        return Deferred.fromCoroutine(Discovery(self.clock, client, uniform=lambda low, high: high).discover())

    def test_an_answer_at_once(self) -> None:
        """Nothing to be said."""
        self.assertEqual(self.successResultOf(self.ask(Client(FOUND))), FOUND)
        self.assertEqual(self.heard.texts(), [])

    def test_an_unreachable_discord(self) -> None:
        """Is said at once, then once a minute, and asked ever more rarely; then that it answers."""
        client = Client(Unavailable("no route"))
        asking = self.ask(client)
        self.assertEqual(self.heard.texts("warn"), ["waiting for Discord: no route"])
        for _ in range(600):
            self.clock.advance(1.0)
        self.assertIn(len(self.heard.texts("warn")), (10, 11))
        self.assertLess(client.tries, 30)
        client.answers = [FOUND]
        self.clock.advance(30.0)
        self.assertEqual(self.successResultOf(asking), FOUND)
        self.assertIn("Discord answers, after", self.heard.texts("info")[0])

    def test_another_trouble_is_news(self) -> None:
        """Said at once as well."""
        self.ask(Client(Unavailable("no route"), Unavailable("503"), FOUND))
        self.clock.advance(1.0)
        self.assertEqual(self.heard.texts("warn"), ["waiting for Discord: no route", "waiting for Discord: 503"])

    def test_changing_numbers_are_no_news(self) -> None:
        """An answer that names other seconds each time is one trouble, said once a minute."""
        client = Client(*(RateLimited(f"Discord limits this request: wait {n}.5 s", 2.0) for n in range(200)))
        asking = self.ask(client)
        for _ in range(119):
            self.clock.advance(1.0)
        self.assertGreater(client.tries, 5)
        self.assertEqual(len(self.heard.texts("warn")), 2)
        asking.cancel()
        self.failureResultOf(asking, CancelledError)

    def test_a_limit_is_obeyed(self) -> None:
        """For as long as Discord says."""
        client = Client(RateLimited("banned for 3600 s", 3600.0), FOUND)
        asking = self.ask(client)
        self.clock.advance(3599.0)
        self.assertEqual(client.tries, 1)
        self.clock.advance(1.0)
        self.successResultOf(asking)

    def test_a_refused_token_is_not_asked_twice(self) -> None:
        """A person must mend it."""
        client = Client(FatalError("the token"))
        self.failureResultOf(self.ask(client), FatalError)
        self.assertEqual(client.tries, 1)

    def test_stopping_meanwhile(self) -> None:
        """Leaves nothing behind."""
        asking = self.ask(Client(Unavailable("no route")))
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])
