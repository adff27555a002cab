"""Showing the scores of a model: as a table, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from math import fsum
from typing import Any

from onoma.evaluate.metrics import Score
from onoma.evaluate.run import DatasetScore

_HEADER = (
    *("data set", "texts", "labels", "gold", "t", "P", "R", "F1"),
    *("95% CI", "best F1", "at t", "off unit", "too wide"),
)


def format_table(scores: Sequence[DatasetScore]) -> str:
    """Return the micro scores as aligned plain text, in per cent, with the average over data sets in the last row.

    `t` is the threshold in force, `best F1` what the threshold `at t` would have given (an oracle: it was chosen on the
    same texts), `off unit` and `too wide` the gold out of the model's reach; `-` stands for what is not known. Notes on
    repeated ids and on what the model could not handle follow the table.

    Args:
        scores: what `evaluate_files` returned.
    """
    cells = [_HEADER, *map(_table_row, scores)]
    if scores:
        means = _averages(scores)
        texts = sum(entry.scores.documents for entry in scores)
        gold = sum(entry.scores.micro.gold for entry in scores)
        measured = (_percent(means[key]) for key in ("precision", "recall", "f1"))
        oracle = _percent(means["oracle_f1"])
        cells.append(("average", str(texts), "", str(gold), "", *measured, "", oracle, "", "", ""))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in cells]
    for entry in scores:
        if entry.duplicate_ids:
            lines.append(f"{entry.name}: {entry.duplicate_ids} texts repeat an id; each was scored.")
        lines += [f"{entry.name}: not handled: {what} ({count})." for what, count in entry.unhandled.items()]
    return "\n".join(lines) + "\n"


def to_json(scores: Sequence[DatasetScore]) -> str:
    """Return all scores as JSON: `{"datasets": [...], "average": {...}}`, as fractions, not per cent.

    Args:
        scores: what `evaluate_files` returned.
    """
    datasets = [_plain(entry) for entry in scores]
    return json.dumps({"datasets": datasets, "average": _averages(scores) if scores else None}, indent=2) + "\n"


def _averages(scores: Sequence[DatasetScore]) -> dict[str, float | None]:
    """Return means over data sets, of which there is at least one; no oracle unless each has one."""

    def mean(values: Iterable[float]) -> float:
        return fsum(values) / len(scores)

    oracles = [entry.oracle.score.f1 for entry in scores if entry.oracle is not None]
    return {
        "precision": mean(entry.scores.micro.precision for entry in scores),
        "recall": mean(entry.scores.micro.recall for entry in scores),
        "f1": mean(entry.scores.micro.f1 for entry in scores),
        "oracle_f1": mean(oracles) if len(oracles) == len(scores) else None,
    }


def _table_row(entry: DatasetScore) -> tuple[str, ...]:
    micro, oracle, reach = entry.scores.micro, entry.oracle, entry.unreachable
    interval = micro.interval
    return (
        entry.name,
        *map(str, (entry.scores.documents, entry.labels, micro.gold)),
        "-" if entry.threshold is None else f"{entry.threshold:.2f}",
        *map(_percent, (micro.precision, micro.recall, micro.f1)),
        "-" if interval is None else f"{_percent(interval.low)}-{_percent(interval.high)}",
        *(("-", "-") if oracle is None else (_percent(oracle.score.f1), f"{oracle.threshold:.2f}")),
        *(("-", "-") if reach is None else (str(reach.off_boundary), str(reach.too_wide))),
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


def _plain(value: Any) -> Any:
    """Turn (nested) score dataclasses into JSON types, with the ratios of each `Score` spelled out."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if not is_dataclass(value):
        return value
    plain = {entry.name: _plain(getattr(value, entry.name)) for entry in fields(value)}
    if isinstance(value, Score):
        plain |= {"precision": value.precision, "recall": value.recall, "f1": value.f1}
    return plain
