"""What becomes of a table whose source holds no input any more: nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from featurize.errors import NoInput
from featurize.table.layout import Layout
from featurize.table.log import CommitLog
from featurize.wording import counted


@contextmanager
def never_emptied(table: Path) -> Iterator[None]:
    """Say, where the work inside finds no input, that the table keeps its rows."""
    try:
        yield
    except NoInput as error:
        rows = sum(part.rows for part in CommitLog(Layout.of(table).log).snapshot().data())
        if not rows:
            raise
        raise NoInput(
            f"{error.message} {table} keeps its {counted(rows, 'row')}.",
            fix=f"Mend the source. A table is never emptied for want of input, not even with "
            f"--allow-delete: to be rid of it, remove the folder {table}, or some of its rows "
            "with `featurize forget`.",
        ) from error
