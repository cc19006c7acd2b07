"""Write data/splits: which labels of the sample data train a head, and which test it."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).parent
EVERY = 4


def main() -> None:
    """Give every fourth example of a class to the test set."""
    with (HERE / "support_messages.csv").open(newline="", encoding="utf-8") as file:
        write("messages", [(row["id"], row["label"]) for row in csv.DictReader(file)])
    images = sorted((HERE / "surfaces").rglob("*.jpg"))
    named = [(path.relative_to(HERE / "surfaces").as_posix(), path.parent.name) for path in images]
    write("surfaces", named)


def write(name: str, labelled: Iterable[tuple[str, str]]) -> None:
    """Write the two label files of one set."""
    seen: Counter[str] = Counter()
    parts: dict[str, list[tuple[str, str]]] = {"train": [], "test": []}
    for item, label in labelled:
        seen[label] += 1
        parts["test" if seen[label] % EVERY == 0 else "train"].append((item, label))
    for part, rows in parts.items():
        path = HERE / "splits" / f"{name}_{part}.csv"
        path.parent.mkdir(exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([("id", "label"), *rows])


if __name__ == "__main__":
    main()
