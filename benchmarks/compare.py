"""Measure this product and its peers side by side and write it to benchmarks/RESULTS.md.

Run as `python benchmarks/compare.py`: the same texts, images, weights and cores for everyone, in
one run, in alternating rounds. Peers get environments of their own, made on the first run under
`.venv-peers`. `--quick` tries everything on few inputs and writes nothing.
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path

from comparison import sections
from comparison.contestant import ROOT, Entrant
from comparison.entrants import ABSENT, image_entrants, text_entrants
from comparison.environments import python_of
from comparison.inputs import TEXTS, image_workload, text_workload
from comparison.models import image_model, text_model, text_operations
from comparison.rounds import Standings, compete
from results import write_section

COMMAND = "python benchmarks/compare.py"
ROUNDS, QUICK_ROUNDS = 5, 2


def main() -> None:
    """Measure texts, images or both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--peers", type=Path, default=ROOT / ".venv-peers")
    parser.add_argument("--only", choices=("text", "images"))
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    measures = {"text": texts, "images": images}
    for kind in [options.only] if options.only else measures:
        with tempfile.TemporaryDirectory() as folder:
            lines = measures[kind](options, Path(folder))
        if options.quick:
            print("\n".join([f"(quick: no measurement of {kind})", "", *lines, ""]))
        else:
            write_section(f"Throughput of {kind} beside peers", COMMAND, lines)


def texts(options: argparse.Namespace, folder: Path) -> list[str]:
    """Measure three lengths of text."""
    model = text_model(folder)
    lines, judged, all_standings = [], [], []
    for name in TEXTS:
        workload = text_workload(name, options.data, folder, options.quick)
        standings = _race(text_entrants(workload, model), options, folder / name)
        cost = text_operations(model, workload.inputs)
        lines += sections.text_tables(workload, standings, *cost)
        judged += sections.text_gates(workload, standings)
        all_standings.append(standings)
    return [
        *sections.how(_rounds(options), "Peers get texts in memory and encode, no more."),
        *lines,
        *sections.closing(judged, all_standings, ABSENT),
    ]


def images(options: argparse.Namespace, folder: Path) -> list[str]:
    """Measure images."""
    workload = image_workload(options.data, folder, options.quick)
    standings = _race(image_entrants(workload, image_model()), options, folder / "runs")
    given = (
        "torch reads, decodes (Pillow) and encodes by turns in one process, eager, with as many "
        "threads as cores."
    )
    return [
        *sections.how(_rounds(options), given),
        *sections.image_tables(workload, standings),
        *sections.closing(sections.image_gates(workload, standings), [standings], {}),
    ]


def _race(entrants: list[Entrant], options: argparse.Namespace, folder: Path) -> Standings:
    folder.mkdir()
    environment = partial(python_of, environments=options.peers)
    return compete(entrants, _rounds(options), folder, environment)


def _rounds(options: argparse.Namespace) -> int:
    return QUICK_ROUNDS if options.quick else ROUNDS


if __name__ == "__main__":
    main()
