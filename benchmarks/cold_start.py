"""Time what a user waits for when nothing is loaded: one file embedded, one query searched.

Run as `python benchmarks/cold_start.py`. Every run is a process of its own; the encoder was
exported before.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from results import write_section

ROUNDS = 7
ROOT = Path(__file__).resolve().parent.parent
MESSAGES = ROOT / "data" / "support_messages.csv"
LIMITS = {"embed one text file": 2.0, "embed one photo": 2.0, "search an index": 1.5}


def main() -> None:
    """Time each command by turns."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table, index = folder / "messages", folder / "messages.index"
        text, photo = folder / "text", folder / "photo"
        for place in (text, photo):
            place.mkdir()
        (text / "one.txt").write_text("Where is my parcel?", encoding="utf-8")
        picture = ROOT / "data" / "surfaces" / "clean" / "clean_01.jpg"
        (photo / picture.name).write_bytes(picture.read_bytes())
        featurize("embed", MESSAGES, "--out", table)
        featurize("index", table, "--out", index)
        spent: dict[str, list[float]] = {what: [] for what in LIMITS}
        for turn in range(ROUNDS + 1):
            made = [
                featurize("embed", text, "--out", folder / f"text-{turn}"),
                featurize("embed", photo, "--out", folder / f"photo-{turn}"),
                featurize("search", index, "my parcel is late"),
            ]
            for times, seconds in zip(spent.values(), made, strict=True):
                times.append(seconds)
    lines = [f"Whole processes, medians of {ROUNDS} after one to warm the disk's cache.", ""]
    lines += ["| command | seconds | least-most | limit |", "|---|---:|---:|---:|"]
    lines += [row(what, times[1:]) for what, times in spent.items()]
    write_section("Cold start", "python benchmarks/cold_start.py", lines)


def row(what: str, times: Sequence[float]) -> str:
    """Return a line of the table."""
    return (
        f"| {what} | **{median(times):.2f}** | {min(times):.2f}-{max(times):.2f} "
        f"| {LIMITS[what]:.1f} |"
    )


def featurize(*words: object) -> float:
    """Run the command; return the seconds it took."""
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "featurize", *map(str, words)], check=True, capture_output=True
    )
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
