"""Evaluating a model on annotated files, and fitting its global threshold.

What is asked of a text: all labels of `NAME.labels.json` if that file lies beside `NAME.jsonl.gz`, else all labels that
occur in the data file. If any text lists `absent` types, the annotation is open-type and every text is asked for its
own labels and its absent types only. Labels are asked in alphabetical order, so that no tie is decided by the gold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from onoma.config import UnitPolicy
from onoma.decode.thresholds import Thresholds, resolve_thresholds
from onoma.errors import OnomaError
from onoma.evaluate.metrics import Annotation, Scores, score_documents
from onoma.evaluate.sweep import THRESHOLDS, ThresholdScore, at_least, best, sweep
from onoma.text.formats import read_documents, read_label_definitions
from onoma.text.segment import segment
from onoma.types import Document, Entity, Extraction, Label, Overlap, Report

if TYPE_CHECKING:
    from onoma.model import NER


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Gold that the model cannot predict (it counts as missed): inside a unit, or else wider than the widest span."""

    off_boundary: int
    too_wide: int


@dataclass(frozen=True, slots=True)
class DatasetScore:
    """How a model did on one file.

    Args:
        name: the file's name without its suffixes.
        labels: number of distinct labels asked for.
        defined: how many of them were given a definition.
        threshold: the threshold in force; `None` if labels have different ones.
        scores: at that threshold.
        oracle: the best single threshold in hindsight; `None` unless entities were resolved with `Overlap.FLAT`.
        unreachable: `None` if the model's units are sub-words, which only its tokenizer can tell.
        duplicate_ids: texts whose id an earlier text has; each is scored all the same.
        unhandled: what the model's reports say it could not handle -> count.
    """

    name: str
    labels: int
    defined: int
    threshold: float | None
    scores: Scores
    oracle: ThresholdScore | None
    unreachable: Unreachable | None
    duplicate_ids: int
    unhandled: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Dataset:
    """Documents, the labels that each is asked for, and all labels. `shared`: every document is asked for all."""

    name: str
    documents: Sequence[Document]
    asked: Sequence[Sequence[Label]]
    labels: Sequence[Label]
    shared: bool

    @property
    def gold(self) -> list[set[Annotation]]:
        return [{(span.start, span.end, span.label) for span in doc.spans} for doc in self.documents]


def evaluate_files(
    model: NER,
    paths: Sequence[str | Path],
    *,
    threshold: float | None = None,
    definitions: bool = False,
    overlap: Overlap = Overlap.FLAT,
    progress: bool = False,
) -> list[DatasetScore]:
    """Score a model on annotated files: strict, nothing dropped (see the module for what is asked of each text).

    Ids play no part: texts with the same id are scored separately and counted in `duplicate_ids`.

    Args:
        model: what to evaluate.
        paths: `.jsonl` or `.jsonl.gz` files.
        threshold: overrides the thresholds of the model.
        definitions: ask with the definitions in `NAME.labels.json`; labels without one go by their name.
        overlap: which entities may share characters.
        progress: show a progress bar if standard error is a terminal.

    Raises:
        OnomaError: on no files, a damaged or empty file, a file without labels, or an entity whose label is missing in
            `NAME.labels.json`, naming file and line.
        OSError: if a file cannot be opened.

        >>> evaluate_files(onoma.load(), ["dev/wnut17.jsonl.gz"])[0].scores.micro.f1  # doctest: +SKIP
        0.41
    """
    if not paths:
        raise OnomaError("no data file was given to evaluate on; give at least one .jsonl or .jsonl.gz file.")
    datasets = [_read(Path(path), definitions=definitions) for path in paths]
    return [_evaluate(model, dataset, threshold, overlap, progress) for dataset in datasets]


def fit_threshold(
    model: NER,
    paths: Sequence[str | Path],
    *,
    definitions: bool = False,
    thresholds: Sequence[float] = THRESHOLDS,
    progress: bool = False,
) -> Thresholds:
    """Fit one global threshold: the one with the highest mean strict micro-F1 over the files.

    Each file weighs the same. Entities are resolved with `Overlap.FLAT`; among equals the lowest threshold wins.

    Args:
        model: its own thresholds play no part.
        paths, definitions, progress: as in `evaluate_files`.
        thresholds: probabilities to try.

    Raises:
        OnomaError, OSError: as in `evaluate_files`, and if there is no threshold to try.

        >>> fit_threshold(onoma.load(), ["slice.jsonl"]).save("thresholds.json")  # doctest: +SKIP
    """
    if not paths or not thresholds:
        raise OnomaError(
            f"there are {len(paths)} files and {len(thresholds)} thresholds to fit; give at least one of each."
        )
    datasets = [_read(Path(path), definitions=definitions) for path in paths]
    curves = []
    for dataset in datasets:
        extractions = _runner(model, dataset, Overlap.FLAT, progress)(min(thresholds))
        curves.append([entry.score.f1 for entry in sweep(dataset.gold, extractions, thresholds=thresholds)])
    means = [fsum(at_threshold) / len(curves) for at_threshold in zip(*curves, strict=True)]
    mean, fitted = max(zip(means, thresholds, strict=True), key=lambda pair: (pair[0], -pair[1]))
    names = ", ".join(dataset.name for dataset in datasets)
    return Thresholds(fitted, fitted_on=f"{names}: mean strict micro-F1 {100 * mean:.1f}")


def _read(path: Path, *, definitions: bool) -> _Dataset:
    """Read a file and decide what is asked of each of its texts."""
    documents = list(read_documents(path))
    if not documents:
        raise OnomaError(f"{path.name} holds no texts; give a file with at least one.")
    known = read_label_definitions(path)
    shared = not any(doc.absent for doc in documents)
    if known and shared:
        _check_known(path, documents, known)
    own = [{span.label for span in doc.spans} | set(doc.absent) for doc in documents]
    names = sorted(known if known and shared else set().union(*own))
    if not names:
        raise OnomaError(f"{path.name} has no entity and no labels.json beside it; name the labels to look for in one.")
    labels = {name: Label(name, known.get(name, "") if definitions else "") for name in names}
    every = tuple(labels.values())
    asked = [every if shared else tuple(labels[name] for name in sorted(mine)) for mine in own]
    return _Dataset(path.name.removesuffix(".gz").removesuffix(".jsonl"), documents, asked, every, shared)


def _check_known(path: Path, documents: Sequence[Document], known: Mapping[str, str]) -> None:
    for line, doc in enumerate(documents, start=1):
        for span in doc.spans:
            if span.label not in known:
                raise OnomaError(
                    f"{path.name} line {line} (blank lines not counted) has an entity labelled {span.label!r}, which "
                    "the labels.json beside it lacks; add the label there or correct the entity."
                )


def _evaluate(model: NER, dataset: _Dataset, threshold: float | None, overlap: Overlap, progress: bool) -> DatasetScore:
    extract = _runner(model, dataset, overlap, progress)
    values = resolve_thresholds(model.thresholds, dataset.labels, threshold).values
    in_force = float(str(values[0])) if (values == values[0]).all() else None  # 0.3, not 0.30000001192092896
    gold, oracle = dataset.gold, None
    if overlap is Overlap.FLAT and in_force is not None:  # one extraction gives both (see `sweep`)
        extractions = extract(min(in_force, *THRESHOLDS))
        oracle = best(sweep(gold, extractions))
        predicted: list[Sequence[Entity]] = [at_least(entities, in_force) for entities in extractions]
    else:
        extractions = extract(threshold)
        predicted = [extraction.entities for extraction in extractions]
        if overlap is Overlap.FLAT:
            oracle = best(sweep(gold, extract(min(THRESHOLDS))))
    unhandled: Counter[str] = Counter()
    for extraction in extractions:
        unhandled.update(extraction.report.unhandled)
    ids = [doc.id for doc in dataset.documents if doc.id]
    return DatasetScore(
        name=dataset.name,
        labels=len(dataset.labels),
        defined=sum(bool(label.definition) for label in dataset.labels),
        threshold=in_force,
        scores=score_documents(gold, [[(ent.start, ent.end, ent.label) for ent in ents] for ents in predicted]),
        oracle=oracle,
        unreachable=_unreachable(model, dataset),
        duplicate_ids=len(ids) - len(set(ids)),
        unhandled=dict(sorted(unhandled.items())),
    )


def _runner(
    model: NER, dataset: _Dataset, overlap: Overlap, progress: bool
) -> Callable[[float | None], list[Extraction]]:
    """Return a function from a threshold to the extraction of each document; a shared label set is encoded once."""
    rows = [row for row, labels in enumerate(dataset.asked) if labels]  # a text without labels is not asked anything
    texts = [dataset.documents[row].text for row in rows]
    labels = model.encode_labels(dataset.labels) if dataset.shared else [dataset.asked[row] for row in rows]

    def extract(threshold: float | None) -> list[Extraction]:
        stream: Iterable[Extraction] = model.extract_many(texts, labels, threshold=threshold, overlap=overlap)
        bar = tqdm(stream, desc=dataset.name, total=len(texts), unit="text", disable=None if progress else True)
        found = dict(zip(rows, bar, strict=True))
        return [found.get(row, Extraction(doc.text, (), Report())) for row, doc in enumerate(dataset.documents)]

    return extract


def _unreachable(model: NER, dataset: _Dataset) -> Unreachable | None:
    if model.config.text.units is UnitPolicy.SUBWORD:
        return None
    off_boundary = too_wide = 0
    for doc, gold in zip(dataset.documents, dataset.gold, strict=True):
        units = segment(doc.text)
        first = {start: unit for unit, (start, _) in enumerate(units)}
        last = {end: unit for unit, (_, end) in enumerate(units)}
        for start, end, _ in gold:
            if start not in first or end not in last:
                off_boundary += 1
            else:
                too_wide += last[end] - first[start] >= model.config.head.max_width
    return Unreachable(off_boundary, too_wide)
