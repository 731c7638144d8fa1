"""Chance that needs no memory: the same numbers always draw the same bits."""

from __future__ import annotations

_MASK = (1 << 64) - 1


def draw(*numbers: int) -> int:
    """64 bits that look like chance, a function of the numbers (each between 0 and 2**64).

    The mixing is that of splitmix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators").
    """
    value = 0x9E3779B97F4A7C15
    for number in numbers:
        value = (value ^ number) * 0xBF58476D1CE4E5B9 & _MASK
        value = (value ^ value >> 27) * 0x94D049BB133111EB & _MASK
        value ^= value >> 31
    return value


def token(*numbers: int) -> str:
    """32 hexadecimal digits, as session ids are, drawn likewise."""
    return f"{draw(*numbers, 1):016x}{draw(*numbers, 2):016x}"
