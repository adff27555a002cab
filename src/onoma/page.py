"""Extractions as one self-contained HTML page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from onoma.marks import COLORS, Close, Open, Text, color_numbers, marks, visible, visible_in_line
from onoma.types import Extraction

_HUES = (212, 135, 30, 335, 262, 182, 50, 8, 92, 300, 160, 235)
assert len(_HUES) == COLORS

_STYLE = """
:root { color-scheme: light dark; --page: #fff; --ink: #1c2024; --soft: #687076; --line: #e3e6ea; --card: #fbfcfd;
  --fill: 88% 88%; --edge: 55% 72%; --chip: 60% 34%; --on-chip: #fff; }
@media (prefers-color-scheme: dark) { :root { --page: #131517; --ink: #e8eaed; --soft: #9ba1a6; --line: #2b3035;
  --card: #1a1d20; --fill: 42% 24%; --edge: 38% 38%; --chip: 62% 74%; --on-chip: #131517; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
.legend { position: sticky; top: 0; z-index: 1; display: flex; flex-wrap: wrap; gap: .4rem; margin: 0;
  padding: .75rem 0; max-height: 30vh; overflow-y: auto; list-style: none;
  background: var(--page); border-bottom: 1px solid var(--line); }
article { margin: 1.25rem 0; padding: 1.25rem 1.5rem; background: var(--card);
  border: 1px solid var(--line); border-radius: .75rem; }
.text { line-height: 2.3; white-space: pre-wrap; overflow-wrap: anywhere; tab-size: 4; unicode-bidi: plaintext;
  overflow-x: auto; }
mark { padding: .2em .35em; border-radius: .35em; color: inherit; background: hsl(var(--hue) var(--fill));
  box-shadow: 0 0 0 1px hsl(var(--hue) var(--edge)); -webkit-box-decoration-break: clone; box-decoration-break: clone; }
mark mark { padding-block: .05em; }
.label { margin-inline-start: .45em; padding: .25em .45em; border-radius: .3em; font-size: .72em;
  font-weight: 600; line-height: 1.1; vertical-align: .1em; white-space: nowrap; user-select: none;
  color: var(--on-chip); background: hsl(var(--hue) var(--chip)); }
.legend .label { margin: 0; font-size: .85rem; }
.legend .count { font-weight: 400; opacity: .85; }
details { margin-top: 1rem; color: var(--soft); }
summary { cursor: pointer; font-size: .9rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin-top: .5rem; font-size: .9rem; color: var(--ink); }
th, td { padding: .3rem .75rem; text-align: start; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
""" + "".join(f".c{number} {{ --hue: {hue}; }}\n" for number, hue in enumerate(_HUES))


def to_html(extractions: Extraction | Sequence[Extraction], *, labels: Sequence[str] = ()) -> str:
    """Render extractions as a page that needs no other file: legend, highlighted texts, a table below each.

    The page follows the reader's light or dark theme, and the direction of each paragraph follows its text.

    Args:
        extractions: one extraction or several.
        labels: label names in the order that fixes their colours and the legend.

    Returns:
        A complete HTML document; text and labels are escaped.

        >>> to_html(Extraction("a < b", (), Report())).count("a &lt; b")  # doctest: +SKIP
        1
    """
    items = [extractions] if isinstance(extractions, Extraction) else list(extractions)
    counts = Counter(entity.label for item in items for entity in item)
    numbers = color_numbers([*labels, *counts])
    articles = "\n".join("".join(_article(item, numbers)) for item in items)
    return (
        '<!doctype html>\n<html lang="und">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Entities</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"{_legend(counts, numbers)}{articles}\n</main>\n</body>\n</html>\n"
    )


def _legend(counts: Mapping[str, int], numbers: Mapping[str, int]) -> str:
    """List the labels that were found, with their colours and counts."""
    entries = "".join(
        f'<li class="label c{number}"><bdi>{_escaped(name)}</bdi> <span class="count">{counts[name]}</span></li>'
        for name, number in numbers.items()
        if name in counts
    )
    return f'<ul class="legend" aria-label="Labels">{entries}</ul>\n' if entries else ""


def _article(extraction: Extraction, numbers: Mapping[str, int]) -> Iterator[str]:
    yield '<article>\n<div class="text" dir="auto">'
    for mark in marks(extraction):
        match mark:
            case Open(entity):
                tip = _escaped(f"{entity.label} \u00b7 {entity.score:.3f} \u00b7 {entity.start}\u2013{entity.end}")
                yield f'<mark class="c{numbers[entity.label]}" title="{tip}">'
            case Text(text):
                yield escape(visible(text))
            case Close(entity, ends):
                yield f'<bdi class="label">{_escaped(entity.label)}</bdi></mark>' if ends else "</mark>"
    yield "</div>\n"
    yield from _table(extraction)
    yield "</article>"


def _table(extraction: Extraction) -> Iterator[str]:
    count = len(extraction)
    if not count:
        yield "<details><summary>no entities</summary></details>\n"
        return
    yield f"<details><summary>{count} {'entity' if count == 1 else 'entities'}</summary>\n"
    yield '<div class="scroll"><table>\n<thead><tr><th class="number">start</th><th class="number">end</th>'
    yield '<th>text</th><th>label</th><th class="number">score</th></tr></thead>\n<tbody>\n'
    for entity in extraction:
        yield f'<tr><td class="number">{entity.start}</td><td class="number">{entity.end}</td>'
        yield f'<td dir="auto">{_escaped(entity.text)}</td><td dir="auto">{_escaped(entity.label)}</td>'
        yield f'<td class="number">{entity.score:.3f}</td></tr>\n'
    yield "</tbody>\n</table></div></details>\n"


def _escaped(name: str) -> str:
    return escape(visible_in_line(name))
