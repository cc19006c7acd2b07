"""What a run finds out before it works: what changed, and what the source no longer says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from pathlib import Path

from featurize.pipeline.binding import Binding
from featurize.pipeline.diff import Comparison, Diff
from featurize.pipeline.merging import compare
from featurize.pipeline.state import list_table
from featurize.sources import COLUMN_PREFIX, Listing


def find_changes(
    binding: Binding,
    listing: Listing,
    folder: Path,
    workers: Executor,
    say: Callable[[str], None],
) -> Diff:
    """Find out what changed since the table's last commit; everything for a new table.

    Columns and labels that the source has lost are told to `say` and noted with the source.
    `folder` is for temporary files.
    """
    table = binding.table
    if table is None:
        return Diff.everything(len(listing), refused=listing.rejected_count)
    job, schema = binding.job, binding.schema()
    carried = ("source", "label", *binding.source.columns().names)
    same_schema = schema.equals(table.schema)
    comparison = Comparison(
        source=binding.source,
        carried=carried if same_schema else (),
        delete=not job.append,
        retry=job.retry_rejects,
        trusted_before=binding.trusted_before(),
    )
    rows = list_table(table, folder / "rows.arrow", rejects=False)
    rejects = list_table(table, folder / "rejects.arrow", rejects=True)
    try:
        for loss in _losses(binding, listing, rows):
            binding.source.notes.append(loss)
            say(loss)
        diff = compare(listing, rows, rejects, comparison, workers)
    finally:
        for spooled in (rows, rejects):
            if spooled is not None:
                spooled.close()
    if not same_schema:
        diff.move_to_new_schema()
    return diff


def _losses(binding: Binding, listing: Listing, rows: Listing | None) -> Iterator[str]:
    """Say which columns and labels the table has and the source no longer gives."""
    if binding.job.append or rows is None:
        return
    if rows.has_values(COLUMN_PREFIX + "label") and not listing.has_values("label"):
        yield (
            "The rows of the table have labels, and the source has none any more: every label "
            "becomes null. If its column has another name now: --label-column C."
        )
    for name in binding.lost_columns():
        yield (
            f"Column {name!r}, which the table has, is no longer in the source: it leaves the "
            "table."
        )
