"""The page as a whole: its head, and its parts in their order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from downstream.page import PageKind
from downstream.page.markup import paragraph, safe
from downstream.report.page import classes, measured, method, rows, summary
from downstream.report.page.rows import Pictures
from featurize.errors import HeadError
from featurize.types import Json

REPORT = PageKind("transfer report", "report", "--out", __package__, HeadError)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the page: where its facts are, its heading, and what writes it.

    `wide` parts take the whole width.
    """

    key: str
    title: str
    write: Callable[[Json, Pictures], str]
    anchor: str = ""
    wide: bool = False

    def html(self, facts: Json, pictures: Pictures) -> str:
        """Return the part, or why it was left out."""
        name, found = self.anchor or self.key, facts.get(self.key)
        if found is None:
            body = paragraph("Not measured.", "skipped")
        elif isinstance(found, dict) and "skipped" in found:
            body = paragraph(safe(found["skipped"]), "skipped")
        else:
            body = self.write(facts, pictures)
        return (
            f'<section id="{name}" class="{"wide" if self.wide else "part"}" '
            f'aria-labelledby="{name}-title"><h2 id="{name}-title">{self.title}</h2>'
            f"{body}</section>"
        )


def _plain(write: Callable[[Json], str]) -> Callable[[Json, Pictures], str]:
    """Let a part that shows no pictures stand among those that do."""
    return lambda facts, _: write(facts)


PARTS = (
    Part("advice", "What to do next", _plain(summary.advice), wide=True),
    Part("scores", "Scores against baselines", _plain(measured.scores)),
    Part("curve", "Learning curve", _plain(measured.curve)),
    Part("scores", "Each class", _plain(classes.per_class), "classes", wide=True),
    Part("confusion", "Confusions", classes.confusion, wide=True),
    Part("calibration", "Calibration", _plain(measured.calibration)),
    Part("transferability", "Scores without training", _plain(measured.transferability)),
    Part("noise", "Labels to check", rows.suspects, wide=True),
    Part("duplicates", "Duplicates and leaks", rows.duplicates, wide=True),
    Part("balance", "Balance of the classes", _plain(classes.balance)),
    Part("rows", "How it was measured", _plain(method.method), "method"),
)


def render(facts: Json, pictures: Pictures) -> str:
    """Return the facts of a report as one page of HTML that needs no other file and no network."""
    links = "".join(
        f'<li><a href="#{part.anchor or part.key}">{part.title}</a></li>' for part in PARTS
    )
    parts = "".join(part.html(facts, pictures) for part in PARTS)
    body = (
        f"{summary.title(facts)}<main>{summary.verdict(facts)}"
        f'<nav aria-label="Contents"><ul>{links}</ul></nav>'
        f'<div class="parts">{parts}</div></main>'
    )
    return REPORT.html(summary.name(facts), body)
