import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onoma.errors import OnomaError
from onoma.text.formats import (
    decode_utf8,
    read_documents,
    read_label_definitions,
    read_rows,
    to_conll,
    to_jsonl_row,
)
from onoma.types import Entity, Extraction, Report, Span

GOOD = {"text": "Ada met Bob.", "entities": [{"start": 0, "end": 3, "label": "person"}]}


def extraction(text: str, *spans: tuple[int, int, str]) -> Extraction:
    return Extraction(
        text, tuple(Entity(start, end, text[start:end], label, 0.5) for start, end, label in spans), Report()
    )


def write(path: Path, *rows: object) -> Path:
    content = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_documents_are_read_and_blank_lines_skipped(tmp_path: Path, name: str) -> None:
    entity = {"start": 8, "end": 11, "label": "person", "broader": ["agent"], "score": 0.5}
    full = {"text": "Ada met Bob.", "entities": [entity], "id": 7, "lang": "en", "absent": ["city"], "more": 1}
    first, second = read_documents(write(tmp_path / name, GOOD, "", "  ", full))
    assert first.spans == (Span(0, 3, "person"),)
    assert (first.id, first.lang, first.absent) == ("", "", ())
    assert second.spans == (Span(8, 11, "person", ("agent",)),)
    assert (second.id, second.lang, second.absent) == ("7", "en", ("city",))


def test_a_byte_order_mark_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(GOOD).encode())
    assert next(read_documents(path)).text == GOOD["text"]


def entity(**changes: object) -> dict[str, object]:
    return {"text": "Ada met Bob.", "entities": [{"start": 0, "end": 3, "label": "person", **changes}]}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", "line 2: not JSON"),
        ("[" * 100_000, "line 2: not JSON"),
        ("[1]", "[1]; it must be an object"),
        ({"entities": []}, "`text` is missing"),
        ({"text": 3, "entities": []}, "`text` is 3"),
        ({"text": "Ada"}, "`entities` is missing"),
        ({"text": "Ada", "entities": {}}, "`entities` is {}"),
        ({"text": "Ada", "entities": [[0, 3, "person"]]}, "entity 1 is [0"),
        (entity(start="0"), 'entity 1 has start "0"'),
        (entity(start=True), "entity 1 has start true"),
        (entity(end=3.0), "end 3.0"),
        (entity(start=-1), "start -1"),
        (entity(start=3), "start 3 and end 3"),
        (entity(end=13), "entity 1 ends at 13 but the text has 12 characters"),
        (entity(label=" "), 'the label " "'),
        (entity(label=None), "the label missing"),
        (entity(broader="agent"), '`broader` is "agent"'),
        ({**GOOD, "absent": [1]}, "`absent` is [1]"),
        ({**GOOD, "id": [1]}, "`id` must be"),
    ],
)
def test_errors_name_file_and_line(tmp_path: Path, row: object, message: str) -> None:
    documents = read_documents(write(tmp_path / "bad.jsonl", GOOD, row))
    assert next(documents).spans
    with pytest.raises(OnomaError) as caught:
        next(documents)
    assert str(caught.value).startswith("bad.jsonl line 2: ")
    assert message in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: b[:30] + b"\xff\xff\xff" + b[33:], lambda b: b"no" + b])
def test_damaged_gzip_is_one_sentence(tmp_path: Path, damage: object) -> None:
    path = write(tmp_path / "bad.jsonl.gz", *[GOOD] * 50)
    assert callable(damage)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(OnomaError, match=r"bad\.jsonl\.gz"):
        list(read_documents(path))


def test_bytes_that_are_not_utf8_name_the_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b'{"text": "a"}\n{"text": "\xe9"}\n')
    rows = read_rows(path)
    assert next(rows) == {"text": "a"}
    with pytest.raises(OnomaError, match=r"bad\.jsonl line 2: byte 11 of it is not UTF-8"):
        next(rows)


def test_decode_names_the_offset_in_the_file() -> None:
    assert decode_utf8(b"\xef\xbb\xbfa\r\nb", name="x") == "a\r\nb"
    with pytest.raises(OnomaError, match="byte 0xff at offset 4"):
        decode_utf8(b"\xef\xbb\xbfa\xff", name="x")


def test_label_definitions_lie_beside_the_data(tmp_path: Path) -> None:
    beside = tmp_path / "some.set.labels.json"
    beside.write_text('{"person": "A human.", "city": "A town."}')
    for name in ("some.set.jsonl", "some.set.jsonl.gz"):
        assert read_label_definitions(tmp_path / name) == {"person": "A human.", "city": "A town."}
    assert read_label_definitions(tmp_path / "other.jsonl") == {}
    for bad in ("{", "[]", '{"person": 1}'):
        beside.write_text(bad)
        with pytest.raises(OnomaError, match=r"some\.set\.labels\.json"):
            read_label_definitions(tmp_path / "some.set.jsonl")


@given(st.text(st.characters()), st.one_of(st.none(), st.integers(), st.text(st.characters())))
def test_rows_round_trip_every_text(text: str, id: str | int | None) -> None:
    row = to_jsonl_row(extraction(text), id=id)
    assert row.isascii()
    assert "\n" not in row
    expected = {"text": text, "entities": []} if id is None else {"id": id, "text": text, "entities": []}
    assert json.loads(row) == expected


def test_conll_is_iob2() -> None:
    found = extraction("Ada Lovelace, London Paris", (0, 12, "mathematical mind"), (14, 20, "city"), (21, 26, "city"))
    assert to_conll(found) == (
        "Ada\tB-mathematical mind\nLovelace\tI-mathematical mind\n,\tO\nLondon\tB-city\nParis\tB-city\n"
    )
    assert to_conll(extraction("")) == ""


def test_conll_splits_units_at_entity_boundaries() -> None:
    assert to_conll(extraction("unParisian", (2, 7, "city"))) == "un\tO\nParis\tB-city\nian\tO\n"


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (extraction("New York", (0, 8, "city"), (4, 8, "state")), "overlap 'flat'"),
        (extraction("York", (0, 4, "city"), (0, 4, "state")), "overlap at character 0"),
        (extraction("a \u200b b", (2, 3, "x")), "nothing visible"),
        (extraction("York", (0, 4, "a\tb")), "a tab or line break"),
    ],
)
def test_conll_refuses_what_it_cannot_say(found: Extraction, message: str) -> None:
    with pytest.raises(OnomaError, match=message):
        to_conll(found)


@given(st.data())
def test_conll_loses_no_entity(data: st.DataObject) -> None:
    text = data.draw(st.text(st.sampled_from("ab \n.é中\u0301\U0001f600"), min_size=1, max_size=30))
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=6, unique=True).map(sorted))
    spans = [(a, b, "x") for a, b in zip(cuts[::2], cuts[1::2], strict=False) if text[a:b].strip()]
    rows = [line.split("\t") for line in to_conll(extraction(text, *spans)).splitlines()]
    assert "".join(token for token, _ in rows) == "".join(text.split())
    tagged: list[str] = []
    for token, tag in rows:
        if tag.startswith("B"):
            tagged.append(token)
        elif tag.startswith("I"):
            tagged[-1] += token
    assert tagged == ["".join(text[a:b].split()) for a, b, _ in spans]
