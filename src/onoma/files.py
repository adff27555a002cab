"""The command line's input and output: bytes in, UTF-8 out, whatever the locale says."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import typer

from onoma.errors import OnomaError
from onoma.text.formats import decode_utf8

STDIN = "-"


def read_input(source: str) -> str:
    """Read a whole text, line ends as they are, from a file or from standard input (`-`).

    Raises:
        OnomaError: if it is not UTF-8, or standard input is closed.
        OSError: if the file cannot be read.

        >>> read_input("letter.txt")  # doctest: +SKIP
        'Dear Ada,'
    """
    if source != STDIN:
        return decode_utf8(Path(source).read_bytes(), name=source)
    if sys.stdin is None:
        raise OnomaError("standard input is closed; name a file or pipe a text in.")
    if sys.stdin.isatty():
        typer.echo("reading from the terminal; end the text with Ctrl-D on a line of its own", err=True)
    return decode_utf8(sys.stdin.buffer.read(), name="standard input")


def check_paths(source: str, output: Path | None) -> None:
    """Check that `source` can be read and `output` be written, leaving both as they are.

    Raises:
        OnomaError: if both are the same file.
        OSError: if one of them cannot be opened.
    """
    if source != STDIN:
        Path(source).open("rb").close()
    if output is None or output.is_fifo():
        return
    existed = output.exists()
    if existed and source != STDIN and os.path.samefile(source, output):
        raise OnomaError(f"{output} is both the input and the --output, and would be overwritten; name another.")
    output.open("ab").close()
    if not existed:
        output.unlink()


@contextmanager
def open_output(output: Path | None) -> Iterator[Callable[[str], None]]:
    """Open a file, or standard output if it is `None`, and give a function that writes text to it as UTF-8.

    Raises:
        OnomaError: if standard output is closed.
        OSError: if writing fails.

        >>> with open_output(None) as write:  # doctest: +SKIP
        ...     write("done")
    """
    if output is None and sys.stdout is None:
        raise OnomaError("standard output is closed; name a file with --output.")
    with nullcontext(sys.stdout.buffer) if output is None else output.open("wb") as stream:

        def write(text: str) -> None:
            rest = memoryview(text.encode("utf-8"))
            while rest:  # with PYTHONUNBUFFERED, standard output may take only a part at a time
                rest = rest[stream.write(rest) :]
            stream.flush()  # each piece is some model work away from the next

        yield write


def abandon_stdout() -> None:
    """If standard output cannot take what is left in its buffer, send that nowhere, so that Python exits quietly."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
