"""featurize: files on disk to a committed table, in this process."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

from protocol import Work, serve

import featurize
from featurize import api
from featurize.config import Job
from featurize.types import RunSummary


def load(options: dict[str, Any]) -> Work:
    """Embed one input, so that everything is imported; every run makes a new table."""
    tables = (Path(options["folder"]) / f"{number}" for number in count())

    def embed(source: str) -> RunSummary:
        return api.run(Job(source, out=next(tables), device="cpu", **options["job"]))

    embed(options["single"])
    return Work(options["count"], lambda: embed(options["inputs"]), read)


def read(summary: RunSummary) -> Any:
    """Read the vectors of a table in the order of its ids."""
    table = featurize.open_table(summary.table)
    return table.to_numpy()[table.ids.argsort()]


if __name__ == "__main__":
    serve(load, ("featurize",))
