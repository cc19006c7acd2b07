"""Measure search: what it finds, how soon, beside peers, and what it survives.

Run as `python benchmarks/search.py`, which takes hours; `--only` for one section. `--quick` tries
everything on little and writes nothing. autofaiss gets an environment of its own, made on the first
run under `.venv-peers`. The sections of large tables take about 10 GB in the folder for temporary
files.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from comparison.contestant import ROOT
from results import write_section
from searching.options import Options

SECTIONS = ("vaswani", "million", "isotropic", "filters", "updates", "kills", "mutations")
MILLION, QUICK = 1_000_000, 30_000  # rows


def main() -> None:
    """Measure all sections or one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--peers", type=Path, default=ROOT / ".venv-peers")
    parser.add_argument("--only", choices=SECTIONS)
    parser.add_argument("--rows", type=int, help="of the large tables, a million by default")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    rows = given.rows or (QUICK if given.quick else MILLION)
    sys.path.append(str(ROOT))  # what kills runs is the torture tests'
    for name in [given.only] if given.only else SECTIONS:
        section = import_module(f"searching.{name}")
        with tempfile.TemporaryDirectory() as folder:
            options = Options(given.data, given.peers, Path(folder), rows, given.quick)
            lines = list(section.lines(options))
        if given.quick or given.rows:
            print("\n".join([f"(no measurement: {section.TITLE})", "", *lines, ""]))
        else:
            write_section(section.TITLE, f"python benchmarks/search.py --only {name}", lines)


if __name__ == "__main__":
    main()
