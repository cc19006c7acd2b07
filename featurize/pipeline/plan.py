"""From what changed to the steps of a run, in the order they are committed."""

from __future__ import annotations

import numpy as np

from featurize.pipeline.chunk import plan_chunks
from featurize.pipeline.diff import Diff, Status
from featurize.pipeline.extraction import Extraction
from featurize.pipeline.steps import DropRejects, EmbedChunk, PartEdit, RewriteParts, Step
from featurize.sources import Listing
from featurize.table import EmbeddingTable


def plan_steps(
    table: EmbeddingTable | None, diff: Diff, listing: Listing, extraction: Extraction
) -> list[Step]:
    """Order the steps of a run: rejects that no longer hold, a new schema, new inputs, old parts.

    The order and the cuts depend on what is left to do alone, so that a run that was interrupted
    goes on as it would have gone. Under a new schema all parts change in one commit, because parts
    share one schema.
    """
    steps: list[Step] = []
    new = diff.places(Status.NEW)
    chunks = plan_chunks(listing.sizes[new], extraction.encoder.processor.chunk_bytes)
    embeds = [
        EmbedChunk(new[chunk.start : chunk.stop], table is None and chunk.start == 0)
        for chunk in chunks
    ]
    if table is None:
        return [*embeds]
    if diff.stale:
        steps.append(DropRejects(table, diff.stale))
    edits = _edits(table, diff)
    if not extraction.schema.equals(table.schema):
        return [*steps, RewriteParts(table, edits, keep=True), *embeds]
    touched = [edit for edit in edits if not edit.is_idle]
    all_touched = len(touched) == len(edits)
    rewrites = [
        RewriteParts(table, [edit], keep=all_touched and number == 0)
        for number, edit in enumerate(touched)
    ]
    return [*steps, *embeds, *rewrites]


def _edits(table: EmbeddingTable, diff: Diff) -> list[PartEdit]:
    """Return what happens to each part of the table, in order."""
    edits = []
    for number in range(len(table.parts)):
        here = diff.part == number
        changed = np.flatnonzero(here & (diff.status == Status.CHANGED))
        updated = np.flatnonzero(here & (diff.status == Status.UPDATED))
        edits.append(PartEdit(number, diff.gone.get(number, []), changed, updated))
    return edits
