"""What ties a table to its source, its encoder and its options, from the first commit on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from featurize.config import Job, Store, recalled
from featurize.encoder import Encoder
from featurize.errors import TableError, UsageError
from featurize.pipeline.diff import Diff
from featurize.sources import Listing, Source
from featurize.table import EmbeddingTable
from featurize.table.layout import EMBEDDING, RowColumns
from featurize.types import Json
from featurize.wording import counted

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_DELETED = 0.2
_CONTRACT = ("id", "source", "label", "content_sha256", EMBEDDING)
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
            "modality": "+".join(self.source.modalities),
            "encoder": self.encoder.card.name,
            "fingerprint": self.encoder.fingerprint,
            "bundle": self.bundle,
            "variant": self.encoder.variant,
            "no_text": self.job.no_text,
            **self.job.remembered(),
            "dim": None if self.encoder.dim == self.encoder.bundle.card.dim else self.encoder.dim,
        }
        if self.table is None:
            return fresh
        old = self.table.origin
        options = ("runtime", "device", "precision", *self.job.remembered())
        then, now = {**old["variant"], **old, **recalled(old)}, {**fresh["variant"], **fresh}
        for refusal in _changed_options(then, now, options):
            raise refusal
        self.table.card.require_same_space(
            self.encoder.card, here=f"the table {self.table.path}", there="this run"
        )
        _require_made_alike(then, now)
        _require_same_prompt(old["variant"].get("prompt"), self.encoder.variant["prompt"])
        self._require_source(old)
        return (
            old
            if self.place in _sources(old)
            else {**old, "appended": [*old["appended"], self.place]}
        )

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
        card = self.encoder.card if self.table is None else self.table.card
        schema = columns.schema(card, Store(self.job.store or Store.FLOAT32))
        if self.table is not None and self.job.append and not schema.equals(self.table.schema):
            raise UsageError(
                f"--append needs the table's columns {', '.join(self.table.schema.names)}; the "
                f"source gives {', '.join(schema.names)}, or other types.",
                fix="Give the source the same columns, with --rename or by editing it.",
            )
        return schema

    def lost_columns(self) -> list[str]:
        """Return the user's own columns that the table has and the source does not give."""
        if self.table is None:
            return []
        given = {*_CONTRACT, *self.encoder.processor.columns, *self.source.columns().names}
        return [name for name in self.table.schema.names if name not in given]

    def require_sound(self, diff: Diff, listing: Listing) -> None:
        """Raise TableError where the run would overwrite or delete what it should not."""
        self._require_no_clash(diff, listing)
        self._require_few_deleted(diff.deleted)

    def _require_few_deleted(self, deleted: int) -> None:
        """Raise TableError where more than 20 % of the rows, or all, are about to go."""
        rows = len(self.table) if self.table is not None else 0
        if self.job.allow_delete or deleted == 0:
            return
        if deleted > _MOST_DELETED * rows or deleted == rows:
            raise TableError(
                f"{deleted:,} of {counted(rows, 'row')} of {self.job.out} would be deleted, "
                "because their inputs are gone. Nothing was changed.",
                fix="If that is meant, run again with --allow-delete; if the source is not "
                "whole, mend it; to add only, use --append.",
            )

    def _require_no_clash(self, diff: Diff, listing: Listing) -> None:
        """Raise TableError where a source appended for the first time has ids that are taken."""
        if self.table is None or not self.job.append or self.place in _sources(self.table.origin):
            return
        taken = np.flatnonzero(diff.part >= 0)
        if len(taken):
            example = listing.take(taken[:1]).column("id")[0].as_py()
            raise TableError(
                f"{counted(len(taken), 'id')} of {self.place}, such as {example!r}, "
                f"would overwrite rows of {' or '.join(_sources(self.table.origin))}. "
                "Nothing was changed.",
                fix="Give the inputs other ids, with --id-column or other file names. If it is the "
                "same source in a new place, embed it into a new --out: a table stays bound to "
                "the place it was made from.",
            )

    def _require_source(self, old: Json) -> None:
        """Raise TableError where the table is made from another source, or from several."""
        if self.job.append or (self.place == old["source"] and not old["appended"]):
            return
        known = _sources(old)
        bound = f"{self.job.out} is bound to {' and '.join(known)}"
        if self.place in known:
            raise TableError(
                f"{bound}; this run names {self.place} alone, and would delete the rest.",
                fix="Run with --append, which adds and updates and deletes nothing, or choose "
                "another --out.",
            )
        gone = "" if Path(old["source"]).exists() else ", which is not there any more"
        raise TableError(
            f"{bound}{gone}; this run names {self.place}.",
            fix="To add its inputs to the table, use --append; otherwise choose another --out. A "
            "source that was moved must lie where it was, or be embedded into a new --out.",
        )


def _sources(origin: Json) -> list[str]:
    """Return all sources that a table is made from."""
    return [origin["source"], *origin["appended"]]


def _with(name: str, value: str | int | None) -> str:
    return f"without --{name}" if value is None else f"with --{name} {value}"


def changed_way(job: Job, origin: Json) -> UsageError | None:
    """Return why a job is refused that asks for another way of computing than its table's."""
    device = "cuda:0" if job.device == "cuda" else job.device
    asked = {"runtime": job.runtime, "device": device, "precision": job.precision}
    stated = [name for name, value in asked.items() if value != "auto"]
    return next(_changed_options(origin.get("variant", {}), asked, stated), None)


def _changed_options(then: Json, now: Json, options: Iterable[str]) -> Iterator[UsageError]:
    """Give the refusal of each option that the table remembers with another value."""
    for name in options:
        if name in then and then[name] != now[name]:
            yield UsageError(
                f"The table was made {_with(name, then[name])}; this run is "
                f"{_with(name, now[name])}. A table is made one way.",
                fix=f"Leave --{name} out to go on as before, or choose another --out.",
            )


def _require_same_prompt(then: Json | None, now: Json | None) -> None:
    """Raise UsageError where the encoder's own prompt is another than when the table was made."""
    if then != now:
        stood, stands = ((one or {}).get("text") or "nothing" for one in (then, now))
        raise UsageError(
            f"Before the texts of the table stands {stood!r}; with this encoder it is {stands!r}. "
            "A table is made one way.",
            fix="Leave --encoder out to go on as before, or choose another --out.",
        )


def _require_made_alike(then: Json, now: Json) -> None:
    """Raise UsageError where rows would have other columns, or come of another graph."""
    if then["no_text"] != now["no_text"]:
        raise UsageError(
            "The table was made without --no-text and holds its texts. A table is made one way.",
            fix="Leave --no-text out to go on as before, or choose another --out.",
        )
    if then["graph"] != now["graph"]:
        raise UsageError(
            f"The table was made with another export of {then['encoder']}, {then['bundle']}. A "
            "table is made one way.",
            fix="Leave --encoder out to go on as before, or choose another --out.",
        )
