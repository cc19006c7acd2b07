"""Reads a source as the pipeline does: listed, sliced and loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from featurize.config import Job
from featurize.errors import InputRejected
from featurize.sources import Listing, Record, Source, open_source


@dataclass(frozen=True)
class Read:
    """A source, the rows of its whole listing, and what loading each accepted one gave."""

    source: Source
    rows: list[dict[str, Any]]
    contents: dict[str, str | bytes]
    refused: dict[str, InputRejected]

    @property
    def ids(self) -> list[str]:
        """Return all ids in the order of the listing."""
        return [row["id"] for row in self.rows]

    @property
    def labels(self) -> dict[str, Any]:
        """Return the label of every input."""
        return {row["id"]: row["label"] for row in self.rows}

    @property
    def reasons(self) -> dict[str, str]:
        """Return the reason of every reject, of the listing or of loading."""
        listed = {row["id"]: row["reason"] for row in self.rows if row["reason"]}
        return listed | {key: str(error.reason) for key, error in self.refused.items()}

    @property
    def details(self) -> dict[str, str]:
        """Return the detail of every reject."""
        listed = {row["id"]: row["detail"] for row in self.rows if row["reason"]}
        return listed | {key: error.detail for key, error in self.refused.items()}

    def column(self, name: str) -> dict[str, Any]:
        """Return a carried column by id."""
        return {row["id"]: row[f"column:{name}"] for row in self.rows}


ReadSource: TypeAlias = Callable[..., Read]


@pytest.fixture
def read(tmp_path_factory: pytest.TempPathFactory) -> ReadSource:
    """Return a function that reads a source whole."""

    def read_source(path: Path, **options: Any) -> Read:
        folder = tmp_path_factory.mktemp("table")
        source = open_source(Job(path, out=options.pop("out", folder / "out"), **options))
        with Listing.build(source, folder / "spool.arrow") as listing:
            rows = listing.slice(0, len(listing)).to_pylist()
        contents: dict[str, str | bytes] = {}
        refused: dict[str, InputRejected] = {}
        for row in rows:
            if row["reason"] is None:
                try:
                    record = Record(row["id"], row["source"], row["content"], row["path"])
                    contents[row["id"]] = source.load(record)
                except InputRejected as error:
                    refused[row["id"]] = error
        return Read(source, rows, contents, refused)

    return read_source


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes files below a new folder and returns the folder."""

    def write_files(files: dict[str, bytes | str]) -> Path:
        root = tmp_path / "raw"
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return root

    return write_files
