"""`index`: builds a search index over a table, or brings one up to it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from featurize.cli.command import command
from featurize.cli.console import Console, Outcome
from featurize.cli.wordings import INCOMPLETE
from featurize.errors import UsageError
from featurize.types import Json
from featurize.wording import counted

if TYPE_CHECKING:
    from downstream import VectorIndex

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "index", index)


def index(  # noqa: PLR0913 - a command's options are its parameters
    console: Console,
    table: Annotated[Path, typer.Argument(help="The embedding table.", show_default=False)],
    out: Annotated[Path, typer.Option(help="The folder of the index.")],
    kind: Annotated[
        str | None,
        typer.Option(
            help="flat: exact; hnsw or ivf: approximate, compared exactly in the end; auto (the "
            "default): the quickest that reaches the recall.",
            metavar="KIND",
        ),
    ] = None,
    recall: Annotated[
        float | None,
        typer.Option(
            help="The share of the ten nearest rows that must be found, 0.95 by default; 1 is "
            "exact search.",
            metavar="R",
        ),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            help="The most memory the index may take, such as 500MB or 2GiB; half of the "
            "machine's by default.",
            metavar="SIZE",
        ),
    ] = None,
    update: Annotated[
        bool,
        typer.Option(
            "--update",
            help="Bring the index up to its table: add new rows, mark removed ones, build anew "
            "only where it must be.",
        ),
    ] = False,
) -> Outcome:
    """Build a search index over a table, tuned to a recall."""
    from downstream import VectorIndex
    from downstream.index import INDEX

    INDEX.require_free(out)
    scratch = _folder_of(out)

    changes: Json = {}
    if update and (out / INDEX.card).is_file():
        _refuse_aims(kind, recall, memory)
        opened = VectorIndex.open_outdated(out)
        changes = opened.update(table, scratch=scratch, reporter=console)
        built = opened
    else:
        aim = 0.95 if recall is None else recall
        room = None if memory is None else _bytes(memory)
        built = VectorIndex.build(
            table, kind or "auto", aim, memory=room, scratch=scratch, reporter=console
        )
    built.save(out)
    data = {"index": str(out), "table": str(table), **_described(built), **changes}
    return Outcome(data, _as_text(data))


def _refuse_aims(kind: str | None, recall: float | None, memory: str | None) -> None:
    """Refuse what only a new index can be asked for."""
    given = {"--kind": kind, "--recall": recall, "--memory": memory}
    for name, value in given.items():
        if value is not None:
            raise UsageError(
                f"{name} {value}: an update keeps what the index was built for.",
                fix="Leave out --update to build it anew.",
            )


def _folder_of(out: Path) -> Path:
    """Return the folder beside which the index will lie; it is there then."""
    from featurize.storage import make_folder

    folder = out.resolve().parent
    make_folder(folder)
    return folder


def _bytes(size: str) -> int:
    """Read a size of memory; raise UsageError for anything else."""
    found = re.fullmatch(r"([0-9]*\.?[0-9]+)\s*([kmg]?i?)b?", size.strip().lower())
    if found is None or found[2] not in _UNITS or float(found[1]) == 0:
        raise UsageError(
            f"--memory {size}: a size is expected.", fix="Give it like 500MB, 2GB or 1.5GiB."
        )
    return int(float(found[1]) * _UNITS[found[2]])


def _described(built: VectorIndex) -> Json:
    facts = built.facts
    return {
        "kind": facts["method"],
        "recall": facts["recall"],
        "rows": len(built),
        "tombstones": facts["removed"],
        "memory": facts["memory"],
        "curve": facts["curve"],
        "encoder": built.encoder.name,
        "fingerprint": built.encoder.fingerprint,
        "version": built.origin["version"],
        "incomplete": built.origin["incomplete"],
    }


def _as_text(data: Json) -> str:
    lines = [
        f"{data['index']}: {data['kind']} index of {counted(data['rows'], 'row')}, "
        f"version {data['version']} of {data['table']}"
    ]
    if "rebuilt" in data:
        lines.append(_what_changed(data))
    if data["curve"] is not None:
        lines += [*_curve(data["curve"]), _chosen(data)]
    if data["incomplete"]:
        lines.append(INCOMPLETE)
    return "\n".join(lines)


def _what_changed(data: Json) -> str:
    counts = [f"{data[key]:,} {key}" for key in ("added", "removed", "changed") if data[key]]
    anew = [f"built anew, because {data['rebuilt']}"] if data["rebuilt"] else []
    return "; ".join([*filter(None, [", ".join(counts)]), *anew]) or "nothing changed"


def _curve(curve: Json) -> Iterator[str]:
    """Lay out recall and time of each effort that was tried, and mark those that are taken."""
    taken: dict[int, str] = {}
    for depth, effort in curve["efforts"].items():
        taken[effort] = f"{taken[effort]},{depth}" if effort in taken else f"→@{depth}"
    titles = ("", curve["measure"], "recall@10", "recall@100", "queries/s", "ms alone")
    widths = [max(8, len(title)) for title in titles]
    yield _aligned(titles, widths)
    for point in [*curve["points"], curve["exact"]]:
        cells = (
            taken.get(point["effort"], ""),
            f"{point['effort']:,}" if point["effort"] else "exact",
            *(f"{value:.4f}" for value in point["recall"].values()),
            f"{point['queries_per_second']:,.0f}",
            f"{point['milliseconds']:.2f}",
        )
        yield _aligned(cells, widths)


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    return " ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))


def _chosen(data: Json) -> str:
    recall, asked = data["recall"], data["curve"]["queries"]
    whose = "that it was not built of" if asked < data["rows"] else "of its own, all there are"
    return (
        f"recall of ten hits {recall['reached']:.4f} (asked: {recall['target']}), measured with "
        f"{counted(asked, 'row')} {whose}; about {data['memory'] / 1e6:,.3g} MB in memory"
    )
