"""The nouns of onoma, and the shape letters used in every docstring.

B windows, T sub-tokens, U units (what a span starts and ends on), S spans, K span widths, L labels, D width of a
vector, H inner width of the head, N candidates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


class Overlap(Enum):
    """Which entities may share characters.

    `FLAT` keeps the best-scored entities greedily, none overlapping. `OPTIMAL` keeps the non-overlapping set with the
    largest sum of scores. `NESTED` also allows one entity inside another (never crossing), one label per span.
    `MULTI_LABEL` is flat in its spans, but a span keeps every label above the threshold. `NESTED_MULTI_LABEL` is both.
    """

    FLAT = "flat"
    OPTIMAL = "optimal"
    NESTED = "nested"
    MULTI_LABEL = "multi-label"
    NESTED_MULTI_LABEL = "nested-multi-label"


@dataclass(frozen=True, slots=True)
class Entity:
    """A named span of a text: `text[start:end]` in code points, half-open, with its label and probability.

    >>> Entity(0, 5, "Paris", "city", 0.9).to_dict()["label"]
    'city'
    """

    start: int
    end: int
    text: str
    label: str
    score: float

    def to_dict(self) -> dict[str, Any]:
        """Return the entity as a dict with the keys `start, end, text, label, score`."""
        return {"start": self.start, "end": self.end, "text": self.text, "label": self.label, "score": self.score}


@dataclass(frozen=True, slots=True)
class Label:
    """What to look for: a name, and optionally one sentence that defines it and a threshold of its own (0..1).

    >>> Label("enzyme", definition="A protein that speeds up a reaction.").name
    'enzyme'
    """

    name: str
    definition: str = ""
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A gold annotation: characters `start:end` (half-open) carry `label`, and its `broader` types if any are known."""

    start: int
    end: int
    label: str
    broader: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A text with gold annotations, as read from the JSONL format.

    `absent` lists types known not to occur in the text.
    """

    text: str
    spans: tuple[Span, ...] = ()
    id: str = ""
    lang: str = ""
    absent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Window:
    """The piece of a document that one forward pass reads.

    Args:
        doc: index of the document in its stream.
        starts, ends: [U] characters of the document that each unit covers.
        token_ids: [T] sub-tokens, special tokens included.
        case_ids: [T] shape class of each sub-token's characters (see `text.batch.case_class`).
        first, last: [U] range of sub-tokens `first:last` that each unit is pooled from.
        owned: units `owned[0]:owned[1]`; a span belongs to the one window that owns its first unit.
    """

    doc: int
    starts: IntArray
    ends: IntArray
    token_ids: IntArray
    case_ids: IntArray
    first: IntArray
    last: IntArray
    owned: tuple[int, int]


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """Windows padded to one rectangle.

    Args:
        token_ids, attention_mask, case_ids: [B, T].
        pool: [B, U, T] averaging weights from sub-tokens to units; rows of padding are zero.
        unit_counts: [B] real units of each window.
    """

    token_ids: IntArray
    attention_mask: IntArray
    case_ids: IntArray
    pool: FloatArray
    unit_counts: IntArray


@dataclass(frozen=True, slots=True)
class Encoded:
    """What an engine computes from a `TokenBatch`: everything that the span scorer needs, one vector per unit.

    Args:
        start, end: [B, U, H] halves of the marker head's hidden layer.
        residual: [B, U, D] states that are averaged over a span and compared with label vectors.
        unit_counts: [B].
    """

    start: FloatArray
    end: FloatArray
    residual: FloatArray
    unit_counts: IntArray


@dataclass(frozen=True, slots=True)
class Candidates:
    """Scored (span, label) pairs as a struct of arrays, each [N].

    `start` and `end` are half-open; in units of `window` when they leave a head, in characters of the document after
    stitching. `label` indexes the label set, `score` is a probability.
    """

    window: IntArray
    start: IntArray
    end: IntArray
    label: IntArray
    score: FloatArray

    def __len__(self) -> int:
        return len(self.score)

    def take(self, rows: NDArray[Any]) -> Candidates:
        """Return the candidates at `rows` (an index array or boolean mask over [N])."""
        return Candidates(self.window[rows], self.start[rows], self.end[rows], self.label[rows], self.score[rows])

    @staticmethod
    def concatenate(parts: Sequence[Candidates]) -> Candidates:
        """Join several `Candidates` in order; none gives an empty one."""
        if not parts:
            none = np.zeros(0, np.int64)
            return Candidates(none, none, none, none, np.zeros(0, np.float32))
        return Candidates(
            np.concatenate([part.window for part in parts]),
            np.concatenate([part.start for part in parts]),
            np.concatenate([part.end for part in parts]),
            np.concatenate([part.label for part in parts]),
            np.concatenate([part.score for part in parts]),
        )


@dataclass(frozen=True, slots=True)
class Report:
    """How a text was handled.

    Args:
        windows: forward passes that read the text.
        units: words or characters that a span could start or end on.
        thresholds: where the threshold of each label came from (`call`, `label` or `model`) -> number of labels.
        unhandled: what the model could not read as written (e.g. `unknown characters`) -> count.
    """

    windows: int = 0
    units: int = 0
    thresholds: Mapping[str, int] = field(default_factory=dict)
    unhandled: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Extraction(Sequence[Entity]):
    """The entities of one text, in reading order, with the text and a report. Behaves as a sequence of `Entity`.

    >>> [ent.text for ent in Extraction("", (), Report())]
    []
    """

    text: str
    entities: tuple[Entity, ...]
    report: Report

    def __len__(self) -> int:
        return len(self.entities)

    def __iter__(self) -> Iterator[Entity]:
        return iter(self.entities)

    @overload
    def __getitem__(self, index: int) -> Entity: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Entity, ...]: ...
    def __getitem__(self, index: int | slice) -> Entity | tuple[Entity, ...]:
        return self.entities[index]

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the entities as a list of dicts (see `Entity.to_dict`)."""
        return [entity.to_dict() for entity in self.entities]
