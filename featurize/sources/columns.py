"""Which column of a table file plays which part. One set of rules for all formats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from featurize.config import Job
from featurize.errors import UsageError
from featurize.types import Modality

RESERVED_COLUMNS = (
    "id",
    "source",
    "label",
    "content_sha256",
    "text",
    "n_tokens",
    "truncated",
    "width",
    "height",
    "embedding",
    "parent_id",
    "parent_sha256",
    "char_start",
    "char_end",
    "modality",
)


@dataclass(frozen=True, slots=True)
class ColumnRoles:
    """The parts the columns of a file play, by their names in the file.

    `carried` maps the user's own columns to their final names, in order.
    """

    modality: Modality
    content: str
    id: str | None
    label: str | None
    carried: dict[str, str]
    notes: tuple[str, ...]


def choose_columns(names: Sequence[str], job: Job, where: str) -> ColumnRoles:
    """Decide the part of every column of the file `where`; raise UsageError where none is right."""
    finals = final_names(names, job, where)
    flags = {
        flag: find_column(flag, wanted, finals, where)
        for flag, wanted in (
            ("--text-column", job.text_column),
            ("--image-column", job.image_column),
            ("--id-column", job.id_column),
            ("--label-column", job.label_column),
        )
        if wanted is not None
    }
    _refuse_two_parts(flags)
    free = {final: name for name, final in finals.items() if name not in flags.values()}
    modality, content = _content(flags, free, job, (where, names))
    ids = flags.get("--id-column") or free.get("id")
    label = flags.get("--label-column") or free.get("label")
    chosen = {modality.value: content, "id": ids, "label": label}
    return ColumnRoles(
        modality=modality,
        content=content,
        id=ids,
        label=label,
        carried=carried_columns(finals, chosen.values()),
        notes=tuple(
            f"Column {name!r} is taken as the {part}."
            for part, name in chosen.items()
            if name is not None and name not in flags.values()
        ),
    )


def final_names(names: Sequence[str], job: Job, where: str) -> dict[str, str]:
    """Return the final name of every column after `--rename`, by its name in the file."""
    _refuse_unclear_names(names, where)
    finals = {name: name for name in names}
    renamed: set[str] = set()
    for pair in job.rename:
        old, _, new = pair.partition("=")
        if old not in finals or old in renamed:
            raise UsageError(
                f"--rename {pair} names "
                + ("a column a second time." if old in renamed else f"no column of {where}."),
                fix=_listed(names),
            )
        finals[old] = new
        renamed.add(old)
    for new, count in Counter(finals.values()).items():
        if count > 1:
            raise UsageError(
                f"--rename gives two columns of {where} the name {new!r}.",
                fix="Give each column a name of its own.",
            )
    return finals


def find_column(flag: str, wanted: str, finals: dict[str, str], where: str) -> str:
    """Return the name in the file of the column a flag names, by either of its names."""
    if wanted in finals:
        return wanted
    for name, final in finals.items():
        if final == wanted:
            return name
    raise UsageError(f"{flag} {wanted} names no column of {where}.", fix=_listed(finals))


def carried_columns(finals: dict[str, str], chosen: Iterable[str | None]) -> dict[str, str]:
    """Return the columns that are not chosen; raise UsageError where one has a reserved name."""
    taken = set(chosen)
    carried = {name: final for name, final in finals.items() if name not in taken}
    for name, final in carried.items():
        if final in RESERVED_COLUMNS:
            raise UsageError(
                f"Column {final!r} has a name which the table keeps for itself.",
                fix=f"Give it another one: --rename {name}=NEW",
            )
    return carried


def _content(
    flags: dict[str, str], free: dict[str, str], job: Job, described: tuple[str, Sequence[str]]
) -> tuple[Modality, str]:
    """Choose the column that is embedded: by flag, else by its name."""
    where, names = described
    for modality in Modality:
        if name := flags.get(f"--{modality}-column"):
            return modality, name
    kinds = [Modality(job.modality)] if job.modality else list(Modality)
    found = [(kind, free[kind.value]) for kind in kinds if kind.value in free]
    if len(found) > 1:
        raise UsageError(
            f"{where} has a column 'text' and a column 'image'.",
            fix="Say what to embed: --modality text or --modality image.",
        )
    if not found:
        wanted = " or ".join(repr(kind.value) for kind in kinds)
        options = " or ".join(f"--{kind}-column C" for kind in kinds)
        raise UsageError(
            f"{where} has no column {wanted}.",
            fix=f"Name the column to embed: {options}. {_listed(names)}",
        )
    return found[0]


def _refuse_unclear_names(names: Sequence[str], where: str) -> None:
    """Refuse columns that no option could name."""
    if "" in names:
        position = names.index("") + 1
        raise UsageError(f"Column {position} of {where} has no name.", fix="Give it one.")
    place_of: dict[str, int] = {}
    for place, name in enumerate(names, 1):
        if name in place_of:
            raise UsageError(
                f"Columns {place_of[name]} and {place} of {where} are both named {name!r}.",
                fix="Give each a name of its own.",
            )
        place_of[name] = place


def _refuse_two_parts(flags: dict[str, str]) -> None:
    """Refuse one column for two parts."""
    flag_of: dict[str, str] = {}
    for flag, name in flags.items():
        if name in flag_of:
            raise UsageError(f"{flag_of[name]} and {flag} both name column {name!r}.")
        flag_of[name] = flag


def _listed(names: Iterable[str]) -> str:
    """Say which columns there are."""
    return "Its columns: " + ", ".join(names) + "."
