"""The stream of batches is a function of its seed, can be entered anywhere, and respects shares and budgets."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import pytest

from onoma.text.windows import Windower
from onoma.train.examples import Example
from onoma.train.recipe import Annotation, load_recipe
from onoma.train.stream import POOL_BATCHES, Corpus, ExampleStream, load_corpora
from onoma.types import Document, Span

BATCH_TOKENS = 96
Rows = Callable[[Path, Sequence[dict[str, object]]], Path]


def corpus(name: str, share: float, *, count: int = 30) -> Corpus:
    """Texts of several lengths, each within one window, that carry the corpus's name as label."""
    rows = [Document(name[0] + " bc" * (number % 9), (Span(0, 1, name),)) for number in range(count)]
    return Corpus(name, tuple(rows), Annotation.PARTIAL, share, frozenset({name}))


def stream(windower: Windower, *, seed: int = 0, corpora: Sequence[Corpus] | None = None) -> ExampleStream:
    mixture = corpora or [corpus("few", 0.2), corpus("many", 0.6, count=3)]
    return ExampleStream(mixture, windower, batch_tokens=BATCH_TOKENS, max_width=4, seed=seed)


def describe(batches: Sequence[list[Example]]) -> list[list[tuple[tuple[int, ...], tuple[str, ...]]]]:
    return [
        [(tuple(row.window.token_ids.tolist()), row.gold[0].labels if row.gold else ()) for row in batch]
        for batch in batches
    ]


def test_two_streams_of_one_seed_are_equal_and_of_two_seeds_are_not(windower: Windower) -> None:
    one, same, other = (describe(list(islice(stream(windower, seed=seed).batches(), 70))) for seed in (5, 5, 6))
    assert one == same
    assert one != other


@pytest.mark.parametrize("skip", [0, 1, 5, POOL_BATCHES - 1, POOL_BATCHES, POOL_BATCHES + 1, 2 * POOL_BATCHES])
def test_a_stream_can_be_entered_at_any_batch(windower: Windower, skip: int) -> None:
    whole = describe(list(islice(stream(windower).batches(), skip + 5)))
    assert describe(list(islice(stream(windower).batches(skip=skip), 5))) == whole[skip:]


def test_the_pools_differ(windower: Windower) -> None:
    batches = describe(list(islice(stream(windower).batches(), 2 * POOL_BATCHES)))
    assert batches[:POOL_BATCHES] != batches[POOL_BATCHES:]


def test_shares_are_respected_whatever_the_sizes(windower: Windower) -> None:
    seen = Counter(
        row.gold[0].labels[0] for batch in islice(stream(windower).batches(), 8 * POOL_BATCHES) for row in batch
    )
    assert seen["many"] / seen.total() == pytest.approx(0.75, abs=0.03)


def test_batches_keep_to_the_budget_padding_included(windower: Windower) -> None:
    sizes = [
        len(batch) * max(len(row.window.token_ids) for row in batch)
        for batch in islice(stream(windower).batches(), 3 * POOL_BATCHES)
    ]
    assert max(sizes) <= BATCH_TOKENS
    assert sum(sizes) / len(sizes) > 0.7 * BATCH_TOKENS


def test_a_window_beyond_the_budget_is_a_batch_of_its_own(windower: Windower) -> None:
    mixture = [corpus("few", 1.0)]
    small = ExampleStream(mixture, windower, batch_tokens=4, max_width=4, seed=0)
    assert all(len(batch) == 1 for batch in islice(small.batches(), POOL_BATCHES) if len(batch[0].window.token_ids) > 4)


def test_a_small_corpus_still_gives_whole_pools(windower: Windower) -> None:
    lonely = [Corpus("x", (Document("a b"),), Annotation.PARTIAL, 1.0, frozenset({"x"}))]
    batches = list(islice(stream(windower, corpora=lonely).batches(), POOL_BATCHES + 1))
    assert all(batches)


@pytest.fixture
def mixed(recipe: Path, write_rows: Rows, marked: Callable[..., dict[str, object]]) -> Path:
    """A recipe with a glob over two files of 1 and 4 rows besides the 20 rows of nonsense, and one held-out file."""
    for name, count in (("one", 1), ("four", 4), ("out", 2)):
        write_rows(recipe.parent / "more" / f"{name}.jsonl", [marked(f"[Mira|{name} label] sat")] * count)
    text = recipe.read_text(encoding="utf-8").replace('name = "tiny"', 'name = "tiny"\nheld_out = ["more/out.jsonl"]')
    text += '[[corpora]]\npath = "more/*.jsonl"\nannotation = "open"\nshare = 3.0\n'
    recipe.write_text(text, encoding="utf-8")
    return recipe


def test_files_of_a_glob_divide_its_share_by_the_root_of_their_size(mixed: Path) -> None:
    corpora = {one.name: one for one in load_corpora(load_recipe(mixed), mixed)}
    assert set(corpora) == {"nonsense", "one", "four"}  # without the held-out file
    assert corpora["nonsense"].share == 1.0
    assert corpora["four"].share == pytest.approx(2.0)
    assert corpora["one"].share == pytest.approx(1.0)
    assert corpora["four"].annotation is Annotation.OPEN
    assert corpora["nonsense"].labels == {"zork", "blip"}


def test_labels_and_definitions_come_from_the_files_beside_the_corpus(recipe: Path) -> None:
    beside = recipe.parent / "nonsense.labels.json"
    beside.write_text(json.dumps({"zork": "A name.", "blip": "", "flim": "Nothing."}), encoding="utf-8")
    (one,) = load_corpora(load_recipe(recipe), recipe)
    assert one.labels == {"zork", "blip", "flim"}
    assert one.definitions == {"zork": ("A name.",), "blip": (), "flim": ("Nothing.",)}
    several = recipe.parent / "nonsense.definitions.json"
    several.write_text(json.dumps({"zork": ["A name.", "Who it is."]}), encoding="utf-8")
    (one,) = load_corpora(load_recipe(recipe), recipe)
    assert one.definitions == {"zork": ("A name.", "Who it is.")}
