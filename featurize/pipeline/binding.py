"""What ties a table to its source, its encoder and its options, from the first commit on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from featurize.config import Job
from featurize.encoder import Encoder
from featurize.errors import TableError, UsageError
from featurize.pipeline.diff import Diff
from featurize.sources import Source
from featurize.table import EmbeddingTable
from featurize.table.layout import RowColumns
from featurize.types import Json

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_DELETED = 0.2
_CLOCK_MARGIN = 2.0  # seconds: the coarsest file times, and clocks that differ a little


@dataclass(frozen=True, slots=True)
class Binding:
    """One run's source, encoder and options beside the table it works on, None for a new one."""

    job: Job
    source: Source
    encoder: Encoder
    bundle: str
    table: EmbeddingTable | None

    @property
    def place(self) -> str:
        """Return the source, as the log names it."""
        return str(self.source.root)

    def origin(self) -> Json:
        """Return what the log states about how the table is made; raise where that would change."""
        fresh: Json = {
            "source": self.place,
            "appended": [],
            "scanned": {},
            "modality": str(self.source.modality),
            "encoder": self.encoder.card.name,
            "fingerprint": self.encoder.fingerprint,
            "bundle": self.bundle,
            "variant": self.encoder.variant,
            "no_text": self.job.no_text,
        }
        if self.table is None:
            return fresh
        self.table.card.require_same_space(
            self.encoder.card, here=f"the table {self.table.path}", there="this run"
        )
        old = self.table.origin
        then, now = {**old, **old["variant"]}, {**fresh, **fresh["variant"]}
        for name in ("runtime", "device", "precision", "graph", "no_text"):
            if then[name] != now[name]:
                raise UsageError(
                    f"{self.table.path} was made with {name} {then[name]}; this run has "
                    f"{now[name]}. A table is made one way.",
                    fix="Leave the option out to go on as before, or choose another --out.",
                )
        self._require_source(old)
        known = [old["source"], *old["appended"]]
        return old if self.place in known else {**old, "appended": [*old["appended"], self.place]}

    def trusted_before(self) -> float:
        """Return the time before which a file must have changed last to be taken as unchanged.

        In seconds since the epoch: shortly before the last run that finished began to list the
        source; before all time unless that is asked for and known.
        """
        table = self.table
        if not self.job.trust_mtime or table is None or not table.complete:
            return -math.inf
        return float(table.origin.get("scanned", {}).get(self.place, -math.inf)) - _CLOCK_MARGIN

    def schema(self) -> pa.Schema:
        """Return the schema of the table after this run."""
        processor = self.encoder.processor
        left_out = {processor.content_column} if self.job.no_text else set()
        added = {name: kind for name, kind in processor.columns.items() if name not in left_out}
        columns = RowColumns(self.source.label_type(), added, self.source.columns())
        schema = columns.schema(self.encoder.card)
        if self.table is not None and self.job.append and not schema.equals(self.table.schema):
            raise UsageError(
                f"--append needs the table's columns {', '.join(self.table.schema.names)}; the "
                f"source gives {', '.join(schema.names)}, or other types.",
                fix="Give the source the same columns, with --rename or by editing it.",
            )
        return schema

    def require_few_deleted(self, deleted: int) -> None:
        """Raise TableError where more than 20 % of the rows, or all, are about to go."""
        rows = len(self.table) if self.table is not None else 0
        if self.job.allow_delete or deleted == 0:
            return
        if deleted > _MOST_DELETED * rows or deleted == rows:
            raise TableError(
                f"{deleted:,} of {rows:,} rows of {self.job.out} have no input any more and "
                f"would be deleted. Nothing was changed.",
                fix="If that is meant, run again with --allow-delete; if the source is not "
                "whole, mend it; to add only, use --append.",
            )

    def require_no_clash(self, diff: Diff) -> None:
        """Raise TableError where a source appended for the first time has ids that are taken."""
        if self.table is None or not self.job.append:
            return
        known = [self.table.origin["source"], *self.table.origin["appended"]]
        taken = int((diff.part >= 0).sum())
        if taken and self.place not in known:
            raise TableError(
                f"{taken:,} ids of {self.place} are taken by rows from "
                f"{' and '.join(known)}; appending would overwrite them. Nothing was changed.",
                fix="Give the inputs other ids, with --id-column or other file names.",
            )

    def _require_source(self, old: Json) -> None:
        if self.job.append or (self.place == old["source"] and not old["appended"]):
            return
        sources = " and ".join([old["source"], *old["appended"]])
        raise TableError(
            f"{self.job.out} is made from {sources}; this run names {self.place}, and would delete "
            "the rest.",
            fix="Add with --append, or choose another --out.",
        )
