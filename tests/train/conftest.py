"""A tiny BERT on disk, a corpus with nonsense labels, and what the tests of training build on them."""

from __future__ import annotations

import json
import string
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from onoma.config import TextConfig
from onoma.text.tokenizer import SubwordTokenizer
from onoma.text.windows import Windower

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WIDTH = 32


def make_tokenizer() -> Tokenizer:
    """A WordPiece tokenizer of single characters, so that it reads any lower-case English."""
    pieces = [*string.ascii_lowercase, *string.digits, *string.punctuation]
    vocabulary = [*SPECIAL, *pieces, *(f"##{piece}" for piece in pieces)]
    ids = {piece: number for number, piece in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])]
    )
    return tokenizer


@pytest.fixture(scope="session")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a 2 x 32 BERT of random weights and its tokenizer."""
    folder = tmp_path_factory.mktemp("backbone")
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=make_tokenizer(), pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    config = transformers.BertConfig(
        vocab_size=len(tokenizer), hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=128,
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def windower() -> Windower:
    """Cuts windows of at most 32 sub-tokens (single characters) that share 8 units; spans have up to 4."""
    config = TextConfig(max_tokens=32, overlap_units=8)
    return Windower(SubwordTokenizer(make_tokenizer()), config, max_width=4)


@pytest.fixture(scope="session")
def marked() -> Callable[..., dict[str, object]]:
    """Return a function that makes a row of text in which `[words|label]` are marked."""

    def parse(source: str, **more: object) -> dict[str, object]:
        text, entities = "", []
        for part in source.replace("]", "[").split("["):
            words, bar, label = part.partition("|")
            if bar:
                entities.append({"start": len(text), "end": len(text) + len(words), "label": label})
            text += words
        return {"text": text, "entities": entities, **more}

    return parse


@pytest.fixture(scope="session")
def write_rows() -> Callable[[Path, Sequence[dict[str, object]]], Path]:
    """Return a function that writes rows as JSONL and returns the path."""

    def write(path: Path, rows: Sequence[dict[str, object]]) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    return write


RECIPE = """
name = "tiny"
validate_every = 1000
checkpoint_every = 1000

[model]
text_backbone = "BACKBONE"
label_backbone = "BACKBONE"
inner = 16
max_width = 4

[text]
max_tokens = 64
overlap_units = 8

[optim]
steps = 4
batch_tokens = 512
max_labels = 8
lowercase_rate = 0.0
backbone_lr = 3e-3
label_lr = 3e-3
head_lr = 1e-2

[[corpora]]
path = "nonsense.jsonl"
annotation = "partial"
share = 1.0
"""


@pytest.fixture
def recipe(
    backbone: Path,
    tmp_path: Path,
    marked: Callable[..., dict[str, object]],
    write_rows: Callable[[Path, Sequence[dict[str, object]]], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A recipe of a few steps on a few sentences in a folder of its own."""
    monkeypatch.delenv("ONOMA_DATA", raising=False)
    write_rows(tmp_path / "nonsense.jsonl", [marked(source) for source in NONSENSE])
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE.replace("BACKBONE", str(backbone)), encoding="utf-8")
    return path


ZORKS = ("Mira", "Tov Elm", "Kandra", "Ost", "Ruvi Pel")
BLIPS = ("quen", "sorrel", "plim", "garn", "wex")
NONSENSE = [
    template.format(zork=zork, blip=blip)
    for number, (zork, blip) in enumerate(zip(ZORKS, BLIPS, strict=True))
    for template in (
        "[{zork}|zork] has a [{blip}|blip].",
        "Who gave the [{blip}|blip] to [{zork}|zork]?",
        "A [{blip}|blip] is here, says [{zork}|zork].",
        f"Nobody saw it on day {number}.",
    )
]
"""Twenty sentences in which names are `zork` and things are `blip`."""
