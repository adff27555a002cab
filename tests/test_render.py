import re
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onoma.marks import visible_in_line
from onoma.render import to_ansi, to_html
from onoma.types import Entity, Extraction, Report

SGR = re.compile(r"\x1b\[[0-9;]*m")


def extraction(text: str, *spans: tuple[int, int, str, float]) -> Extraction:
    entities = (Entity(start, end, text[start:end], label, score) for start, end, label, score in spans)
    return Extraction(text, tuple(entities), Report())


NESTED = extraction("At the University of London.", (7, 27, "university", 0.9), (21, 27, "city", 0.8))


def test_brackets_and_table_without_color() -> None:
    assert to_ansi(extraction("In Paris now.", (3, 8, "city", 0.87654)), color=False) == (
        "In [Paris | city] now.\n\n"
        "start  end  text   label  score\n"
        "─────  ───  ─────  ─────  ─────\n"
        "    3    8  Paris  city   0.877\n"
    )
    assert to_ansi(extraction("Nothing."), color=False) == "Nothing.\n\n(no entities)\n"


def test_nested_and_multi_label_and_crossing_brackets() -> None:
    assert to_ansi(NESTED, color=False).startswith("At the [University of [London | city] | university].\n")
    both = extraction("York", (0, 4, "city", 0.5), (0, 4, "county", 0.9))
    assert to_ansi(both, color=False).startswith("[York | county | city]\n")
    crossing = extraction("abcdef", (0, 4, "x", 0.5), (2, 6, "y", 0.9))
    assert to_ansi(crossing, color=False).startswith("[ab[cd] | x][ef | y]\n")


def test_color_keeps_the_text_and_names_the_label() -> None:
    colored = to_ansi(NESTED, color=True)
    assert SGR.sub("", colored).startswith("At the University of London city  university .\n")
    assert colored.count("\x1b[0m") == len(SGR.findall(colored)) / 2


def test_colors_follow_the_given_order_of_labels() -> None:
    one, other = extraction("a b", (0, 1, "x", 0.5)), extraction("a b", (2, 3, "y", 0.5), (0, 1, "x", 0.5))
    style = SGR.findall(to_ansi(one, color=True, labels=["y", "x"]))[0]
    assert style == SGR.findall(to_ansi(other, color=True, labels=["y", "x"]))[0]
    assert style != SGR.findall(to_ansi(one, color=True))[0]


@pytest.mark.parametrize(
    "hostile", ["\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "\u202e", "\u2066", "\u200f", "\x00", "\x7f", "\ud800", "\r"]
)
def test_terminal_output_cannot_be_hijacked(hostile: str) -> None:
    found = extraction(f"a{hostile}b {hostile}", (0, 2 + len(hostile), f"l{hostile}", 0.5))
    for text in (to_ansi(found, color=False), SGR.sub("", to_ansi(found, color=True, width=40))):
        assert hostile[0] not in text
        assert all(unicodedata.category(char) not in ("Cc", "Cs") or char == "\n" for char in text)
        assert not any(unicodedata.bidirectional(char) in ("RLO", "LRO", "RLE", "LRE", "RLI", "LRI") for char in text)


def test_cells_stay_on_their_line() -> None:
    found = extraction("a\nb\tc", (0, 5, "l\nm", 0.5))
    assert to_ansi(found, color=False).splitlines()[-1] == r"    0    5  a\nb\tc  l\nm   0.500"
    assert visible_in_line("a\r\n") == r"a\r\n"


def test_lines_wrap_at_spaces_and_columns_are_shortened() -> None:
    found = extraction("word " * 30 + "x" * 90, (150, 240, "label", 0.5))
    lines = to_ansi(found, color=False, width=60).splitlines()
    assert all(len(line) <= 60 for line in lines if "x" * 90 not in line)
    assert "…" in lines[-1]
    assert "".join(lines).count("word") == 30
    assert len(to_ansi(found, color=False).splitlines()[0]) > 240


@given(st.text(st.sampled_from("ab \n\t中\u0301é")), st.integers(1, 30))
def test_wrapping_changes_only_white_space(text: str, width: int) -> None:
    found = extraction(text, *([(0, len(text), "x y", 0.5)] if text.strip() else []))
    wrapped, whole = to_ansi(found, color=False, width=width), to_ansi(found, color=False)
    assert wrapped.split("\n\nstart")[0].split() == whole.split("\n\nstart")[0].split()


def test_wide_characters_are_aligned() -> None:
    found = extraction("東京 and Bonn", (0, 2, "city", 0.5), (7, 11, "city", 0.5))
    wide, narrow = to_ansi(found, color=False).splitlines()[-2:]
    assert (wide.index("city"), narrow.index("city")) == (18 - 2, 18)


class Page(HTMLParser):
    """Checks that tags nest, and collects the text outside of styles and labels."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "article" in self.open and not {"bdi", "details"} & set(self.open):
            self.text += data


def parse(page: str) -> Page:
    parsed = Page()
    parsed.feed(page)
    assert not parsed.open
    return parsed


def test_page_is_self_contained_and_nested() -> None:
    page = to_html(NESTED)
    parsed = parse(page)
    assert page.startswith("<!doctype html>")
    assert "prefers-color-scheme: dark" in page
    assert not re.search(r"https?:|<script|<link|url\(", page)
    assert parsed.text.strip() == NESTED.text
    assert "University of <mark" in page
    assert ("div", {"class": "text", "dir": "auto"}) in parsed.seen
    assert [tag for tag, _ in parsed.seen].count("mark") == 2


def test_page_escapes_text_and_labels() -> None:
    evil = '<script>alert("1")</script>&amp;\x00\u202e'
    page = to_html([extraction(evil, (0, 8, evil, 0.5)), extraction("plain")])
    parsed = parse(page)
    assert "script" not in {tag for tag, _ in parsed.seen}
    assert "<script>" in parsed.text
    assert "\x00" not in page
    assert "\u202e" not in page
    assert [tag for tag, _ in parsed.seen].count("article") == 2


@given(st.text(st.characters(), max_size=20), st.data())
def test_pages_of_any_text_can_be_written(text: str, data: st.DataObject) -> None:
    position = st.integers(0, len(text))
    pairs = data.draw(st.lists(st.tuples(position, position, st.sampled_from("xyz")), max_size=5))
    found = extraction(text, *((min(a, b), max(a, b), label, 0.5) for a, b, label in pairs if a != b))
    page = to_html(found)
    parse(page)
    page.encode("utf-8")
    to_ansi(found, color=True, width=40).encode("utf-8")
