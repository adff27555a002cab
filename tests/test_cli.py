"""The command line, with a fake model: what matters here is input, output, errors and exit codes."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from onoma import __version__
from onoma.cli import main
from onoma.errors import OnomaError
from onoma.labels.read import read_labels, split_labels
from onoma.types import Entity, Extraction, Label, Overlap, Report

TESTS = Path(__file__).parent
SEARCH = os.pathsep.join([str(TESTS.parent / "src"), os.environ.get("PYTHONPATH", "")])
TEXT = "in Paris, Ada met Bob."


class Capitals:
    """Finds capitalised words and gives them the labels in turn; asks for nothing and is always sure."""

    def extract(
        self, text: str, labels: Sequence[Label], *, threshold: float | None = None, overlap: Overlap = Overlap.FLAT
    ) -> Extraction:
        if threshold is not None and not 0 <= threshold <= 1:
            raise OnomaError(f"threshold is {threshold}; it must lie between 0 and 1.")
        words = [*re.finditer(r"\b[A-Z]\w+", text)]
        entities = [
            Entity(word.start(), word.end(), word.group(), labels[place % len(labels)].name, 0.75)
            for place, word in enumerate(words)
        ]
        if overlap is Overlap.MULTI_LABEL:
            entities = [Entity(e.start, e.end, e.text, label.name, 0.5) for e in entities for label in labels]
        unhandled = {"unknown characters": text.count("?")} if "?" in text else {}
        return Extraction(text, tuple(entities), Report(windows=1, units=len(words), unhandled=unhandled))

    def extract_many(
        self,
        texts: Iterable[str],
        labels: Sequence[Label],
        *,
        threshold: float | None = None,
        overlap: Overlap = Overlap.FLAT,
    ) -> Iterator[Extraction]:
        for text in list(texts):  # reads ahead, as a model that sorts by length does
            yield self.extract(text, labels, threshold=threshold, overlap=overlap)


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """Load the fake instead of a model; returns what was asked for."""
    asked: list[str | None] = []

    def load(name: str | None = None) -> Capitals:
        asked.append(name)
        return Capitals()

    monkeypatch.setattr("onoma.model.load", load)
    return asked


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]):
    """Run the command line in this process: arguments -> exit code, standard output, standard error."""

    def call(*arguments: object, stdin: bytes = TEXT.encode()) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = main([str(argument) for argument in arguments])
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode()

    return call


def process(*arguments: str, stdin: bytes = TEXT.encode(), **settings: str) -> subprocess.Popen[bytes]:
    """Run the command line, with the fake model, as a process of its own."""
    code = (
        f"import sys; sys.path.insert(0, {str(TESTS)!r}); import test_cli, onoma.model, onoma.cli; "
        "onoma.model.load = lambda name=None: test_cli.Capitals(); sys.exit(onoma.cli.main())"
    )
    environment = {**os.environ, "PYTHONPATH": SEARCH, **settings}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    child = subprocess.Popen([sys.executable, "-c", code, *arguments], env=environment, **pipes)
    assert child.stdin is not None
    child.stdin.write(stdin)
    child.stdin.close()
    child.stdin = None
    return child


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl.gz"
    documents = [{"id": 7, "text": TEXT}, {"text": "\ud800 Bonn", "entities": "ignored"}, {"id": "c", "text": ""}]
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, documents)).encode()))
    return path


def one_sentence(err: str) -> bool:
    return err.startswith("error: ") and err.count("\n") == 1 and err.endswith(".\n") and "Traceback" not in err


def test_standard_input_is_extracted_and_shown(run, loaded: list[str | None]) -> None:
    for arguments in ([], ["-"]):
        code, out, err = run("extract", *arguments, "--labels", "city, person")
        assert (code, err) == (0, "")
        assert out.startswith("in [Paris | city], [Ada | person] met [Bob | city].\n\nstart  end")
    assert loaded == [None, None]


def test_a_file_keeps_its_line_ends_and_loses_its_byte_order_mark(run, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfParis\r\nBonn\r\n")
    _, out, _ = run("extract", path, "--labels", "city", "--format", "jsonl")
    row = json.loads(out)
    assert row["text"] == "Paris\r\nBonn\r\n"
    assert [row["text"][entity["start"] : entity["end"]] for entity in row["entities"]] == ["Paris", "Bonn"]


@pytest.mark.parametrize(
    "text", ["", " \n", "...", "\x00\x01\x1b[2J", "\u200b\u200f", "שלום Paris", "👩‍👩‍👧 é", "x" * 100_000]
)
@pytest.mark.parametrize("format", ["pretty", "json", "jsonl", "html", "conll"])
def test_every_text_gives_output_in_every_format(run, text: str, format: str) -> None:
    code, out, err = run("extract", "--labels", "city", "--format", format, stdin=text.encode())
    assert (code, err) == (0, "")
    assert out or format == "conll"
    assert "\x1b" not in out


def test_json_holds_the_report(run) -> None:
    _, out, err = run("extract", "--labels", "city", "--format", "json", stdin=b"Paris?")
    content = json.loads(out)
    assert content["entities"][0] == {"start": 0, "end": 5, "text": "Paris", "label": "city", "score": 0.75}
    assert content["report"]["windows"] == 1
    assert err == "note: not everything could be read as written (unknown characters: 1).\n"


def test_html_and_conll(run, tmp_path: Path) -> None:
    page = tmp_path / "a.html"
    assert run("extract", "--labels", "city", "--format", "html", "--output", page) == (0, "", "")
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert run("extract", "--labels", "city", "--format", "conll")[1].startswith("in\tO\nParis\tB-city\n")
    code, _, err = run("extract", "--labels", "city,town", "--format", "conll", "--overlap", "multi-label")
    assert code == 1
    assert one_sentence(err)


def test_documents_are_streamed_and_keep_their_ids(run, rows: Path) -> None:
    code, out, err = run("extract", rows, "--labels", "city", "--format", "jsonl")
    assert (code, err) == (0, "")
    written = [json.loads(line) for line in out.splitlines()]
    assert [row.get("id") for row in written] == [7, None, "c"]
    assert [len(row["entities"]) for row in written] == [3, 1, 0]
    assert written[1]["text"] == "\ud800 Bonn"
    assert [row["text"] for row in json.loads(run("extract", rows, "--labels", "city", "--format", "json")[1])] == [
        row["text"] for row in written
    ]


def test_lone_surrogates_are_replaced_where_people_read(run, rows: Path) -> None:
    for format in ("pretty", "html", "conll"):
        code, out, _ = run("extract", rows, "--labels", "city", "--format", format)
        assert code == 0
        assert "\ufffd" in out
    assert "── 7 ──\n" in run("extract", rows, "--labels", "city")[1]


def test_an_empty_file_of_documents_gives_no_rows(run, tmp_path: Path) -> None:
    path = tmp_path / "none.jsonl"
    path.write_text("\n")
    assert run("extract", path, "--labels", "city", "--format", "jsonl") == (0, "", "")
    assert run("extract", path, "--labels", "city", "--format", "json") == (0, "[]\n", "")


def test_labels_come_from_both_options(run, tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text("# comment\n\ncity, town\tA place.\r\n person \n")
    assert read_labels(path) == [Label("city, town", "A place."), Label("person")]
    _, out, _ = run("extract", "--labels", "x", "--labels-file", path)
    assert "[Paris | x], [Ada | city, town] met [Bob | person]" in out


def test_label_files_in_json(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    path.write_text('["city", "a, b"]')
    assert [label.name for label in read_labels(path)] == ["city", "a, b"]
    path.write_text('{"city": "A town.", "city": "Again.", "person": ""}')
    assert read_labels(path) == [Label("city", "A town."), Label("city", "Again."), Label("person")]
    for bad in ("{", "3", "[]", "{}", "[1]", '[""]', '{"": "x"}', '{"a": 1}', '{"a": {"b": "c"}}', '[{"a": "b"}]'):
        path.write_text(bad)
        with pytest.raises(OnomaError, match=r"labels\.json"):
            read_labels(path)


@pytest.mark.parametrize("names", ["", ",", "a,,b", "a,", "\udcff"])
def test_bad_lists_of_labels(names: str) -> None:
    with pytest.raises(OnomaError, match="list of labels"):
        split_labels(names)


def test_no_labels_is_wrong_usage(run, loaded: list[str | None]) -> None:
    code, out, err = run("extract")
    assert (code, out, loaded) == (2, "", [])
    assert one_sentence(err)


@pytest.mark.parametrize("arguments", [["--format", "xml"], ["--overlap", "some"], ["--threshold", "x"], ["--no-such"]])
def test_wrong_usage_exits_with_2(run, arguments: list[str]) -> None:
    code, out, err = run("extract", "--labels", "a", *arguments)
    assert (code, out) == (2, "")
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.txt"], "missing.txt: No such file"),
        (["missing.jsonl"], "missing.jsonl: No such file"),
        (["."], "Is a directory"),
        (["latin1.txt"], "latin1.txt is not UTF-8: byte 0xe9 at offset 3"),
        (["latin1.jsonl"], "latin1.jsonl line 1"),
        (["bad.jsonl"], "bad.jsonl line 2"),
        (["ok.txt", "--output", "no/such/folder.txt"], "no/such/folder.txt: No such file"),
        (["ok.txt", "--output", "."], "Is a directory"),
        (["ok.txt", "--output", "ok.txt"], "both the input and the --output"),
        (["ok.txt", "--threshold", "1.5"], "threshold is 1.5"),
        (["ok.txt", "--labels-file", "latin1.txt"], "latin1.txt is not UTF-8"),
        (["ok.txt", "--labels-file", "empty.txt"], "empty.txt holds no label"),
        (["ok.txt", "--labels-file", "missing.txt"], "missing.txt: No such file"),
        (["evil\x1b[2J.txt"], "evil\u241b[2J.txt"),
    ],
)
def test_bad_input_is_one_sentence(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ok.txt").write_text(TEXT)
    Path("empty.txt").write_text("# nothing\n")
    Path("latin1.txt").write_bytes(b"caf\xe9")
    Path("latin1.jsonl").write_bytes(b'{"text": "caf\xe9"}\n')
    Path("bad.jsonl").write_text('{"text": "Paris"}\n{"txt": "Bonn"}\n')
    code, _, err = run("extract", *arguments, "--labels", "city")
    assert code == 1
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err
    assert Path("ok.txt").read_text() == TEXT


def test_paths_are_checked_before_the_model_is_loaded(run, tmp_path: Path, loaded: list[str | None]) -> None:
    run("extract", "--labels", "a", "--output", tmp_path / "no" / "a.txt")
    run("extract", tmp_path / "no.jsonl", "--labels", "a")
    assert loaded == []


def test_an_output_file_survives_an_error(run, tmp_path: Path) -> None:
    kept, fresh = tmp_path / "kept.txt", tmp_path / "fresh.txt"
    kept.write_text("before")
    for path in (kept, fresh):
        assert run("extract", "--labels", "a", "--threshold", "2", "--output", path)[0] == 1
    assert kept.read_text() == "before"
    assert not fresh.exists()


def test_other_models_are_named(run, loaded: list[str | None]) -> None:
    run("extract", "--labels", "a", "--model", "my/model")
    assert loaded == ["my/model"]


def test_interrupt_and_unknown_errors(run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(name: str | None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("onoma.model.load", interrupt)
    code, out, err = run("extract", "--labels", "a")
    assert (code, out) == (130, "")
    assert "Traceback" not in err


def test_version_and_help(run) -> None:
    assert run("--version")[1] == f"onoma {__version__}\n"
    assert run("--help")[0] == 0
    for verb in ("extract", "train", "evaluate", "info"):
        code, out, _ = run(verb, "--help")
        assert code == 0
        assert f"Example: onoma {verb}" in out


def test_info_aligns_the_facts(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onoma.info.describe", lambda name: {"name": str(name), "format version": "1"})
    assert run("info") == (0, "name            None\nformat version  1\n", "")
    assert run("info", "my\x1bmodel")[1].startswith("name            my\u241bmodel\n")


def test_train_and_evaluate_call_the_library(run, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[object, ...]] = []
    training = SimpleNamespace(train=lambda recipe, **options: calls.append((recipe, options)))
    monkeypatch.setitem(sys.modules, "onoma.train.run", training)  # the real one needs torch
    monkeypatch.setattr("onoma.extras.require", lambda extra: None)
    assert run("train", "a/mine.toml", "--set", "a=1", "--set", "b.c=2", "--resume")[0] == 0
    options = {"output": Path("runs/mine"), "resume": True, "overrides": ["a=1", "b.c=2"]}
    assert calls == [(Path("a/mine.toml"), options)]

    def evaluate_files(model: object, paths: object, **options: object) -> list[str]:
        calls.append((paths, options))
        return ["scores"]

    monkeypatch.setattr("onoma.evaluate.run.evaluate_files", evaluate_files)
    monkeypatch.setattr("onoma.evaluate.report.format_table", lambda scores: "table")
    monkeypatch.setattr("onoma.evaluate.report.to_json", lambda scores: json.dumps(scores))
    assert run("evaluate", "default", "a.jsonl", "b.jsonl", "--definitions", "--threshold", "0.5")[1] == "table\n"
    assert run("evaluate", "default", "a.jsonl", "--json")[1] == '["scores"]\n'
    asked = {"threshold": 0.5, "definitions": True, "overlap": Overlap.FLAT, "progress": True}
    assert calls[1] == ([Path("a.jsonl"), Path("b.jsonl")], asked)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_broken_pipe_is_quiet(tmp_path: Path, unbuffered: str) -> None:
    path = tmp_path / "long.txt"
    path.write_text("Paris " * 50_000)
    child = process("extract", str(path), "--labels", "a", PYTHONUNBUFFERED=unbuffered)
    assert child.stdout is not None
    assert child.stderr is not None
    with child.stdout, child.stderr:
        child.stdout.read(10)
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.wait() == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_is_one_sentence(unbuffered: str) -> None:
    with open("/dev/full", "wb", buffering=0) as full:
        ran = subprocess.run(
            [sys.executable, "-m", "onoma", "--version"],
            env={**os.environ, "PYTHONPATH": SEARCH, "PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (ran.returncode, ran.stderr) == (1, b"error: No space left on device\n")


def test_output_is_utf8_in_every_locale() -> None:
    child = process("extract", "--labels", "ville,été", stdin="Orléans Évian 東京".encode(), LC_ALL="C", PYTHONUTF8="0",
                    PYTHONCOERCECLOCALE="0", PYTHONIOENCODING="ascii")  # fmt: skip
    out, err = child.communicate()
    assert (child.returncode, err) == (0, b"")
    assert "東京" in out.decode()
