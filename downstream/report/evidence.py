"""What a verdict rests on, in a sentence."""

from __future__ import annotations

from downstream.report.names import called
from featurize.types import Json


def evidence(transfer: Json) -> str:
    """Return the difference to the strongest baseline, with its test, and why that decides."""
    if "difference" not in transfer:
        return str(transfer.get("why", ""))
    difference = transfer["difference"]
    low, mean, high = (f"{100 * difference[end]:+.1f}" for end in ("low", "mean", "high"))
    p_value = transfer["p_value"]
    chance = "" if p_value is None else f"; p = {p_value:.2g}, judged at {transfer['alpha']:g}"
    return (
        f"The {transfer['head']} head on the vectors differs from the strongest baseline, "
        f"{called(transfer['rival'])}, by {mean} points of {called(transfer['metric']).lower()} "
        f"(95 % interval {low} to {high}{chance}). {transfer['why']}"
    )
