"""Seeded random choices. All of the demo's random draws use a generator created here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from random import Random
from typing import TypeVar

T = TypeVar("T")


def seeded(*parts: object) -> Random:
    """Return a generator whose draws depend only on `parts`."""
    return Random("/".join(map(str, parts)))  # noqa: S311  reproducible, not secret


def weighted(dice: Random, weights: Mapping[T, float]) -> T:
    """Return a random key of `weights`, with a probability proportional to its weight."""
    return dice.choices(list(weights), list(weights.values()))[0]


def another(dice: Random, choices: Iterable[T], present: object) -> T:
    """Return a choice other than `present`."""
    return dice.choice([choice for choice in choices if choice != present])


def count(dice: Random, mean: float) -> int:
    """Return `mean`, randomly rounded up or down so that its expected value is `mean`."""
    return int(mean + dice.random())


def token(dice: Random, prefix: str) -> str:
    """Return an object id, such as `doc_1f0c2a9b`."""
    return f"{prefix}_{dice.getrandbits(32):08x}"
