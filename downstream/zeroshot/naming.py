"""The names of classes, and the sentences that stand for them."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from featurize.errors import UsageError

BLANK = "{}"


def split_names(text: str) -> list[str]:
    """Split names at their commas; one that has a comma stands in double quotes.

    Raises UsageError for text of several lines.
    """
    if len(text.splitlines()) > 1:
        raise UsageError(
            "--labels has several lines; one with commas is expected.",
            fix="Give a label a line in a file, with --labels-file.",
        )
    return [name.strip() for name in next(csv.reader([text], skipinitialspace=True), [])]


def read_names(file: str | Path) -> dict[str, str]:
    """Read a text file with a class a line, `name` or `name: description`; return both by name.

    The description of a name without one is its words. Blank lines are passed over. Raises
    UsageError for a file that is missing or not UTF-8, and for a name given twice.
    """
    try:
        lines = Path(file).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"--labels-file {file} cannot be read as UTF-8 text: {error}.",
            fix="Give a text file with a label a line, or `label: description`.",
        ) from error
    pairs = [line.partition(": ") for line in lines if line.strip()]
    names = [name.strip() for name, _, _ in pairs]
    _require_classes(names)
    texts = (text.strip() or words(name) for name, (_, _, text) in zip(names, pairs, strict=True))
    return dict(zip(names, texts, strict=True))


def descriptions(names: Mapping[str, str] | Iterable[str]) -> dict[str, str]:
    """Return what describes each class, by name, ascending: what a mapping says, or its words.

    Raises UsageError unless there are two names or more, all of them different.
    """
    if isinstance(names, str):
        raise UsageError(
            f"A list of labels is expected, got the text {names!r}.", fix="Split it: [...]."
        )
    given = dict(names) if isinstance(names, Mapping) else None
    listed = list(names)
    _require_classes(listed)
    return {name: words(name) if given is None else given[name] for name in sorted(listed)}


def words(name: str) -> str:
    """Return a name as it is said: with spaces for underscores."""
    return " ".join(name.replace("_", " ").split())


def fill(template: str, description: str) -> str:
    """Return the sentence that a template makes of a description."""
    return template.replace(BLANK, description)


def require_templates(templates: Sequence[str]) -> None:
    """Raise UsageError unless there is a template, and each has a place for the label."""
    for template in templates or [""]:
        if BLANK not in template:
            raise UsageError(
                f"The template {template!r} has no {BLANK}, where the label goes.",
                fix=f"Write it like 'This message is about {BLANK}.'.",
            )


def _require_classes(names: Sequence[str]) -> None:
    if len(names) < 2:
        raise UsageError(
            f"Two labels or more are expected, got {len(names)}.",
            fix="Give them as one word: --labels 'refund,delivery'.",
        )
    if not all(isinstance(name, str) and name.strip() for name in names):
        raise UsageError("One of the labels is empty.", fix="Leave out the comma too many.")
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise UsageError(f"The label {twice[0]!r} was given more than once.", fix="Keep one.")
