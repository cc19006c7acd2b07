"""Time what a very long text costs before it is encoded, beside tokenizing all of it.

Run as `python benchmarks/long_texts.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from results import write_section
from texts import text

from featurize.bundle import TOKENIZER
from featurize.catalog import resolve
from featurize.config import Reading
from featurize.processors import open_processor
from featurize.processors.text import load_tokenizer

ROUNDS = 15
MEGABYTES = (0.1, 1, 10)
LIMIT = 0.020


def main() -> None:
    """Time three lengths; the whole is tokenized only for the first two."""
    bundle = resolve("minilm")
    processor = open_processor(bundle, Reading())
    tokenizer = load_tokenizer(bundle.path / TOKENIZER)
    tokenizer.no_truncation()
    lines = ["| text, MB | prepared, ms | tokenized as a whole, ms |", "|---:|---:|---:|"]
    for size in MEGABYTES:
        long = long_text(size)
        prepared = seconds(lambda long=long: processor.prepare([long]))  # type: ignore[misc]
        whole = "-"
        if size <= 1:
            spent = seconds(lambda long=long: tokenizer.encode(long), rounds=3)  # type: ignore[misc]
            whole = f"{1000 * spent:,.0f}"
        lines.append(f"| {size} | {1000 * prepared:.1f} | {whole} |")
    lines += ["", f"10 MB: **{1000 * prepared:.1f} ms** (limit {1000 * LIMIT:.0f} ms)."]
    write_section("Long texts", "python benchmarks/long_texts.py", lines)


def long_text(megabytes: float) -> str:
    """Write ordinary words up to a size."""
    size, parts, length = int(megabytes * 1e6), [], 0
    while length < size:
        parts.append(text(len(parts)))
        length += len(parts[-1]) + 1
    return " ".join(parts)[:size]


def seconds(call: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Return the median time of a call."""
    spent = []
    for _ in range(rounds):
        began = time.perf_counter()
        call()
        spent.append(time.perf_counter() - began)
    return median(spent)


if __name__ == "__main__":
    main()
