"""Which annotations a model cannot learn, counted over all training data before training starts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tqdm import tqdm

from onoma.text.windows import Windower
from onoma.train.stream import Corpus
from onoma.types import Document


@dataclass(slots=True)
class LearningReport:
    """Counts of annotations, and of those that are not learnable, per corpus."""

    annotations: Counter[str] = field(default_factory=Counter)
    off_boundary: Counter[str] = field(default_factory=Counter)
    too_wide: Counter[str] = field(default_factory=Counter)

    def count(self, corpus: str, document: Document, windower: Windower, *, max_width: int) -> None:
        """Count each annotation of a document once, however many windows it stands in.

        Args:
            corpus: name under which to count.
            document: text with gold spans.
            windower: cuts the text into units.
            max_width: widest span in units.
        """
        windows = list(windower.windows(document.text))
        starts = sorted({start for window in windows for start in window.starts.tolist()})
        ends = sorted({end for window in windows for end in window.ends.tolist()})
        first_of = {start: unit for unit, start in enumerate(starts)}
        last_of = {end: unit for unit, end in enumerate(ends)}
        for span in document.spans:
            first, last = first_of.get(span.start), last_of.get(span.end)
            self.annotations[corpus] += 1
            if first is None or last is None:
                self.off_boundary[corpus] += 1
            elif last - first >= max_width:
                self.too_wide[corpus] += 1

    def summary(self) -> list[str]:
        """Return one line per corpus that has annotations which cannot be learnt."""
        return [
            f"{name}: {self.annotations[name]} annotations, {self.off_boundary[name]} off a unit boundary, "
            f"{self.too_wide[name]} wider than the head"
            for name in sorted(self.annotations)
            if self.off_boundary[name] or self.too_wide[name]
        ]


def check_annotations(corpora: Sequence[Corpus], windower: Windower, *, max_width: int) -> LearningReport:
    """Count the annotations of all corpora that cannot be learnt.

    Args:
        corpora: the training data.
        windower: cuts the texts into units.
        max_width: widest span in units.
    """
    report = LearningReport()
    rows = [(corpus.name, document) for corpus in corpora for document in corpus.documents]
    for name, document in tqdm(rows, desc="checking annotations", disable=None, unit="text", leave=False):
        report.count(name, document, windower, max_width=max_width)
    return report
