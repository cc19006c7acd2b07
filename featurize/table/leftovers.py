"""What lies in the folder of a table without being of it: harmless, but nobody needs it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from featurize.storage import HOLDER, holder, names
from featurize.table.layout import Layout
from featurize.table.log import CommitLog
from featurize.table.snapshot import Snapshot, is_part


def unnamed(root: Path, snapshot: Snapshot) -> Iterator[str]:
    """Yield what lies among the parts of a table and no commit names, as plain readers see it.

    While a run is under way, parts it has just made or replaced are its own affair.
    """
    layout, running = Layout.of(root), holder(root) is not None
    for folder in (layout.data, layout.rejects):
        for file in names(folder):
            name = f"{folder.name}/{file}"
            if name not in snapshot.parts and not (running and is_part(name)):
                yield name


def remarks(root: Path, *, complete: bool) -> Iterator[str]:
    """Say what a person should know of a sound table: who writes to it, and what may go."""
    if writer := holder(root):
        yield f"a run is under way ({writer}): this is what it has committed so far"
        return
    if not complete:
        yield (
            "incomplete: its run was stopped before its end; the same `featurize embed` command "
            "goes on from there"
        )
    layout = Layout.of(root)
    log = CommitLog(layout.log)
    collectable = [*(layout.staging / name for name in names(layout.staging)), *log.leftovers()]
    for path in collectable:
        yield f"{path.relative_to(root)} is no longer needed: `featurize gc {root}` removes it"
    for path in (*_foreign(layout), *log.strangers()):
        yield f"{path.relative_to(root)} is not of the table: it may be removed by hand"


def _foreign(layout: Layout) -> list[Path]:
    own = {HOLDER, *(folder.name for folder in layout.folders)}
    return [layout.root / name for name in names(layout.root) if name not in own]
