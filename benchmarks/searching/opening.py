"""Open mutated indexes and say what came of each; run as a process of its own, which may crash.

`python -m benchmarks.searching.opening SCRATCH` reads a JSON list of mutations from stdin and
prints a line for each: refused, loaded, or the name of an error that is not one of ours.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Open one after another."""
    sys.path.append(str(ROOT / "benchmarks"))
    from searching.mutations import Mutation

    for folder, *rest in json.load(sys.stdin):
        with tempfile.TemporaryDirectory(dir=sys.argv[1]) as scratch:
            print(opened(Mutation(Path(folder), *rest), Path(scratch) / "index"), flush=True)


def opened(mutation: object, copy: Path) -> str:
    """Damage a copy, open it, and search what opens."""
    from downstream import VectorIndex
    from featurize.errors import FeaturizeError
    from searching.mutations import Mutation, mutated

    assert isinstance(mutation, Mutation)
    shutil.copytree(mutation.folder, copy)
    file = copy / mutation.file
    file.write_bytes(mutated(file.read_bytes(), mutation.way, mutation.seed))
    if mutation.resealed:
        reseal(copy / "index.json")
    try:
        index = VectorIndex.open(copy)
        queries = np.random.default_rng(0).normal(size=(5, index.facts["dim"]))
        index.search(queries, 10)
        return "loaded"
    except FeaturizeError:
        return "refused"
    except Exception as error:  # noqa: BLE001 - what a damaged file makes a library raise
        return f"{type(error).__name__}"


def reseal(card: Path) -> None:
    """Let a card state the hashes of the files as they are."""
    from featurize.storage import canonical_json, sha256_bytes, sha256_file

    saved = json.loads(card.read_bytes())
    saved["files"] = {name: sha256_file(card.parent / name) for name in saved["files"]}
    del saved["sha256"]
    saved["sha256"] = sha256_bytes(canonical_json(saved))
    card.write_text(json.dumps(saved))


if __name__ == "__main__":
    main()
