"""An endless, reproducible stream of training batches over a mixture of corpora."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from onoma.errors import OnomaError
from onoma.text.formats import read_documents, read_label_definitions
from onoma.text.windows import Windower
from onoma.train.examples import Example, make_examples
from onoma.train.recipe import Annotation, Recipe, corpus_name, resolve_data
from onoma.types import Document

POOL_BATCHES = 32
"""Batches drawn together, so that windows of similar length can share one."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """Documents that share an annotation practice, and their share of the mixture."""

    name: str
    documents: tuple[Document, ...]
    annotation: Annotation
    share: float
    labels: frozenset[str]
    definitions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def load_corpora(recipe: Recipe, path: Path) -> list[Corpus]:
    """Read every corpus that a recipe names, except those that it holds out.

    Args:
        recipe: the recipe.
        path: where it was read from, which anchors relative paths.
    """
    held_out = {corpus_name(file) for file in resolve_data(recipe.held_out, path)}
    corpora: list[Corpus] = []
    for spec in recipe.corpora:
        files = resolve_data([spec.path], path, exclude=[*spec.exclude, *held_out])
        sizes: list[float] = []
        loaded: list[Corpus] = []
        for file in files:
            documents = tuple(read_documents(file))
            if not any(row.text.strip() for row in documents):
                raise OnomaError(f"{file} has no row with any text; remove it from the recipe.")
            definitions = _definitions(file)
            labels = frozenset(definitions) or frozenset(span.label for row in documents for span in row.spans)
            loaded.append(Corpus(corpus_name(file), documents, spec.annotation, spec.share, labels, definitions))
            sizes.append(len(documents) ** 0.5)
        corpora += [
            Corpus(one.name, one.documents, one.annotation, one.share * size / sum(sizes), one.labels, one.definitions)
            for one, size in zip(loaded, sizes, strict=True)
        ]
    return corpora


def _definitions(file: Path) -> dict[str, tuple[str, ...]]:
    """Return the definitions beside a data file: `NAME.labels.json`, or `NAME.definitions.json` with several each."""
    several = file.with_name(f"{corpus_name(file)}.definitions.json")
    if several.is_file():
        return {name: tuple(texts) for name, texts in json.loads(several.read_text(encoding="utf-8")).items()}
    return {name: (text,) if text else () for name, text in read_label_definitions(file).items()}


class ExampleStream:
    """Draws examples by corpus share and groups them into batches of similar length.

    Args:
        corpora: the mixture.
        windower: cuts the texts.
        batch_tokens: sub-tokens of a batch, padding included.
        max_width: widest span in units.
        seed: the stream is a function of it.
    """

    def __init__(
        self, corpora: Sequence[Corpus], windower: Windower, *, batch_tokens: int, max_width: int, seed: int
    ) -> None:
        self._corpora = corpora
        self._windower = windower
        self._batch_tokens = batch_tokens
        self._max_width = max_width
        self._seed = seed

    def batches(self, *, skip: int = 0) -> Iterator[list[Example]]:
        """Yield batches for ever; `skip` of them are passed over (to resume)."""
        pool = 0
        while True:
            batches = self._pool(pool) if skip < POOL_BATCHES else []
            yield from batches[skip:]
            skip = max(0, skip - POOL_BATCHES)
            pool += 1

    def _pool(self, pool: int) -> list[list[Example]]:
        """Return the `POOL_BATCHES` batches of one pool, in random order."""
        rng = np.random.default_rng([self._seed, pool])
        shares = np.array([corpus.share for corpus in self._corpora])
        examples: list[Example] = []
        tokens = 0
        # A tenth more than needed: the shortest windows left over are dropped by chance, not by kind.
        while tokens < 1.1 * POOL_BATCHES * self._batch_tokens:
            corpus = self._corpora[int(rng.choice(len(shares), p=shares / shares.sum()))]
            drawn = list(self._examples(corpus, int(rng.integers(len(corpus.documents)))))
            examples += drawn
            tokens += sum(len(example.window.token_ids) for example in drawn)
        noise = rng.uniform(0.9, 1.1, len(examples))
        order = np.argsort(
            [len(example.window.token_ids) * jitter for example, jitter in zip(examples, noise, strict=True)]
        )
        batches: list[list[Example]] = [[]]
        longest = 0
        for row in order:
            length = len(examples[row].window.token_ids)
            longest = max(longest, length)
            if batches[-1] and longest * (len(batches[-1]) + 1) > self._batch_tokens:
                batches.append([])
                longest = length
            batches[-1].append(examples[row])
        while len(batches) < POOL_BATCHES:
            batches.append(batches[int(rng.integers(len(batches)))])
        return [batches[i] for i in rng.permutation(len(batches))[:POOL_BATCHES]]

    def _examples(self, corpus: Corpus, row: int) -> Iterator[Example]:
        return make_examples(
            corpus.documents[row],
            self._windower,
            annotation=corpus.annotation,
            asked=corpus.labels,
            max_width=self._max_width,
        )
