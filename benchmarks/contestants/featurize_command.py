"""featurize: files on disk to a committed table, as the whole command."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import count
from pathlib import Path
from typing import Any

from protocol import Work, serve


def load(options: dict[str, Any]) -> Work:
    """Run the command once on one input; every run makes a new table."""
    tables = (Path(options["folder"]) / f"{number}" for number in count())
    flags = [part for name, value in options["job"].items() for part in (f"--{name}", value)]

    def embed(source: str) -> str:
        words = ["embed", source, "--out", str(next(tables)), "--device", "cpu", *flags, "--json"]
        done = subprocess.run(
            [sys.executable, "-m", "featurize", *words], stdout=subprocess.PIPE, check=True
        )
        return str(json.loads(done.stdout)["table"])

    embed(options["single"])
    return Work(options["count"], lambda: embed(options["inputs"]), read)


def read(path: str) -> Any:
    """Read the vectors of a table in the order of its ids."""
    import featurize  # here, for this process is to stay small

    table = featurize.open_table(path)
    return table.to_numpy()[table.ids.argsort()]


if __name__ == "__main__":
    serve(load, ("featurize",))
