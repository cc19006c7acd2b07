"""The head of the page: what was studied, the verdict with its evidence, and what to do next."""

from __future__ import annotations

from downstream.report.page.markup import NOTHING, between, paragraph, prose, safe
from downstream.report.names import called
from featurize.types import Json
from featurize.wording import counted

_VERDICTS = {
    "positive": ("▲", "The transfer helps."),
    "neutral": ("●", "No sign that the transfer helps."),
    "negative": ("▼", "The transfer hurts."),
}


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
        f'<header><p class="kind">Transfer report</p><h1>{safe(facts["table"])}</h1>'
        f'<ul class="about">{listed}</ul></header>'
    )


def verdict(facts: Json) -> str:
    """Return the verdict, its evidence in a sentence, and the figures that matter most."""
    kind = facts["verdict"]
    mark, words = _VERDICTS[kind]
    return (
        f'<section class="verdict {kind}" aria-labelledby="verdict">'
        f'<p class="kind"><span aria-hidden="true">{mark}</span> Verdict: {kind}</p>'
        f'<h2 id="verdict">{words}</h2>{paragraph(evidence(facts["transfer"]))}'
        f"{_tiles(facts)}</section>"
    )


def evidence(transfer: Json) -> str:
    """Return what the verdict rests on, as one sentence."""
    if "difference" not in transfer:
        return safe(transfer.get("why", ""))
    difference = transfer["difference"]
    low, mean, high = (f"{100 * difference[end]:+.1f}" for end in ("low", "mean", "high"))
    metric = called(transfer["metric"]).lower()
    p_value = transfer["p_value"]
    chance = NOTHING if p_value is None else f"{p_value:.2g}"
    return (
        f"Against the strongest baseline, {called(transfer['rival'])}, the "
        f"{safe(transfer['head'])} head on the vectors differs by <strong>{mean} points</strong> "
        f"of {metric} (95&nbsp;% interval {low} to {high}; p&nbsp;=&nbsp;{chance}, judged at "
        f"{transfer['alpha']:g}). {safe(transfer['why'])}"
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
    tiles = [(called(name), between(scores[name])) for name in shares if name in scores]
    if "log_loss" in scores:
        tiles.append((called("log_loss"), between(scores["log_loss"], share=False)))
    items = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in tiles)
    return f'<dl class="tiles">{items}</dl>'
