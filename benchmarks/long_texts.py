"""Time what long and nasty texts cost before they are encoded, beside tokenizing all of them.

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
from featurize.errors import InputRejected
from featurize.processors import Processor, open_processor
from featurize.processors.text import load_tokenizer

ROUNDS = 15
MEGABYTES = (0.1, 1, 10)
LIMIT = 0.020
NASTY_LIMIT = 0.100
NASTY = {
    "5 MB of one character": "x" * 5_000_000,
    "5 MB of spaces": " " * 5_000_000,
    "100,000 combining marks": "e" + "\u0301" * 100_000,
    "1,000,000 digits": "1234567890" * 100_000,
    "1 MB of ideographs": "漢字仮名交文是的" * 42_000,
    "1 MB of long words": ("x" * 999 + " ") * 1000,
    "1 MB of a letter a line": "a\n" * 500_000,
    "32,765 letters of Thai": "กำลัง" * 6553,
}


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
    lines += ["", *nasty_lines(processor)]
    write_section("Long texts", "python benchmarks/long_texts.py", lines)


def nasty_lines(processor: Processor) -> list[str]:
    """Time texts made to be slow; say what becomes of them."""
    lines = ["| text | prepared, ms | is |", "|---|---:|---|"]
    slowest = 0.0
    for name, nasty in NASTY.items():
        spent = seconds(lambda nasty=nasty: processor.prepare([nasty]), rounds=5)  # type: ignore[misc]
        slowest = max(slowest, spent)
        (found,) = processor.prepare([nasty])
        if isinstance(found, InputRejected):
            outcome = f"rejected, `{found.reason}`"
        else:
            outcome = "read, `truncated`" if found.columns["truncated"] else "read"
        lines.append(f"| {name} | {1000 * spent:.1f} | {outcome} |")
    limit = f"(limit {1000 * NASTY_LIMIT:.0f} ms)"
    return [*lines, "", f"The slowest: **{1000 * slowest:.1f} ms** {limit}."]


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
