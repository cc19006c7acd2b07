"""The shell of a page: a document that needs no other file, asks no network and runs nothing."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from downstream.artifact import free_file
from featurize import storage
from featurize.errors import FeaturizeError

SUFFIX = ".html"
_FIRST_BYTES = 512
# Nothing is fetched and nothing runs, whatever a text of the data should manage to say.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"


@dataclass(frozen=True, slots=True)
class PageKind:
    """A kind of page: its name, the command and option that write it, and its kind of error.

    `package` holds the `style.css` that comes after the style of all pages.
    """

    name: str
    command: str
    option: str
    package: str
    error: type[FeaturizeError]

    @property
    def mark(self) -> str:
        """Return what tells our pages from those of others; it stands among their first bytes."""
        return f'<meta name="generator" content="featurize {self.name}">'

    def html(self, title: str, body: str) -> str:
        """Return a page around a body of HTML; `title` is HTML too."""
        style = "".join(_style(package) for package in (__package__, self.package))
        return (
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">{self.mark}'
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            '<meta name="color-scheme" content="light dark">'
            f"<title>{title}: {self.name}</title><style>{style}</style></head>"
            f"<body>{body}</body></html>\n"
        )

    def free_place(self, path: str | Path) -> Path:
        """Return where a page may be written.

        Raises UsageError for a name that does not end in .html and for a place inside a table, the
        kind's own error where another file is in the way.
        """
        return free_file(
            Path(path), SUFFIX, self.command, self._is_ours, option=self.option, error=self.error
        )

    def write(self, path: str | Path, page: str) -> None:
        """Write a page, as a whole or not at all, over an older one at most.

        Raises as `free_place` does.
        """
        storage.put(self.free_place(path), page.encode())

    def _is_ours(self, file: Path) -> bool:
        """Say whether a file is a page of this kind."""
        if not file.is_file():
            return False
        with file.open("rb") as page:
            return self.mark.encode() in page.read(_FIRST_BYTES)


def _style(package: str) -> str:
    return resources.files(package).joinpath("style.css").read_text(encoding="utf-8")
