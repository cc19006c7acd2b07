"""The sorted listing: order, repeated ids, memory."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from featurize.config import Job
from featurize.errors import SourceError
from featurize.sources import Listing, open_source


def listed(rows: list[tuple[str, str]], folder: Path) -> Listing:
    """List the rows (id, text) of a CSV file."""
    path = folder / "a.csv"
    path.write_text("id,text\n" + "".join(f'"{key}","{text}"\n' for key, text in rows), "utf-8")
    return Listing.build(open_source(Job(path, out=folder / "out")), folder / "spool")


def test_arrow_sorts_bytewise_and_stably() -> None:
    """What the listing relies on: the order of UTF-8 bytes, equal ones as they came."""
    ids = ["é", "z", "\U0001d11e", "\uffff", "e\u0301", "Z", "", "z", "a\x00", "a", "z"]
    order = pc.sort_indices(pa.array(ids, pa.large_string())).to_pylist()
    assert order == sorted(range(len(ids)), key=lambda n: ids[n].encode())


def test_rows_of_many_batches_come_back_in_order(tmp_path: Path) -> None:
    """Order holds over the bounds of batches, for slices anywhere."""
    rows = [(f"{n:05}é", f"text {n}") for n in range(30_000)]
    shuffled = random.Random(0).sample(rows, len(rows))
    with listed(shuffled, tmp_path) as listing:
        for start in (0, 1, 8191, 29_999):
            part = listing.slice(start, start + 3)
            expected = rows[start : start + 3]
            assert list(zip(*(part[n].to_pylist() for n in ("id", "content")), strict=True)) == (
                expected
            )
        assert listing.slice(0, 30_000)["content"].to_pylist() == [text for _, text in rows]


def test_of_equal_ids_the_first_found_wins(tmp_path: Path) -> None:
    """Later inputs with the same id become rejects that name it."""
    with listed([("b", "1"), ("a", "2"), ("b", "3"), ("b", "4")], tmp_path) as listing:
        rows = listing.slice(0, 4).to_pylist()
        assert listing.rejected_count == 2
        assert listing.sizes.tolist() == [1, 1, 0, 0]
        again = listing.slice(2, 4).to_pylist()
    assert [(row["id"], row["reason"], row["content"]) for row in rows] == [
        ("a", None, "2"),
        ("b", None, "1"),
        ("b", "duplicate_id", None),
        ("b", "duplicate_id", None),
    ]
    assert rows[2]["detail"] == "an earlier input has the id b"
    assert again == rows[2:]


def test_many_repeated_ids_are_all_found(tmp_path: Path) -> None:
    """Repeated ids are found wherever they fall among those compared at once."""
    with listed([("x", "t")] * 70_000 + [("y", "t")] * 70_000, tmp_path) as listing:
        assert listing.rejected_count == 139_998


def test_a_failed_scan_leaves_no_spool(tmp_path: Path) -> None:
    """A source that turns out to be damaged leaves nothing behind."""

    class Broken:
        """A source that fails after its first batch."""

        def __init__(self) -> None:
            path = tmp_path / "a.csv"
            path.write_text("text\na\n")
            self.inner = open_source(Job(path, out=tmp_path / "out"))
            self.modalities, self.name = self.inner.modalities, "broken"

        def scan(self) -> Iterator[pa.RecordBatch]:
            yield from self.inner.scan()
            raise SourceError("damaged")

    with pytest.raises(SourceError, match="damaged"):
        Listing.build(Broken(), tmp_path / "spool")  # type: ignore[arg-type]
    assert not (tmp_path / "spool").exists()


def test_memory_stays_flat(tmp_path: Path) -> None:
    """Contents stay on disk: of 100 MiB hardly any is held by Arrow while slices are read."""
    rows = [(f"{n:04}", "x" * (1 << 20)) for n in range(100)]
    with listed(rows, tmp_path) as listing:
        del rows
        pa.default_memory_pool().release_unused()
        held = pa.total_allocated_bytes()
        for start in range(0, 100, 4):
            assert listing.slice(start, start + 4).num_rows == 4
        assert pa.total_allocated_bytes() - held < 1 << 20
