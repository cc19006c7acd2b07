"""What stands beside the samples of an archive, as WebDataset names it.

Members that share their path up to the first dot of the name are one sample: 0001.jpg is described
by 0001.cls (its label), 0001.json (an object: its columns) and, where images alone are embedded,
0001.txt (its caption).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from featurize.config import Job
from featurize.errors import InputRejected
from featurize.sources.columns import carried_columns, final_names, find_column
from featurize.sources.files import is_input
from featurize.sources.jsonl import parse_object
from featurize.sources.jsontypes import ColumnType
from featurize.sources.members import Member, MemberKind
from featurize.sources.table import without_empty
from featurize.types import Json, Modalities, Modality, RejectReason

if TYPE_CHECKING:
    import pyarrow as pa

_MAX_BYTES = 1 << 20
_LABEL, _COLUMNS, _CAPTION = "cls", "json", "txt"
# The contents of one sample's sidecars by their suffix, or why one cannot be used.
Beside: TypeAlias = dict[str, bytes | InputRejected]


def split_key(path: str) -> tuple[str, str]:
    """Return what the members of a sample share, and the lower-case rest of the name."""
    folder, slash, name = path.rpartition("/")
    stem, _, rest = name.partition(".")
    return folder + slash + stem, rest.lower()


def is_sidecar(rest: str, modalities: Modalities) -> bool:
    """Tell whether a member whose name goes on so after the key describes a sample."""
    return rest in {_LABEL, _COLUMNS} or (rest == _CAPTION and Modality.TEXT not in modalities)


def read_sidecars(members: Iterable[Member], modalities: Modalities) -> dict[str, Beside]:
    """Return what describes the samples of one archive, by their keys, in any order of members."""
    found: dict[str, Beside] = {}
    samples: set[str] = set()
    for member in members:
        if member.kind is not MemberKind.FILE or member.is_passed_over:
            continue
        key, rest = split_key(member.path)
        if is_sidecar(rest, modalities):
            beside = found.setdefault(key, {})
            beside[rest] = _again(rest) if rest in beside else _content(member, rest)
        elif is_input(member.path, modalities):
            samples.add(key)
    return {key: beside for key, beside in found.items() if key in samples}


def described(beside: Beside) -> Json:
    """Return the columns of one sample; raise InputRejected where a sidecar cannot be used.

    A file says more than a key: `label` and `caption` of the object give way to .cls and .txt.
    """
    for content in beside.values():
        if isinstance(content, InputRejected):
            raise content
    texts = {rest: _text(data, rest) for rest, data in beside.items() if isinstance(data, bytes)}
    columns: Json = {}
    if _COLUMNS in texts:
        value = parse_object(texts[_COLUMNS].encode(), "its .json")
        if isinstance(value, InputRejected):
            raise value
        columns = value
    if _CAPTION in texts:
        columns["caption"] = texts[_CAPTION]
    if _LABEL in texts:
        columns["label"] = _class(texts[_LABEL].strip())
    return columns


@dataclass(slots=True)
class SidecarColumns:
    """The names and types of the columns that sidecars bring, in order of appearance.

    `carried` maps the user's own columns to their final names; `label` names the label's.
    """

    types: dict[str, ColumnType] = field(default_factory=dict)
    carried: dict[str, str] = field(default_factory=dict)
    label: str | None = None

    def see(self, beside: Beside) -> None:
        """Take one sample into account; one that cannot be used says nothing."""
        try:
            columns = described(beside)
        except InputRejected:
            return
        for name, value in columns.items():
            self.types.setdefault(name, ColumnType()).see(value)

    def assign(self, job: Job, where: str) -> None:
        """Decide which column is the label; raise UsageError for names that clash."""
        finals = final_names(list(self.types), job, where)
        named = next((name for name, final in finals.items() if final == "label"), None)
        if job.label_column is not None:
            self.label = find_column("--label-column", job.label_column, finals, where)
            named = None
        elif job.label_from is None:
            self.label = named
        self.carried = carried_columns(finals, [self.label, named])

    def schema(self) -> pa.Schema:
        """Return the user's own columns."""
        import pyarrow as pa

        return pa.schema([(new, self.types[old].arrow()) for old, new in self.carried.items()])

    def array(self, name: str, rows: list[Json]) -> pa.Array:
        """Return one column of some samples."""
        return self.types[name].array([row.get(name) for row in rows])

    def labels(self, name: str, rows: list[Json]) -> pa.Array:
        """Return the labels of some samples: names stay as they are, even among numbers."""
        import pyarrow as pa

        kind = self.types[name].arrow()
        if kind != pa.string():
            return self.array(name, rows)
        values = (row.get(name) for row in rows)
        return without_empty(pa.array([_as_text(value) for value in values], kind))


def _content(member: Member, rest: str) -> bytes | InputRejected:
    """Return the content of a sidecar, or why there is none."""
    if member.size > _MAX_BYTES:
        detail = f"its .{rest} has {member.size} bytes; at most {_MAX_BYTES >> 20} MiB are read"
        return InputRejected(RejectReason.TOO_LARGE, detail)
    problem = member.problem
    if problem is None:
        try:
            return member.read()
        except InputRejected as error:
            problem = error
    if problem.reason is RejectReason.EMPTY and rest != _COLUMNS:
        return b""
    return InputRejected(problem.reason, f"its .{rest}: {problem.detail}")


def _again(rest: str) -> InputRejected:
    """Return the reject of a sample that two members describe in one way."""
    return InputRejected(RejectReason.BAD_ROW, f"the archive has its .{rest} twice")


def _text(data: bytes, rest: str) -> str:
    """Return UTF-8 bytes as text, without a byte order mark."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        detail = f"its .{rest} is not UTF-8: {error.reason}"
        raise InputRejected(RejectReason.BAD_UTF8, detail) from None


def _class(text: str) -> int | str | None:
    """Return a class as the integer it is written as, else as its name."""
    digits = text.removeprefix("-")
    if digits.isascii() and digits.isdigit() and len(text) < 19 and str(int(text)) == text:
        return int(text)
    return text or None


def _as_text(value: object) -> str | None:
    """Return a label as text."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
