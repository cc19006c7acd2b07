"""Where the files of a table lie, and the schema they share."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from featurize.bundle import EncoderCard
from featurize.config import Store
from featurize.errors import TableError
from featurize.table.elements import ELEMENTS
from featurize.types import Json

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 2  # 1 is written where vectors are float32, which is all it knows
METADATA_KEY = b"featurize"
EMBEDDING = "embedding"
PARENT = "parent_id"
PARENT_SHA256 = "parent_sha256"


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders of a table: rows, rejects, commits and unfinished parts."""

    root: Path
    data: Path
    rejects: Path
    log: Path
    staging: Path

    @classmethod
    def of(cls, root: Path) -> Self:
        """Return the layout of the table at `root`."""
        return cls(root, root / "data", root / "_rejects", root / "_log", root / "_staging")

    @property
    def folders(self) -> tuple[Path, ...]:
        """Return the folders that make up a table."""
        return self.data, self.rejects, self.log, self.staging


@dataclass(frozen=True, slots=True)
class RowColumns:
    """The columns between `label` and `embedding`: the processor's, then the user's own."""

    label: pa.DataType
    processor: dict[str, str]
    user: pa.Schema

    def schema(self, card: EncoderCard, store: Store = Store.FLOAT32) -> pa.Schema:
        """Return the schema every part of the table shares."""
        import pyarrow as pa

        fields = [
            pa.field("id", pa.string(), nullable=False),
            pa.field("source", pa.string(), nullable=False),
            pa.field("label", self.label),
            pa.field("content_sha256", pa.string(), nullable=False),
            *(pa.field(name, pa.type_for_alias(kind)) for name, kind in self.processor.items()),
            *self.user,
            pa.field(EMBEDDING, embedding_type(card.dim, store), nullable=False),
        ]
        stamp: Json = {"format": 1, "encoder": card.to_json()}
        if store is not Store.FLOAT32:
            stamp |= {"format": FORMAT, "store": store}
        return pa.schema(fields, {METADATA_KEY: json.dumps(stamp, sort_keys=True).encode()})


def is_chunked(schema: pa.Schema) -> bool:
    """Say whether the rows of a table are chunks of its inputs."""
    return PARENT in schema.names


def chunk_id(parent: str, number: int) -> str:
    """Return the id of a chunk of an input, numbered from 0."""
    return f"{parent}::{number:04}"


def embedding_type(dim: int, store: Store = Store.FLOAT32) -> pa.DataType:
    """Return the type of a stored vector: fixed_size_list<float32>[dim], or as `store` has it."""
    return ELEMENTS[store].type(dim)


def reject_schema() -> pa.Schema:
    """Return the schema of the rejects."""
    import pyarrow as pa

    names = ("id", "source", "reason", "detail", "content_sha256")
    return pa.schema([pa.field(name, pa.string()) for name in names])


def stamp_of(schema: pa.Schema, where: Path) -> tuple[EncoderCard, Store]:
    """Read the encoder card and the element type of vectors that a part carries.

    Raises TableError where there are none, or they are of a newer format.
    """
    try:
        stamp = json.loads((schema.metadata or {}).get(METADATA_KEY, b"{}"))
        encoder, found = stamp["encoder"], int(stamp["format"])
        store = Store(stamp.get("store", Store.FLOAT32)) if found <= FORMAT else None
    except (KeyError, TypeError, ValueError):
        raise TableError(f"{where} carries no encoder card: no embedding table wrote it.") from None
    if store is None:
        raise TableError(
            f"{where} has table format {found}; this version reads up to {FORMAT}.",
            fix="Upgrade featurize.",
        )
    return EncoderCard.from_json(encoder), store
