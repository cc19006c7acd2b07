"""What saved things share: folders whose card states the hash of every file, and single files."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from featurize.errors import FeaturizeError, HeadError, TableError, UsageError
from featurize.storage import (
    canonical_json,
    make_folder,
    new_folder,
    pretty_json,
    sha256_bytes,
    sha256_file,
)
from featurize.table.layout import Layout
from featurize.table.log import CommitLog
from featurize.types import Json, Problem

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Artifact:
    """One kind of saved folder: its name, how it is made, its card, its files, its errors.

    It holds all of `files`, and of the `optional` ones those that its card states.
    """

    noun: str
    command: str
    card: str
    files: tuple[str, ...]
    error: type[FeaturizeError]
    outdated: type[FeaturizeError]
    optional: tuple[str, ...] = ()

    @property
    def mend(self) -> str:
        """Return what to do about a damaged one."""
        return f"Make the {self.noun} again: `{self.command}`."

    @contextlib.contextmanager
    def saving(self, path: Path, facts: Json) -> Iterator[Path]:
        """Fill a new folder, which then gets its card and replaces an older one as a whole."""
        final = path.resolve()
        self.require_free(final)
        with new_folder(final, overwrite=True) as folder:
            yield folder
            card = {
                **facts,
                "format": FORMAT,
                "files": {name: sha256_file(folder / name) for name in self._present(folder)},
            }
            card["sha256"] = _self_hash(card)
            (folder / self.card).write_bytes(pretty_json(card))

    def read(self, path: Path) -> Json:
        """Read the card and check every file against it, before anything parses one."""
        card = self.peek(path)
        for problem in self._damage(path, card):
            raise self.error(f"{path / problem.item}: {problem.detail}.", fix=self.mend)
        return card

    def peek(self, path: Path) -> Json:
        """Read and check the card alone."""
        card = self._parse(path)
        if card["format"] > FORMAT:
            raise self.error(
                f"{path} has {self.noun} format {card['format']}; this version reads up to "
                f"{FORMAT}.",
                fix="Upgrade featurize.",
            )
        expected = {*self.files, *(name for name in self.optional if name in card["files"])}
        if card["sha256"] != _self_hash(card) or set(card["files"]) != expected:
            raise self.error(
                f"{path / self.card} is damaged or was changed by hand.",
                fix=self.mend,
            )
        return card

    def require_not_forgotten(self, table: str, version: int, table_id: str | None) -> None:
        """Raise where ids were forgotten from the table at a path since this was made of its rows.

        `version` and `table_id` are the table's of then; None, as older ones have it, fits any
        table. Where no table lies at the path, or one made anew, nothing is known.
        """
        try:
            now = CommitLog(Layout.of(Path(table)).log).snapshot()
        except (OSError, TableError):
            return
        if table_id in {None, now.table_id} and now.forgotten_at > version:
            raise self.outdated(
                f"The {self.noun} was made from version {version} of {table}; ids were forgotten "
                f"there at version {now.forgotten_at}, and it may still hold them.",
                fix=f"{self.mend} Until then it is refused, so that it shows nothing of them.",
            )

    def problems(self, path: Path) -> list[Problem]:
        """Return what is wrong with the card and the files, nothing for a sound folder."""
        try:
            return list(self._damage(path, self.peek(path)))
        except FeaturizeError as error:
            return [Problem(self.card, error.message, error.fix)]

    def _parse(self, path: Path) -> Json:
        if path.is_file():
            raise self.error(
                f"{path} is a file; a saved {self.noun} is a folder with {self.card}.",
                fix="Pickle and joblib files are never loaded, because they can run any code.",
            )
        try:
            card = json.loads((path / self.card).read_bytes())
            if not (isinstance(card["format"], int) and isinstance(card["files"], dict)):
                raise TypeError("format and files")
            card["sha256"]
        except FileNotFoundError:
            found = f"it holds no {self.card}" if path.is_dir() else "there is no such folder"
            raise self.error(
                f"{path} is no {self.noun}: {found}.", fix=f"Make one: `{self.command}`."
            ) from None
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise self.error(
                f"{path / self.card} is no card of a {self.noun}: {error}.", fix=self.mend
            ) from error
        return dict(card)

    def _damage(self, path: Path, card: Json) -> Iterator[Problem]:
        for name, expected in card["files"].items():
            file = path / name
            if file.is_symlink() or not file.is_file():
                yield Problem(name, "the file is missing or no regular file", self.mend)
            elif (found := sha256_file(file)) != expected:
                detail = f"SHA-256 {str(expected)[:12]} expected, {found[:12]} found"
                yield Problem(name, detail, self.mend)

    def _present(self, folder: Path) -> Iterator[str]:
        yield from self.files
        yield from (name for name in self.optional if (folder / name).exists())

    def require_free(self, path: Path) -> None:
        """Refuse to lie in a table, and to replace anything but an older folder of the same kind.

        Raises UsageError for the former, the kind's own error for the latter.
        """
        path = path.resolve()
        _require_outside(path, f"--out {path}")
        if path.is_dir() and ((path / self.card).is_file() or not any(path.iterdir())):
            return
        if path.exists():
            raise self.error(
                f"{path} is in the way: it is no {self.noun} and not an empty folder.",
                fix=f"Choose another place for the {self.noun}.",
            )


def _self_hash(card: Json) -> str:
    body = {key: value for key, value in card.items() if key != "sha256"}
    return sha256_bytes(canonical_json(body))


def _require_outside(final: Path, where: str) -> None:
    inside = next((folder for folder in final.parents if Layout.of(folder).log.is_dir()), None)
    if inside is not None:
        raise UsageError(
            f"{where} lies inside the table {inside}, whose readers take all it holds.",
            fix="Choose a place outside of every table.",
        )


def free_file(
    path: Path,
    suffix: str,
    command: str,
    is_ours: Callable[[Path], bool],
    *,
    option: str = "--out",
    error: type[FeaturizeError] = HeadError,
) -> Path:
    """Return where a command may write the file of an option; the folder is then there.

    Raises UsageError for a name with another suffix and for a place inside a table, `error` where
    a file is in the way that is not one of ours.
    """
    final = path.resolve()
    if final.suffix.lower() != suffix:
        raise UsageError(
            f"{option} {final}: `{command}` writes a {suffix} file.",
            fix=f"Give the file a name that ends in {suffix}.",
        )
    _require_outside(final, f"{option} {final}")
    if final.exists() and not is_ours(final):
        raise error(
            f"{final} is in the way: no earlier run of `{command}` has written it.",
            fix="Choose another name, or remove it.",
        )
    make_folder(final.parent)
    return final
