"""What ``./run-tests`` reads out of trial's output."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from scripts.trial_report import TrialReport, read_report

FAILED = """\
tests.amqp
  UriTests
    test_plain ...                                                         [OK]
    test_port ...                                                        [FAIL]

===============================================================================
[FAIL]
Traceback (most recent call last):
  File "/somewhere/test_uri.py", line 5, in test_port
    self.assertEqual(1, 2)
twisted.trial.unittest.FailTest: not equal:
a = 1
b = 2

tests.amqp.test_uri.UriTests.test_port
===============================================================================
[ERROR]
Traceback (most recent call last):
Failure: builtins.ZeroDivisionError: division by zero

tests.amqp.test_uri.UriTests.test_first
tests.amqp.test_uri.UriTests.test_second
===============================================================================
[ERROR]
Traceback (most recent call last):
Failure: builtins.ZeroDivisionError: division by zero

tests.amqp.test_uri.UriTests.test_first
-------------------------------------------------------------------------------
Ran 8 tests in 0.015s

FAILED (skips=1, failures=1, errors=3, successes=4)
"""


class ReadReportTests(SynchronousTestCase):
    """Passed, failed, and which."""

    def test_passed(self) -> None:
        """A good run is as many passed tests as trial says."""
        report = read_report("tests\n  a ... [OK]\n\nRan 12 tests in 1.0s\n\nPASSED (skips=2, successes=10)\n")
        self.assertEqual(report, TrialReport(passed=10, skipped=2, finished=True))

    def test_failed(self) -> None:
        """Failures and errors are counted together; each failing test is named once."""
        names = [f"tests.amqp.test_uri.UriTests.test_{name}" for name in ("port", "first", "second")]
        self.assertEqual(read_report(FAILED), TrialReport(passed=4, failed=4, skipped=1, finished=True, names=names))

    def test_unexpected_success(self) -> None:
        """A test that passed against its author's expectation failed."""
        self.assertEqual(read_report("FAILED (unexpectedSuccesses=1, successes=3)\n").failed, 1)

    def test_cut_short(self) -> None:
        """Without a verdict nothing is believed."""
        self.assertEqual(read_report(FAILED.rpartition("FAILED")[0]).finished, False)

    def test_nothing_run(self) -> None:
        """No test is no passed test."""
        self.assertEqual(read_report("Ran 0 tests in 0.000s\n\nPASSED\n"), TrialReport(finished=True))
