"""The head of the page: what was studied, the verdict with its evidence, and what to do next."""

from __future__ import annotations

from pathlib import PurePath

from downstream.page.markup import between, paragraph, plain, prose, safe
from downstream.report.evidence import evidence
from downstream.report.names import heading
from featurize.types import Json
from featurize.wording import counted

_VERDICTS = {
    "positive": ("▲", "The transfer helps."),
    "neutral": ("●", "No sign that the transfer helps."),
    "negative": ("▼", "The transfer hurts."),
}


def name(facts: Json) -> str:
    """Return the name of the table without its place, which is nobody else's concern."""
    return plain(PurePath(facts["table"]).name)


def title(facts: Json) -> str:
    """Return the heading with the table, its encoder, and the number of rows and classes."""
    rows, classes = counted(facts["rows"], "labelled row"), f"{len(facts['classes']):,} classes"
    about = [
        f"encoder {safe(facts['encoder'])}",
        rows,
        f"{classes} of {safe(facts['label'])}",
        f"table version {facts['version']}",
    ]
    listed = "".join(f"<li>{item}</li>" for item in about)
    return (
        f'<header><p class="kind">Transfer report</p><h1><bdi>{name(facts)}</bdi></h1>'
        f'<ul class="about">{listed}</ul></header>'
    )


def verdict(facts: Json) -> str:
    """Return the verdict, its evidence in a sentence, and the figures that matter most."""
    kind = facts["verdict"]
    mark, words = _VERDICTS[kind]
    return (
        f'<section class="verdict {kind}" aria-labelledby="verdict">'
        f'<p class="kind"><span aria-hidden="true">{mark}</span> Verdict: {kind}</p>'
        f'<h2 id="verdict">{words}</h2>{paragraph(safe(evidence(facts["transfer"])))}'
        f"{_tiles(facts)}</section>"
    )


def advice(facts: Json) -> str:
    """Return what to do next, most useful first."""
    items = "".join(f"<li>{prose(sentence)}</li>" for sentence in facts["advice"])
    return f"<ol class='advice'>{items}</ol>"


def _tiles(facts: Json) -> str:
    """Return the scores in large type."""
    scores = facts["scores"]
    if "skipped" in scores:
        return ""
    shares = ["accuracy", "balanced_accuracy", "macro_f1"]
    tiles = [(heading(name), between(scores[name])) for name in shares if name in scores]
    if "log_loss" in scores:
        tiles.append((heading("log_loss"), between(scores["log_loss"], share=False)))
    items = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in tiles)
    return f'<dl class="tiles">{items}</dl>'
