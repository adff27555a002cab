import gzip
import json
from types import SimpleNamespace

import numpy as np
import pytest

from onoma.config import UnitPolicy
from onoma.decode.overlap import resolve
from onoma.decode.thresholds import Thresholds, resolve_thresholds
from onoma.errors import OnomaError
from onoma.evaluate.metrics import Interval, score_documents
from onoma.evaluate.report import format_table, to_json
from onoma.evaluate.run import Unreachable, evaluate_files, fit_threshold
from onoma.types import Candidates, Entity, Extraction, Label, Overlap, Report


class LexiconNER:
    """A model that scores every occurrence of the words it knows, and notes what it was asked."""

    def __init__(self, lexicon, *, thresholds=0.5, units=UnitPolicy.WORD, unhandled=None):
        self.lexicon = lexicon
        self.thresholds = thresholds if isinstance(thresholds, Thresholds) else Thresholds(thresholds)
        self.config = SimpleNamespace(text=SimpleNamespace(units=units), head=SimpleNamespace(max_width=2))
        self.unhandled = unhandled or {}
        self.encoded = []
        self.calls = []

    def encode_labels(self, labels):
        self.encoded.append(tuple(labels))
        return SimpleNamespace(labels=tuple(labels))

    def extract_many(self, texts, labels, *, threshold=None, overlap=Overlap.FLAT):
        texts = list(texts)
        sets = [labels.labels] * len(texts) if isinstance(labels, SimpleNamespace) else [tuple(own) for own in labels]
        self.calls.append((threshold, sets))
        for text, own in zip(texts, sets, strict=True):
            yield self._extract(text, own, threshold, overlap)

    def _extract(self, text, labels, threshold, overlap):
        assert labels, "a text was asked for no labels"
        values = resolve_thresholds(self.thresholds, labels, threshold).values
        names = [label.name for label in labels]
        rows = [
            (start, start + len(word), names.index(name), score)
            for word, entries in self.lexicon.items()
            for name, score in entries.items()
            for start in range(len(text))
            if text.startswith(word, start) and name in names and np.float32(score) >= values[names.index(name)]
        ]
        start, end, label = (np.array([row[i] for row in rows], np.int64) for i in range(3))
        score = np.array([row[3] for row in rows], np.float32)
        cands = resolve(Candidates(np.zeros(len(rows), np.int64), start, end, label, score), overlap)
        found = zip(*(column.tolist() for column in (cands.start, cands.end, cands.label, cands.score)), strict=True)
        entities = tuple(Entity(s, e, text[s:e], names[k], p) for s, e, k, p in found)
        return Extraction(text, entities, Report(unhandled=self.unhandled))


def row(text, *entities, **extra):
    spans = [{"start": text.index(part), "end": text.index(part) + len(part), "label": name} for part, name in entities]
    return {"text": text, "entities": spans, **extra}


@pytest.fixture
def write(tmp_path):
    def write(name, rows, labels=None):
        path = tmp_path / f"{name}.jsonl.gz"
        with gzip.open(path, "wt", encoding="utf-8") as lines:
            lines.writelines(json.dumps(entry) + "\n" for entry in rows)
        if labels is not None:
            (tmp_path / f"{name}.labels.json").write_text(json.dumps(labels), encoding="utf-8")
        return path

    return write


TRIPS = [
    row("Ada saw Paris", ("Ada", "person"), ("Paris", "city"), id="a"),
    row("Bob saw Rome", ("Bob", "person"), ("Rome", "city"), id="b"),
    row("nothing here", id="c"),
]
LEXICON = {
    "Ada": {"person": 0.9, "city": 0.2},
    "Paris": {"city": 0.7, "river": 0.3},
    "Bob": {"person": 0.3},
    "here": {"river": 0.6},
}


def counts(score):
    return score.tp, score.fp, score.fn


def test_scores_at_the_models_threshold_and_at_the_best(write):
    path = write("trips", TRIPS, {"person": "A human.", "river": "", "city": "A large town."})
    model = LexiconNER(LEXICON)
    (entry,) = evaluate_files(model, [path])
    assert (entry.name, entry.labels, entry.defined, entry.threshold) == ("trips", 3, 0, 0.5)
    assert entry.scores.documents == 3
    assert counts(entry.scores.micro) == (2, 1, 2)
    assert list(entry.scores.labels) == ["city", "person", "river"]
    assert counts(entry.oracle.score) == (3, 1, 1)  # at <= 0.3 Bob is found too
    assert entry.oracle.threshold == 0.05
    assert entry.duplicate_ids == 0
    assert len(model.encoded) == len(model.calls) == 1
    assert [label.name for label in model.encoded[0]] == ["city", "person", "river"]


def test_the_call_overrides_the_models_threshold(write):
    path = write("trips", TRIPS)
    (entry,) = evaluate_files(LexiconNER(LEXICON), [path], threshold=0.8)
    assert entry.threshold == 0.8
    assert counts(entry.scores.micro) == (1, 0, 3)
    (entry,) = evaluate_files(LexiconNER(LEXICON), [path], threshold=0.01)
    assert entry.threshold == 0.01
    assert counts(entry.scores.micro) == (3, 0, 1)
    with pytest.raises(OnomaError, match="0 to 1"):
        evaluate_files(LexiconNER(LEXICON), [path], threshold=1.5)


@pytest.mark.parametrize("threshold", [0.0, 0.05, 0.3, 0.31, 0.6, 0.7, 0.123456789, 1.0])
def test_one_low_extraction_gives_what_a_direct_one_gives(write, threshold):
    path = write("trips", TRIPS, {"person": "", "river": "", "city": ""})
    model = LexiconNER({**LEXICON, "Ada saw": {"city": 0.7, "river": 0.4}, "saw Paris": {"person": 0.6}})
    (entry,) = evaluate_files(model, [path], threshold=threshold)
    labels = model.encode_labels([Label("city"), Label("person"), Label("river")])
    direct = model.extract_many([trip["text"] for trip in TRIPS], labels, threshold=threshold)
    gold = [{(ent["start"], ent["end"], ent["label"]) for ent in trip["entities"]} for trip in TRIPS]
    assert entry.scores == score_documents(gold, [[(ent.start, ent.end, ent.label) for ent in ents] for ents in direct])


def test_thresholds_that_differ_between_labels_get_an_extraction_of_their_own(write):
    path = write("bank", [row("the Seine bank", ("Seine bank", "company"))], {"company": "", "river": ""})
    lexicon = {"Seine": {"river": 0.5}, "Seine bank": {"company": 0.4}}
    model = LexiconNER(lexicon, thresholds=Thresholds(0.6, {"company": 0.3}))
    (entry,) = evaluate_files(model, [path])
    assert entry.threshold is None
    assert counts(entry.scores.micro) == (1, 0, 0)
    assert (entry.oracle.threshold, counts(entry.oracle.score)) == (0.05, (0, 1, 1))
    assert [threshold for threshold, _ in model.calls] == [None, 0.05]
    assert len(model.encoded) == 1


@pytest.mark.parametrize("overlap", [mode for mode in Overlap if mode is not Overlap.FLAT])
def test_other_overlaps_have_no_oracle(write, overlap):
    path = write("trips", TRIPS)
    model = LexiconNER(LEXICON)
    (entry,) = evaluate_files(model, [path], overlap=overlap)
    assert entry.oracle is None
    assert entry.threshold == 0.5
    assert counts(entry.scores.micro) == (2, 0, 2)
    assert [threshold for threshold, _ in model.calls] == [None]
    assert "-" in format_table([entry])
    assert json.loads(to_json([entry]))["average"]["oracle_f1"] is None


def test_definitions_are_used_only_if_asked(write):
    path = write("trips", TRIPS, {"person": "A human.", "river": "", "city": "A large town."})
    model = LexiconNER(LEXICON)
    (entry,) = evaluate_files(model, [path], definitions=True)
    assert model.encoded == [(Label("city", "A large town."), Label("person", "A human."), Label("river"))]
    assert (entry.labels, entry.defined) == (3, 2)


def test_without_a_labels_file_the_labels_of_the_file_are_asked(write):
    model = LexiconNER(LEXICON)
    evaluate_files(model, [write("trips", TRIPS)])
    assert model.encoded == [(Label("city"), Label("person"))]


def test_open_types_are_asked_per_text_in_alphabetical_order(write):
    rows = [
        row("Paris is here", ("Paris", "city"), absent=["river", "band"]),
        row("Bob saw Rome", ("Bob", "person")),
        row("Ada is here", absent=[]),
    ]
    model = LexiconNER(LEXICON)
    (entry,) = evaluate_files(model, [write("open", rows)])
    (_, sets), *more = model.calls
    assert not more
    assert [[label.name for label in own] for own in sets] == [["band", "city", "river"], ["person"]]
    assert model.encoded == []
    assert entry.labels == 4
    assert entry.scores.documents == 3
    assert counts(entry.scores.micro) == (1, 1, 1)


def test_gold_out_of_reach_is_missed_and_itemised(write):
    rows = [
        row("Parisian food", ("Paris", "city")),
        row("the New York Times building", ("New York Times", "company"), ("York", "city")),
    ]
    path = write("reach", rows)
    (entry,) = evaluate_files(LexiconNER({"York": {"city": 0.9}}), [path])
    assert entry.unreachable == Unreachable(off_boundary=1, too_wide=1)
    assert counts(entry.scores.micro) == (1, 0, 2)
    (entry,) = evaluate_files(LexiconNER(LEXICON, units=UnitPolicy.SUBWORD), [path])
    assert entry.unreachable is None
    assert format_table([entry]).splitlines()[1].split()[-2:] == ["-", "-"]


def test_repeated_ids_and_unhandled_input_are_told(write):
    path = write("trips", [{**entry, "id": "same"} for entry in TRIPS])
    (entry,) = evaluate_files(LexiconNER(LEXICON, unhandled={"label too long": 1}), [path])
    assert entry.duplicate_ids == 2
    assert entry.scores.documents == 3
    assert entry.unhandled == {"label too long": 3}
    assert format_table([entry]).splitlines()[-2:] == [
        "trips: 2 texts repeat an id; each was scored.",
        "trips: not handled: label too long (3).",
    ]


@pytest.mark.parametrize(
    ("rows", "labels", "message"),
    [
        ([], None, r"bad\.jsonl\.gz holds no texts"),
        ([row("nothing")], None, r"bad\.jsonl\.gz has no entity and no labels\.json"),
        (TRIPS, {"person": ""}, r"bad\.jsonl\.gz line 1 .* labelled 'city'"),
        ([{"text": "x", "entities": [{"start": 0, "end": 9, "label": "a"}]}], None, r"bad\.jsonl\.gz line 1"),
    ],
)
def test_files_that_cannot_be_scored_are_refused(write, rows, labels, message):
    path = write("bad", rows, labels)
    with pytest.raises(OnomaError, match=message):
        evaluate_files(LexiconNER(LEXICON), [path])
    with pytest.raises(OnomaError, match=message):
        fit_threshold(LexiconNER(LEXICON), [path])


def test_no_files_are_refused(write):
    with pytest.raises(OnomaError, match="no data file"):
        evaluate_files(LexiconNER(LEXICON), [])
    with pytest.raises(OnomaError, match="0 files and 91 thresholds"):
        fit_threshold(LexiconNER(LEXICON), [])
    with pytest.raises(OnomaError, match="1 files and 0 thresholds"):
        fit_threshold(LexiconNER(LEXICON), [write("trips", TRIPS)], thresholds=[])


def test_the_fitted_threshold_weighs_each_file_the_same(write):
    # Below 0.4 all of `few` is found, and in `many` eight wrong ones too; above 0.6 `many` is perfect and `few` empty.
    many = write("many", [row("Oslo", ("Oslo", "city"))] * 2 + [row("Nile fog")] * 8, {"city": ""})
    few = write("few", [row("Bern", ("Bern", "city"))])
    model = LexiconNER({"Oslo": {"city": 0.9}, "Nile": {"city": 0.6}, "Bern": {"city": 0.4}})
    fitted = fit_threshold(model, [many, few])
    assert (2 * 2 / (2 * 2 + 8) + 1) / 2 > (1 + 0) / 2  # the means at a low and at a high threshold
    assert fitted == Thresholds(0.05, fitted_on="many, few: mean strict micro-F1 66.7")
    assert fit_threshold(model, [many]).global_ == 0.61
    assert [threshold for threshold, _ in model.calls] == [0.05] * 3
    assert fit_threshold(model, [many], thresholds=[0.7, 0.8]).global_ == 0.7


def test_the_table_is_aligned_and_averages_the_data_sets(write):
    trips = write("trips", TRIPS)
    other = write("a longer name", [row("Bob slept", ("Bob", "person"))])
    scores = evaluate_files(LexiconNER(LEXICON), [trips, other])
    lines = format_table(scores).splitlines()
    assert [line.split()[0] for line in lines] == ["data", "trips", "a", "average"]
    column = slice(None, lines[0].index(" F1 ") + 3)
    assert [line[column].split()[-1] for line in lines] == ["F1", "66.7", "0.0", "33.3"]
    assert lines[1].split()[:8] == ["trips", "3", "2", "4", "0.50", "100.0", "50.0", "66.7"]
    assert lines[3].split() == ["average", "4", "5", "50.0", "25.0", "33.3", "92.9"]
    assert format_table([]).splitlines()[0].startswith("data set")


def test_json_holds_every_score(write):
    scores = evaluate_files(LexiconNER(LEXICON), [write("trips", TRIPS)])
    report = json.loads(to_json(scores))
    (entry,) = report["datasets"]
    assert entry["name"] == "trips"
    assert entry["scores"]["micro"]["f1"] == scores[0].scores.micro.f1
    assert Interval(**entry["scores"]["micro"]["interval"]) == scores[0].scores.micro.interval
    assert entry["scores"]["labels"]["person"]["recall"] == 0.5
    assert entry["scores"]["macro"]["f1"] == scores[0].scores.macro.f1
    assert entry["oracle"] == {"threshold": 0.05, "score": {**entry["oracle"]["score"], "tp": 3, "fn": 1}}
    assert entry["unreachable"] == {"off_boundary": 0, "too_wide": 0}
    assert report["average"]["f1"] == scores[0].scores.micro.f1
    assert json.loads(to_json([])) == {"datasets": [], "average": None}


def test_a_model_that_loses_a_text_is_noticed(write):
    model = LexiconNER(LEXICON)
    whole = model.extract_many
    model.extract_many = lambda texts, labels, **options: list(whole(texts, labels, **options))[:-1]
    with pytest.raises(ValueError, match="zip"):
        evaluate_files(model, [write("trips", TRIPS)])
