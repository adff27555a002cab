"""Texts and label names for benchmarks: made up, but the same on every machine."""

from __future__ import annotations

import random

LABELS = ("person", "city", "company", "event", "product")
KINDS = "court drug river bank school song ship law star tool food sport engine film plant war"
FIELDS = """ancient public national private royal marine digital medical rural urban foreign modern northern southern
military famous historic industrial religious scientific small large local secret electric coastal alpine tropical
early late regional colonial"""
NAMES = """Ada Lovelace, Omar Haddad, Lena Fischer, Kenji Sato, Lisbon, Nairobi, Toronto, Acme Corporation, Banco Sur,
Olympus Motors, Expo 1998, Phone X2, Maria da Silva, J. R. Okafor, Lake Geneva, Treaty of Utrecht"""
WORDS = """the the the of of and and to in a was that for on with as by at from it his her their new first two three
years after before which opened moved signed visited described government factory market research bridge letter week
report music garden winter theory station agreed announced later because between during large small several"""


def synthetic_texts(count: int) -> list[str]:
    """Return English-looking texts of 10 to 80 words, most of them short, a tenth of the words being names."""
    rng = random.Random(0)
    names, words = NAMES.replace("\n", " ").split(", "), WORDS.split()
    texts: list[str] = []
    for _ in range(count):
        length = min(80, max(10, round(rng.lognormvariate(3.2, 0.5))))
        chosen = [rng.choice(names) if rng.random() < 0.1 else rng.choice(words) for _ in range(length)]
        text = " ".join(f"{word}," if rng.random() < 0.06 else word for word in chosen)
        texts.append(f"{text[0].upper()}{text[1:]}.")
    return texts


def label_names(count: int) -> list[str]:
    """Return that many distinct label names, at most 517."""
    return [*LABELS, *(f"{field} {kind}" for field in FIELDS.split() for kind in KINDS.split())][:count]
