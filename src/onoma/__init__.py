"""onoma finds and types the names in a text, for any labels you write down.

    import onoma

    ner = onoma.load()
    for entity in ner.extract("Ada Lovelace met Charles Babbage in London.", ["mathematician", "capital city"]):
        print(entity.start, entity.end, entity.text, entity.label, entity.score)

The path of the data: text (units, windows, batches) -> encode (vectors) -> heads (scores) -> labels (what is asked
for) -> decode (entities). This module only names the public surface; each name is imported on first use, so that
`import onoma` loads neither numpy nor onnxruntime nor torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onoma.errors import OnomaError
    from onoma.labels.labelset import LabelSet
    from onoma.model import NER, load
    from onoma.types import Document, Entity, Extraction, Label, Overlap, Report

__version__ = "0.1.0"

__all__ = [
    "NER",
    "Document",
    "Entity",
    "Extraction",
    "Label",
    "LabelSet",
    "OnomaError",
    "Overlap",
    "Report",
    "__version__",
    "load",
]

_MODULES = {
    "NER": "onoma.model",
    "Document": "onoma.types",
    "Entity": "onoma.types",
    "Extraction": "onoma.types",
    "Label": "onoma.types",
    "LabelSet": "onoma.labels.labelset",
    "OnomaError": "onoma.errors",
    "Overlap": "onoma.types",
    "Report": "onoma.types",
    "load": "onoma.model",
}


def __getattr__(name: str) -> object:
    """Import a public name on first use (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module 'onoma' has no attribute {name!r}")
    found: object = getattr(import_module(_MODULES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
