"""A first look at a folder: what kinds of file it holds, and how deep they lie."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from featurize.config import Job
from featurize.errors import NoInput, SourceError
from featurize.sources.files import SUFFIXES, suffix_of
from featurize.sources.members import is_archive
from featurize.sources.walk import FoundKind, percent_escaped, walk
from featurize.types import Modalities, Modality

METADATA_NAMES = frozenset({"metadata.csv", "metadata.jsonl"})
_TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".gz")


@dataclass(slots=True)
class Survey:
    """What a walk found: files by suffix, depths by kind of file, metadata files and archives.

    `passed_over` counts what is no file: links, and folders that cannot be listed.
    """

    suffixes: Counter[str] = field(default_factory=Counter)
    depths: dict[Modality, set[int]] = field(default_factory=dict)
    metadata: list[str] = field(default_factory=list)
    passed_over: Counter[FoundKind] = field(default_factory=Counter)
    archives: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, root: Path, leave_out: Path) -> Survey:
        """Walk a folder; raise SourceError where it cannot be read."""
        survey = cls()
        try:
            for found in walk(root, leave_out):
                if found.kind is FoundKind.FILE:
                    survey.see(found.path)
                else:
                    survey.passed_over[found.kind] += 1
        except OSError as error:
            raise SourceError(f"{root.name} cannot be read: {error.strerror}.") from error
        return survey

    def see(self, path: str) -> None:
        """Take a file into account."""
        suffix = suffix_of(path)
        self.suffixes[suffix] += 1
        for modality, suffixes in SUFFIXES.items():
            if suffix in suffixes:
                self.depths.setdefault(modality, set()).add(path.count("/"))
        if path.rpartition("/")[2] in METADATA_NAMES:
            self.metadata.append(path)
        if is_archive(path):
            self.archives.append(path)

    def modalities(self, job: Job) -> Modalities:
        """Return what the folder holds of what the job wants; raise NoInput for nothing."""
        wanted = [Modality(job.modality)] if job.modality else list(Modality)
        found = tuple(modality for modality in wanted if modality in self.depths)
        if not found:
            raise self._nothing_found(job)
        return found

    def depths_of(self, modalities: Modalities) -> set[int]:
        """Return at which depths files of these kinds lie."""
        return set().union(*(self.depths[modality] for modality in modalities))

    def _nothing_found(self, job: Job) -> NoInput:
        """Return the error of a folder without the files that are wanted."""
        wanted = [Modality(job.modality)] if job.modality else list(Modality)
        known = " ".join(suffix for kind in wanted for suffix in sorted(SUFFIXES[kind]))
        fix = f"Files that end in {known} are read."
        if any(suffix in self.suffixes for suffix in _TABLES):
            fix = "To embed the rows of a table file, name that file itself as SOURCE. " + fix
        return NoInput(f"No input found in {job.source}: {self._seen()}.", fix=fix)

    def _seen(self) -> str:
        """Say what the folder holds."""
        suffixes = ", ".join(
            f"{percent_escaped(suffix) or 'no extension'} ({count})"
            for suffix, count in sorted(self.suffixes.items())
        )
        said = [f"its files are {suffixes}" if suffixes else "it holds no file"]
        if links := self.passed_over[FoundKind.SYMLINK]:
            said.append(f"symbolic links ({links}) are not followed")
        if closed := self.passed_over[FoundKind.CLOSED_FOLDER]:
            said.append(f"folders ({closed}) may not be listed")
        return "; ".join(said)
