"""What a verdict rests on, in a sentence."""

from __future__ import annotations

from downstream.report.names import called, heading
from featurize.types import Json

_ENDS = ("low", "mean", "high")


def evidence(transfer: Json) -> str:
    """Return the difference to the strongest baseline, with its test, and why that decides."""
    if "difference" not in transfer:
        return str(transfer.get("why", ""))
    rival, metric = transfer["rival"], heading(transfer["metric"])
    ours, theirs = transfer["head"]["mean"], transfer["rivals"][rival]["mean"]
    low, mean, high = (f"{100 * transfer['difference'][end]:+.1f}" for end in _ENDS)
    return (
        f"{metric} is {ours:.1%} for the head on the vectors and {theirs:.1%} for "
        f"{called(rival)}: {mean} points (95 % interval {low} to {high}, p = "
        f"{transfer['p_value']:.2g}). {transfer['why']}"
    )
