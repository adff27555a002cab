"""Which open types may describe the same thing, and so must not be each other's negatives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from onoma.types import Document, FloatArray

NEAR_SYNONYM = 0.6
"""Cosine of two type names above which they count as near-synonyms (measured with the untrained label encoder)."""


class TypeRelations:
    """Relatedness of the types of an openly typed corpus.

    Two types are related if one was marked as broader than the other anywhere in the corpus (transitively), if they end
    in the same word, or if the label encoder finds their names close.

    Args:
        documents: the corpus.
        encode: type names -> [L, D] unit-length vectors.
    """

    def __init__(self, documents: Iterable[Document], encode: Callable[[Sequence[str]], FloatArray]) -> None:
        broader: dict[str, set[str]] = {}
        for document in documents:
            for span in document.spans:
                broader.setdefault(span.label, set()).update(span.broader)
                for label in span.broader:
                    broader.setdefault(label, set())
            for label in document.absent:
                broader.setdefault(label, set())
        self._names = sorted(broader)
        self._row = {name: row for row, name in enumerate(self._names)}
        self._vectors = encode(self._names).astype(np.float16)
        self._ancestors = {name: frozenset(_closure(name, broader)) for name in self._names}

    def __contains__(self, name: str) -> bool:
        return name in self._row

    def related(self, passage: Sequence[str], others: Sequence[str]) -> np.ndarray:
        """Return a boolean matrix [len(passage), len(others)]: may the two types describe one thing?

        Args:
            passage: types known to the corpus.
            others: any label names; unknown ones are related to everything.
        """
        close = np.ones((len(passage), len(others)), bool)
        known = [column for column, name in enumerate(others) if name in self._row]
        if not known or not passage:
            return close
        rows = self._vectors[[self._row[name] for name in passage]].astype(np.float32)
        columns = self._vectors[[self._row[others[column]] for column in known]].astype(np.float32)
        close[:, known] = rows @ columns.T > NEAR_SYNONYM
        for i, one in enumerate(passage):
            for column in known:
                other = others[column]
                if not close[i, column]:
                    close[i, column] = self._lineal(one, other)
        return close

    def broader(self, name: str) -> frozenset[str]:
        """Return the types that the corpus marks as broader than `name`, also transitively, and never as narrower."""
        ancestors = self._ancestors.get(name, frozenset())
        return frozenset(label for label in ancestors if name not in self._ancestors[label])

    def _lineal(self, one: str, other: str) -> bool:
        return (
            one == other
            or other in self._ancestors[one]
            or one in self._ancestors[other]
            or one.rsplit(" ", 1)[-1] == other.rsplit(" ", 1)[-1]
        )


def _closure(name: str, broader: dict[str, set[str]]) -> set[str]:
    """Return all types reachable through `broader`."""
    found: set[str] = set()
    frontier = [name]
    while frontier:
        for parent in broader.get(frontier.pop(), ()):
            if parent not in found:
                found.add(parent)
                frontier.append(parent)
    return found
