"""How many members guilds have."""

from __future__ import annotations

from functools import cache
from math import log
from typing import Literal, TypeAlias

from .draws import draw

Sizes: TypeAlias = Literal["even", "equal", "heavy"]
"""``even``: from half to one and a half times the mean. ``equal``: all the same. ``heavy``: most are small and a few
are huge, as at Discord; the mean is that of very many guilds."""


def guild_size(sizes: Sizes, mean: int, largest: int, seed: int, index: int) -> int:
    """How many members besides the bot the world's guild number ``index`` begins with.

    :param mean: the average; 0 makes a world without people.
    :param largest: no guild has more.
    """
    if mean <= 0:
        return 0
    chance = draw(seed, 1, index) / (1 << 64)
    if sizes == "equal":
        size = mean
    elif sizes == "even":
        size = round(mean * (0.5 + chance))
    else:
        size = _heavy(mean, largest, chance)
    return max(1, min(size, largest))


def _heavy(mean: int, largest: int, chance: float) -> int:
    """A bounded Pareto distribution with exponent 1: guilds of over 1000 are a tenth as many as those of over 100."""
    smallest = _smallest(mean, largest)
    return int(smallest / (1 - chance * (1 - smallest / largest)))


@cache
def _smallest(mean: int, largest: int) -> float:
    """The lower bound with which the bounded Pareto distribution has this mean."""
    low, high = 1e-9, float(largest)
    for _ in range(60):
        middle = (low + high) / 2
        if middle >= largest or middle * log(largest / middle) / (1 - middle / largest) > mean:
            high = middle
        else:
            low = middle
    return low
