"""Tiny models with random weights, tokenizers built in memory, and texts of every kind, for tests."""

from __future__ import annotations

import string
from functools import cache
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from onoma.config import EncoderConfig, HeadConfig, ModelConfig, TextConfig, UnitPolicy
from onoma.decode.thresholds import Thresholds
from onoma.model import NER
from onoma.text.tokenizer import SubwordTokenizer
from onoma.types import Encoded, FloatArray, TokenBatch
from onoma.weights import Weights

WIDTH = 32
VOCABULARY = 400  # rows of the tiny embedding table: at least the size of either vocabulary
POSITIONS = 512
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["ada", "lovelace", "paris", "london", "met", "in", "the", "city", "person", "enzyme", "##ing", "##s"]
CHARACTERS = string.ascii_lowercase + string.digits + string.punctuation + "東京שéßا"

# Words that vocabularies know and do not know, and everything that has broken an offset somewhere.
FRAGMENTS = [
    "Ada Lovelace", "Paris", "london's", "met", "the-city", "NASA", "iPod", "C3PO", "snake_case", "a" * 45,
    " ", "  ", "\n", "\t", "\r\n", "\u00a0", "\u2028", "\u3000", "\x00", "\x1b", "\x85", "\u200b", "\u200d", "\u200c",
    "\ufeff", "\u202e", "\u00ad", "\ud83d", "\udc00", "\ufffd", "\ufffe", "\ue000", "\U0010ffff",
    "e\u0301", "\u0301", "\u0301\u0302", "é", "aéb", "+\u0308", "İ", "ß", "ﬁ", "ǅ", "Å", "𝒜", "½", "²", "Ⅷ",
    "1,234.5", "3.", "7", ".5", "1.2.", ",", "...", "!?", "€", "(", "_", "##s", "[SEP]", "[UNK]", "[PAD]", "<pad>",
    "👍🏽", "👩\u200d👩\u200d👧", "🇫🇷", "🇫", "1\ufe0f\u20e3", "❤\ufe0f",
    "שלום", "العربية", "هذا", "हिन्दी", "नमस्ते", "ഭാഷ", "한국어", "\u1112\u1161\u11ab", "Ελλάδα", "Москва",
    "東京", "二〇二四", "ひらがな", "カタカナー", "ภาษาไทย", "ກຳ", "ខ្មែរ", "မြန်မာ", "東京タワーへ行く", "，", "。",
]  # fmt: skip


def texts(*, max_fragments: int = 12) -> st.SearchStrategy[str]:
    """Strings that mix scripts, marks, emoji, control characters and lone surrogates."""
    characters = st.text(st.characters(exclude_categories=()), max_size=4)
    spaced = st.sampled_from(FRAGMENTS).map(lambda fragment: fragment + " ")
    return st.lists(st.sampled_from(FRAGMENTS) | spaced | characters, max_size=max_fragments).map("".join)


def word_texts(*, max_words: int = 12) -> st.SearchStrategy[str]:
    """Plain English-looking strings."""
    words = st.sampled_from(["Ada", "Lovelace", "met", "Paris", "in", "London", "the", "city", "enzymes", "NASA", "."])
    return st.lists(words, max_size=max_words).map(" ".join)


@cache
def wordpiece() -> SubwordTokenizer:
    """An uncased WordPiece tokenizer that knows single characters and a few words."""
    vocabulary = [*SPECIAL, *CHARACTERS, *(f"##{char}" for char in CHARACTERS), *WORDS]
    ids = {token: number for number, token in enumerate(vocabulary)}
    backend = Tokenizer(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=30))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.BertProcessing(("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"]))
    backend.decoder = decoders.WordPiece()
    backend.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    return SubwordTokenizer(backend)


@cache
def byte_bpe() -> SubwordTokenizer:
    """A byte-level BPE tokenizer without special tokens around a text; some merges tear characters apart."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [tuple(pair) for pair in ("Ġp", "Ġl", "in", "ad", "aÃ", "©b", "ĤÑ", "æĿ", "ĊĊ")]
    vocabulary = ["<pad>", *alphabet, *("".join(pair) for pair in merges)]
    ids = {token: number for number, token in enumerate(vocabulary)}
    backend = Tokenizer(models.BPE(ids, merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return SubwordTokenizer(backend)


def model_config(
    *,
    units: UnitPolicy = UnitPolicy.WORD,
    max_tokens: int = 64,
    max_width: int = 4,
    lowercase: bool = True,
    **head: float,
) -> ModelConfig:
    """The configuration of a BERT of two layers and 32 dimensions with a small marker head."""
    backbone = {
        "model_type": "bert", "vocab_size": VOCABULARY, "hidden_size": WIDTH, "num_hidden_layers": 2,
        "num_attention_heads": 4, "intermediate_size": 48, "max_position_embeddings": POSITIONS,
        "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "pad_token_id": 0,
    }  # fmt: skip
    return ModelConfig(
        name="tiny",
        text=TextConfig(units=units, max_tokens=max_tokens, overlap_units=2 * max_width, lowercase=lowercase),
        encoder=EncoderConfig(text_backbone=backbone, label_backbone=backbone, max_label_tokens=40),
        head=HeadConfig(width=WIDTH, inner=12, max_width=max_width, **head),
    )


def head_weights(config: HeadConfig, *, seed: int = 0) -> dict[str, FloatArray]:
    """Random weights of a marker head's scoring part, of a size that spreads probabilities over 0..1."""
    random = np.random.default_rng(seed)
    shapes = {
        "widths": (config.max_width, config.inner), "label_map": (config.inner, config.width),
        "label_bias": (config.width,), "mention": (config.inner,), "mention_bias": (), "bias": (),
    }  # fmt: skip
    weights = {name: np.asarray(random.normal(0, 0.5, shape), np.float32) for name, shape in shapes.items()}
    return {**weights, "log_scale": np.asarray(np.log(5.0), np.float32)}


@cache
def torch_model(*, seed: int = 0, **options):
    """A dual model whose weights are all random, the zero-initialised ones of the head and the case table included."""
    import torch

    from onoma.engines.torch import DualModel

    model = DualModel.from_config(model_config(**options)).eval()
    generator = torch.Generator().manual_seed(seed)
    head = head_weights(model.head.config, seed=seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "LayerNorm" not in name:
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.2)
        for name, values in head.items():
            getattr(model.head, name).copy_(torch.from_numpy(values))
    return model


@cache
def ner(*, tokenizer=wordpiece, seed: int = 0, **options) -> NER:
    """A tiny model run by PyTorch in float32."""
    from onoma.engines.torch import TorchEngine

    model = torch_model(seed=seed, **options)
    weights = Weights({name: tensor.numpy().copy() for name, tensor in model.weights().items()})
    return NER(
        model_config(**options), weights, TorchEngine(model, threads=1), tokenizer(), Thresholds(0.5, {"city": 0.4})
    )


@cache
def bag_ner(*, tokenizer=wordpiece, seed: int = 0, **options) -> NER:
    """A model whose unit vectors depend on the unit's own sub-tokens alone; it reads windows of any size."""
    config = model_config(**options)
    weights = Weights({f"head.{name}": array for name, array in head_weights(config.head, seed=seed).items()})
    return NER(config, weights, BagEngine(config.head, seed=seed), tokenizer(), Thresholds(0.5))


class BagEngine:
    """Looks vectors of sub-tokens up and averages them: no context, no positions, no torch."""

    def __init__(self, config: HeadConfig, *, seed: int = 0) -> None:
        random = np.random.default_rng(seed + 1)
        self._tables = [random.normal(0, 1, (VOCABULARY, size)) for size in (config.inner, config.inner, config.width)]

    def encode(self, batch: TokenBatch) -> Encoded:
        start, end, residual = ((batch.pool @ table[batch.token_ids]).astype(np.float32) for table in self._tables)
        return Encoded(start, end, residual, batch.unit_counts)

    def encode_labels(self, token_ids, attention_mask) -> FloatArray:
        sums = (self._tables[2][token_ids] * attention_mask[:, :, None]).sum(1)
        return (sums / np.linalg.norm(sums, axis=1, keepdims=True)).astype(np.float32)


def save_with_graphs(model: NER, folder: Path) -> Path:
    """Write the complete folder of a model, ONNX graphs included."""
    from onoma.engines.export import export_onnx
    from onoma.weights import read_weights

    model.save(folder)
    export_onnx(model.config, read_weights(folder / "model.safetensors"), folder / "onnx")
    return folder
