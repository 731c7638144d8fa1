"""The store against a naive world that was written from Discord's documentation alone.

Sequences of events, replays, restarts and crashes are drawn by hypothesis; after each step the questions about what was
concerned are put to both, and all of them at the end.

    python -m tests.store.test_model [--sequences 20000] [--seconds 600] [--seed 1]

Several of them, at the same time or one after the other, try different sequences if their seeds lie further apart than
the number of sequences.
"""

from __future__ import annotations

import argparse
import os
import random
import time

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from rateway.model.intents import ALL, Intent
from rateway.store.queries import QUERIES
from rateway.store.updates.table import UPDATES

from .machine import StoreMachine
from .naive.happenings import HAPPENINGS, WITHOUT_EFFECT
from .naive.table import ANYWHERE, IN_KNOWN_GUILDS
from .naive.themes import THEMES
from .twins import EVERYTHING

STEPS = 14


class WithoutMembers(StoreMachine):
    """Where nobody tells of members, and no message is kept."""

    intents = int(ALL & ~Intent.GUILD_MEMBERS)
    cap = 0


MACHINES = {StoreMachine: 4, WithoutMembers: 1}
"""What is tried, and how often among five."""


def attempt(machine: type[StoreMachine], sequences: int, *, shrink: bool = True) -> None:
    """Try so many sequences.

    :raises AssertionError: at the first difference, with the shortest sequence found that shows it.
    """
    phases = (Phase.explicit, Phase.generate, *([Phase.shrink] if shrink else []))
    steps = settings(
        max_examples=sequences,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(machine, settings=steps)
    except AssertionError as error:
        raise AssertionError("\n".join([str(error), *getattr(error, "__notes__", ())])) from None


class ModelTests(SynchronousTestCase):
    """Any events, in any order, and whatever may happen to a process meanwhile."""

    sequences = int(os.environ.get("MODEL_SEQUENCES", "500"))

    def test_everybody(self) -> None:
        """All intents, three messages per channel."""
        attempt(StoreMachine, self.sequences * 4 // 5)

    def test_without_members(self) -> None:
        """Without GUILD_MEMBERS, and without messages."""
        attempt(WithoutMembers, self.sequences // 5)

    def test_nothing_is_left_out(self) -> None:
        """Each event with an effect and each type of query is tried; the events without effect have none."""
        self.assertEqual(set(UPDATES), {*HAPPENINGS, "READY"})
        self.assertEqual({*ANYWHERE, *IN_KNOWN_GUILDS}, set(HAPPENINGS))
        self.assertEqual(set(THEMES[0]), {*HAPPENINGS, *WITHOUT_EFFECT})
        self.assertEqual({name for theme in THEMES[1:] for name in theme}, set(HAPPENINGS))
        self.assertEqual(set(WITHOUT_EFFECT) & set(UPDATES), set())
        self.assertEqual({asked[0] for asked, _ in EVERYTHING}, set(QUERIES))


def main() -> None:
    """Try many more, a hundred at a time, each hundred of another seed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.store.test_model", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--sequences", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="end sooner, once so much time is over")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    done, started, every = 0, time.monotonic(), sum(MACHINES.values())
    while done < options.sequences and time.monotonic() - started < options.seconds:
        for machine, share in MACHINES.items():
            count = min(100, options.sequences) * share // every
            seed(options.seed + done)(machine)
            attempt(machine, count)
            done += count
        print(f"\r{done} of {options.sequences} sequences, {time.monotonic() - started:.0f} s", end="", flush=True)
    print(f"\n{done} sequences of up to {STEPS} steps, seed {options.seed}: no difference")


if __name__ == "__main__":
    main()
