"""Job: the one declaration of every option of `embed`. The command line is derived from it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from featurize.config.checks import allowed_rejects, check_device, check_overlap, check_seconds
from featurize.config.choices import (
    LabelFrom,
    Overflow,
    Pool,
    Precision,
    RuntimeName,
    Store,
    choose,
)
from featurize.errors import UsageError
from featurize.types import Json, Modality

_CHOICES: dict[str, type[StrEnum]] = {
    "modality": Modality,
    "label_from": LabelFrom,
    "runtime": RuntimeName,
    "precision": Precision,
    "store": Store,
    "overflow": Overflow,
    "pool": Pool,
}

# What decides how rows are made, and its value where neither user nor table says otherwise. A table
# is made one way: it remembers them.
_REMEMBERED: dict[str, Any] = {
    "prompt": None,
    "overflow": Overflow.TRUNCATE,
    "overlap": None,
    "pool": None,
    "dim": None,
    "store": Store.FLOAT32,
}


def option(
    default: Any, text: str, *, metavar: str | None = None, choices: type | None = None
) -> Any:
    """Declare an option: its default, its help, how the command line shows it, and its type."""
    hints = {"help": text, "metavar": metavar, "choices": choices or str}
    return field(default=default, metadata=hints)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run of `embed`: raw data in, embedding table out.

    Every choice may be given as its string. Raises UsageError where options contradict each other.
    """

    source: str | Path = field(
        kw_only=False,
        metadata={
            "help": "A folder of texts or images, a CSV, TSV, JSONL or Parquet file, or archives "
            "(tar, zip)."
        },
    )
    out: str | Path = field(
        metadata={"help": "The folder of the embedding table, made or brought up to date."}
    )
    encoder: str | None = option(
        None,
        "Encode with minilm, efficientnet-lite0, a bundle, or the folder or id of a "
        "sentence-transformers or image model, instead of the table's own encoder or the default.",
        metavar="NAME",
    )
    revision: str | None = option(
        None,
        "Use this branch, tag or commit of an encoder on the Hugging Face Hub.",
        metavar="REV",
    )
    modality: Modality | str | None = option(
        None, "Embed the texts or the images of a source that holds both.", choices=Modality
    )
    text_column: str | None = option(
        None, "Column with the text, where it is not named text.", metavar="C"
    )
    image_column: str | None = option(
        None, "Column with image paths or bytes, where it is not named image.", metavar="C"
    )
    image_root: str | Path | None = option(
        None, "Resolve image paths against this folder, not that of the table file.", metavar="DIR"
    )
    id_column: str | None = option(
        None, "Column with a unique id for each row, where it is not named id.", metavar="C"
    )
    label_column: str | None = option(
        None, "Column with the label, where it is not named label.", metavar="C"
    )
    label_from: LabelFrom | str | None = option(
        None,
        "Label files by the folder they lie in, or by the top folder of their path.",
        choices=LabelFrom,
    )
    rename: tuple[str, ...] = option(
        (),
        "Give a column of the source another name in the table; may be repeated.",
        metavar="OLD=NEW",
    )
    encoding: str = option("utf-8", "Character encoding of a CSV or TSV file.")
    delimiter: str | None = option(
        None, "Delimiter of a CSV or TSV file, where it is not a comma or a tab."
    )
    device: str = option("auto", "Compute on this device: auto, cpu, cuda or cuda:N.")
    runtime: RuntimeName | str = option(
        RuntimeName.AUTO, "Execute the encoder with this library.", choices=RuntimeName
    )
    precision: Precision | str = option(
        Precision.AUTO,
        "Compute in this number format.",
        choices=Precision,
    )
    prompt: str | None = option(
        None,
        "Put the encoder's prompt for a query or a document, or a text of your own, before every "
        "text.",
        metavar="query|document|TEXT",
    )
    dim: int | None = option(
        None,
        "Keep the first N numbers of every vector, for encoders trained for that (Matryoshka).",
        metavar="N",
        choices=int,
    )
    store: Store | str | None = option(
        None,
        "Store vectors in this number format: half the size, a quarter, or signs alone (default: "
        "float32).",
        choices=Store,
    )
    overflow: Overflow | str | None = option(
        None,
        "Cut a text that is longer than the encoder reads, make a row of each of its windows, or "
        "reject it (default: truncate).",
        choices=Overflow,
    )
    overlap: int | None = option(
        None,
        "Let neighbouring windows of --overflow chunk share so many tokens (default: an eighth of "
        "a window).",
        metavar="TOKENS",
        choices=int,
    )
    pool: Pool | str | None = option(
        None,
        "Give a text of several windows one row, with the mean of their vectors.",
        choices=Pool,
    )
    max_rejects: str | int | None = option(
        None,
        "Exit 0 while the table holds at most N rejects, or P% of its inputs; stop with 1 above.",
        metavar="N|P%",
    )
    retry_rejects: bool = option(
        False, "Try again contents that were rejected before and have not changed."
    )
    trust_mtime: bool = option(
        False, "Do not read files whose times say that they are as the last finished run saw them."
    )
    wait: bool = option(
        False, "Wait while another process writes to the table, instead of failing."
    )
    stuck_after: float = option(
        45.0,
        "Stop when a worker is silent for so long; give more where disks are slow.",
        metavar="SECONDS",
    )
    append: bool = option(
        False, "Add and update inputs of this or another source, and delete nothing."
    )
    allow_delete: bool = option(
        False, "Let the run delete more than 20 % of the rows, whose inputs are gone."
    )
    no_text: bool = option(False, "Leave the texts themselves out of the table.")

    def __post_init__(self) -> None:
        """Turn strings into choices and refuse what cannot be meant."""
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, choose(choices, value, name))
        for name in ("source", "out"):
            object.__setattr__(self, name, _path(getattr(self, name), name))
        check_device(self.device)
        self._check_columns()
        check_overlap(self.overlap)
        check_seconds(self.stuck_after, "stuck-after")
        allowed_rejects(self.max_rejects, 0)

    def settled(self, before: Json) -> Job:
        """Return the job with what it leaves open as `before` states it, else by default.

        Raises UsageError for an option of windows where texts are not cut into any.
        """
        known = recalled(before)
        overflow = self.overflow or known["overflow"]
        for name in ("overlap", "pool"):
            if overflow != Overflow.CHUNK and getattr(self, name) is not None:
                raise UsageError(
                    f"--{name} is for the windows of --overflow chunk, and the run is with "
                    f"--overflow {overflow}.",
                    fix=f"Add --overflow chunk, or leave --{name} out.",
                )
        return replace(self, **{name: known[name] for name in known if getattr(self, name) is None})

    def remembered(self) -> Json:
        """Return what a table remembers of a settled job."""
        return {name: getattr(self, name) for name in _REMEMBERED}

    def _check_columns(self) -> None:
        """Refuse a text and an image column at once, and column options of the other modality."""
        if self.text_column and self.image_column:
            raise UsageError(
                "--text-column and --image-column were both given.",
                fix="A table holds texts or images: give one of them.",
            )
        implied = {Modality.TEXT: self.image_column, Modality.IMAGE: self.text_column}
        if self.modality is not None and implied[Modality(self.modality)]:
            raise UsageError(f"--modality {self.modality} contradicts the column that was given.")
        for pair in self.rename:
            old, equals, new = pair.partition("=")
            if not (old and equals and new):
                raise UsageError(f"--rename expects OLD=NEW, got {pair!r}.")


def recalled(before: Json) -> Json:
    """Return what a table remembers, by default where it is older than an option."""
    return {name: before.get(name, default) for name, default in _REMEMBERED.items()}


def _path(value: str | Path, name: str) -> Path:
    """Return a path; raise UsageError for what names no file."""
    if not isinstance(value, str | Path):
        raise UsageError(
            f"{name} expects a path, got {type(value).__name__}.",
            fix="Save tables in memory to a CSV or Parquet file first.",
        )
    if not str(value):
        raise UsageError(f"{name} expects a path, got an empty string.")
    return Path(value)
