from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rateway.complaints import SAY_EVERY, Complaints


class ComplaintsTests(SynchronousTestCase):
    """What is worth a line in the log."""

    def setUp(self) -> None:
        self.complaints = Complaints()

    def said(self, sentence: str, *times: float) -> list[bool]:
        return [self.complaints.worth_saying(sentence, now) for now in times]

    def test_once_a_minute(self) -> None:
        """At once, and then each minute that it lasts."""
        told = self.said("a", 0.0, 1.0, SAY_EVERY - 1, SAY_EVERY, SAY_EVERY + 1)
        self.assertEqual(told, [True, False, False, True, False])

    def test_another_trouble_is_news(self) -> None:
        """And two that alternate are said once a minute each."""
        told = [self.complaints.worth_saying("ab"[second % 2], float(second)) for second in range(120)]
        self.assertEqual([second for second, said in enumerate(told) if said], [0, 1, 60, 61])

    def test_numbers_make_no_other_trouble(self) -> None:
        """Seconds that count down, or 502 after 503, are the same kind."""
        self.assertEqual(self.said("wait 12.5 s", 0.0), [True])
        self.assertEqual(self.said("wait 7 s", 1.0), [False])

    def test_what_passed_is_news_again(self) -> None:
        """When it comes back."""
        self.said("a", 0.0)
        self.complaints.over()
        self.assertEqual(self.said("a", 1.0), [True])
