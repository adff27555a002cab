"""extract(): the only function in which the stages meet."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from onoma.decode.overlap import resolve
from onoma.decode.stitch import to_characters
from onoma.decode.thresholds import ResolvedThresholds
from onoma.engines.protocol import Engine
from onoma.heads.marker import MarkerScorer
from onoma.labels.labelset import LabelSet
from onoma.text.batch import make_batch, token_budget_batches
from onoma.text.windows import Windower
from onoma.types import Candidates, Encoded, Entity, Extraction, FloatArray, Overlap, Report, Window

CHUNK_BATCHES = 16
"""Batches' worth of windows that are collected before they are sorted by length and encoded."""


@dataclass(frozen=True, slots=True)
class Stages:
    """The parts of a model that a text passes through."""

    windower: Windower
    engine: Engine
    scorer: MarkerScorer
    pad_id: int


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """Labels to look for, with the threshold that applies to each; `logit_thresholds` [L]."""

    labels: LabelSet
    thresholds: ResolvedThresholds
    logit_thresholds: FloatArray


@dataclass(slots=True)
class _Document:
    """A text on its way through the stages."""

    text: str
    question: Question
    windows: int = 0
    units: int = 0
    complete: bool = False
    parts: list[Candidates] = field(default_factory=list)
    unhandled: Counter[str] = field(default_factory=Counter)


def extract(
    requests: Iterable[tuple[str, Question]], stages: Stages, *, overlap: Overlap, batch_tokens: int
) -> Iterator[Extraction]:
    """Extract entities from a stream of texts, in order and in bounded memory.

    Args:
        requests: pairs of a text and what to look for in it.
        stages: the model's parts.
        overlap: which entities may share characters.
        batch_tokens: sub-tokens of one forward pass, padding included.

    Raises:
        Exception: what `requests` raises, after the texts before it were answered.
    """
    documents: dict[int, _Document] = {}
    order: deque[int] = deque()
    chunk: list[Window] = []
    tokens, limit = 0, CHUNK_BATCHES * batch_tokens
    failure: Exception | None = None
    source = enumerate(requests)
    while True:
        try:
            number, (text, question) = next(source)
        except StopIteration:
            break
        except Exception as error:  # a bad row must not cost the answers to the good ones before it
            failure = error
            break
        document = documents[number] = _Document(text, question)
        order.append(number)
        for window in stages.windower.windows(text, doc=number, unhandled=document.unhandled):
            document.windows += 1
            document.units += window.owned[1] - window.owned[0]
            chunk.append(window)
            tokens += len(window.token_ids)
            if tokens >= limit:
                _score(chunk, documents, stages, batch_tokens)
                chunk, tokens = [], 0
        document.complete = True
        if len(order) >= limit:  # texts without windows fill no chunk, but wait behind one that has some
            _score(chunk, documents, stages, batch_tokens)
            chunk, tokens = [], 0
        while not chunk and order and documents[order[0]].complete:
            yield _finish(documents.pop(order.popleft()), overlap)
    _score(chunk, documents, stages, batch_tokens)
    for number in order:
        yield _finish(documents[number], overlap)
    if failure is not None:
        raise failure


def _score(chunk: Sequence[Window], documents: dict[int, _Document], stages: Stages, batch_tokens: int) -> None:
    """Encode and score a chunk of windows; add the candidates to their documents."""
    lengths = np.array([len(window.token_ids) for window in chunk], np.int64)
    for rows in token_budget_batches(lengths, batch_tokens=batch_tokens):
        windows = [chunk[row] for row in rows]
        enc = stages.engine.encode(make_batch(windows, pad_id=stages.pad_id))
        for question, members in _by_question(windows, documents):
            mine = [windows[row] for row in members]
            cands = stages.scorer.candidates(
                enc if len(mine) == len(windows) else _take(enc, members),
                np.array([window.owned for window in mine], np.int64),
                question.labels.projection,
                question.logit_thresholds,
            )
            cands = to_characters(cands, mine)
            for number in np.unique(cands.window):
                documents[int(number)].parts.append(cands.take(cands.window == number))


def _by_question(windows: Sequence[Window], documents: dict[int, _Document]) -> list[tuple[Question, list[int]]]:
    """Group the rows of a batch by what is asked of their documents."""
    groups: dict[int, tuple[Question, list[int]]] = {}
    for row, window in enumerate(windows):
        question = documents[window.doc].question
        groups.setdefault(id(question), (question, []))[1].append(row)
    return list(groups.values())


def _take(enc: Encoded, rows: Sequence[int]) -> Encoded:
    return Encoded(enc.start[rows], enc.end[rows], enc.residual[rows], enc.unit_counts[rows])


def _finish(document: _Document, overlap: Overlap) -> Extraction:
    """Resolve overlaps over the whole document and name the entities."""
    kept = resolve(Candidates.concatenate(document.parts), overlap)
    names = document.question.labels.names
    columns = (kept.start.tolist(), kept.end.tolist(), kept.label.tolist(), kept.score.tolist())
    entities = tuple(
        Entity(start, end, document.text[start:end], names[label], score)
        for start, end, label, score in zip(*columns, strict=True)
    )
    report = Report(document.windows, document.units, document.question.thresholds.sources, dict(document.unhandled))
    return Extraction(document.text, entities, report)
