"""The tokenizer of a transformers folder, as it is stated and as it becomes part of a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from featurize.bundle import TOKENIZER
from featurize.errors import ExportError
from featurize.export.quiet import quiet
from featurize.export.text import tokenizer_json
from featurize.types import Json

if TYPE_CHECKING:
    from tokenizers import Tokenizer


@dataclass(frozen=True, slots=True)
class TextReading:
    """How texts become token ids: at most `max_length`, and with padding always as many.

    `stated` is the tokenizer of transformers that the folder names, which may run in Python;
    `tokenizer` is that of the `tokenizers` library.
    """

    folder: Path
    tokenizer: Tokenizer
    stated: Any
    max_length: int
    padded: bool

    def token_ids(self, text: str) -> Sequence[int]:
        """Return the ids of a text as the source itself reads it."""
        ids: Sequence[int] = self.stated(
            text,
            truncation=True,
            max_length=self.max_length,
            padding="max_length" if self.padded else False,
        )["input_ids"]
        return ids

    def definition(self) -> Json:
        """Return the bundle's tokenizer; padding stands in it where it is part of what is read."""
        plain = tokenizer_json(self.tokenizer, self.folder)
        if not self.padded:
            return plain
        if self.stated.pad_token_id is None or self.stated.padding_side != "right":
            raise ExportError(
                f"The texts of {self.folder} are to be padded, and its tokenizer does not do so on "
                "the right.",
                fix="State a pad_token, and the padding_side 'right', in tokenizer_config.json.",
            )
        padding = {
            "strategy": {"Fixed": self.max_length},
            "direction": "Right",
            "pad_to_multiple_of": None,
            "pad_id": self.stated.pad_token_id,
            "pad_type_id": 0,
            "pad_token": self.stated.pad_token,
        }
        return {**plain, "padding": padding}


def read_tokenizer(folder: Path) -> tuple[Tokenizer, Any]:
    """Return the tokenizer of a folder, of the `tokenizers` library and as the folder states it.

    One that needs a package that is not here, as SigLIP's does, is taken from its tokenizer.json.
    Raises ExportError where there is none.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    options = {"local_files_only": True, "trust_remote_code": False}
    with quiet():
        try:
            stated = AutoTokenizer.from_pretrained(str(folder), **options)
        except Exception:  # noqa: BLE001 - a class may ask for anything; its file says the same
            stated = None
        fast = stated
        if not getattr(stated, "is_fast", False):
            if not (folder / TOKENIZER).is_file():
                raise ExportError(
                    f"{folder} has no tokenizer of the `tokenizers` library.",
                    fix=f"Save the model with a fast tokenizer ({TOKENIZER}).",
                )
            fast = PreTrainedTokenizerFast.from_pretrained(str(folder), **options)
    return fast.backend_tokenizer, stated or fast
