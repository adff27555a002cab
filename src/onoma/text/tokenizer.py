"""Sub-word tokenisation with exact character offsets, on top of the `tokenizers` library."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from onoma.errors import OnomaError
from onoma.types import IntArray

if TYPE_CHECKING:
    import tokenizers

_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Tokens:
    """Sub-tokens of a text without special tokens: ids and half-open character ranges, each [T]."""

    ids: IntArray
    starts: IntArray
    ends: IntArray


class SubwordTokenizer:
    """A `tokenizer.json` that never truncates, never pads, accepts every Python string and reads all of it as text.

    Args:
        backend: the tokenizer; its own truncation and padding settings are switched off.
    """

    def __init__(self, backend: tokenizers.Tokenizer) -> None:
        backend.no_truncation()
        backend.no_padding()
        backend.encode_special_tokens = True  # "[SEP]" in a text is five characters, not the end of the text
        self._backend = backend
        self.prefix, self.suffix = self._special_tokens()
        self.pad_id = self._token_id("[PAD]", "<pad>", "<|padding|>", default=0)
        self.unknown_id = self._token_id("[UNK]", "<unk>", "[MASK]", "<mask>", default=self.pad_id)

    @staticmethod
    def load(path: Path) -> SubwordTokenizer:
        """Read a `tokenizer.json`; raises `OnomaError` if it is missing or damaged."""
        import tokenizers

        if not path.is_file():
            raise OnomaError(f"{path} does not exist; an onoma model folder must contain it.")
        try:
            backend = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception
            raise OnomaError(f"{path} is not a valid tokenizer ({error}); fetch the model again.") from None
        return SubwordTokenizer(backend)

    def save(self, path: Path) -> None:
        """Write `tokenizer.json`."""
        self._backend.save(str(path))

    @property
    def vocabulary_size(self) -> int:
        """Number of token ids."""
        return int(self._backend.get_vocab_size())

    def tokenize(self, text: str) -> Tokens:
        """Tokenise a text of any length, without special tokens. Lone surrogates are read as U+FFFD."""
        encoding = self._backend.encode(encodable(text), add_special_tokens=False)
        offsets = np.array(encoding.offsets, np.int64).reshape(-1, 2)
        return Tokens(np.array(encoding.ids, np.int64), offsets[:, 0], offsets[:, 1])

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of short texts (labels), special tokens included."""
        encodings = self._backend.encode_batch([encodable(text) for text in texts], add_special_tokens=True)
        return [encoding.ids for encoding in encodings]

    def _special_tokens(self) -> tuple[list[int], list[int]]:
        """Return the ids that the tokenizer puts before and after a text."""
        bare = self._backend.encode("a", add_special_tokens=False).ids
        full = self._backend.encode("a", add_special_tokens=True).ids
        before = next(i for i in range(len(full) + 1) if full[i : i + len(bare)] == bare)
        return full[:before], full[before + len(bare) :]

    def _token_id(self, *names: str, default: int) -> int:
        ids = (self._backend.token_to_id(name) for name in names)
        return next((token_id for token_id in ids if token_id is not None), default)


def encodable(text: str) -> str:
    """Replace lone surrogates, which have no UTF-8 form, by U+FFFD; offsets stay the same."""
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)
