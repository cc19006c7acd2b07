"""The plots of the page."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from downstream.report.page.svg import ACCENT, INK, MUTED, PAPER, draw
from featurize.types import Json

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH = 380
_ROW = 38
_APART = 1.6  # times, on a logarithmic axis


def scores(metric: str, ours: str, intervals: dict[str, Json]) -> str:
    """Draw a dot with its interval on a metric for each name; the dot of `ours` is filled."""
    names = list(reversed(intervals))

    def plot(axes: Axes) -> None:
        for height, name in enumerate(names):
            _dot(axes, intervals[name], height, filled=name == ours)
        low = min(interval["low"] for interval in intervals.values())
        axes.set_xlim(max(-0.08, low - 0.08), 1.02)
        axes.set_ylim(-0.6, len(names) - 0.4)
        axes.set_yticks(range(len(names)), names)
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        _as_percent(axes.xaxis)

    said = "; ".join(f"{name} {interval['mean']:.1%}" for name, interval in intervals.items())
    return draw(plot, (_WIDTH, 50 + _ROW * len(names)), "scores", f"{metric}: {said}.")


def curve(facts: Json) -> str:
    """Draw accuracy against labels per class, with the forecast."""
    points = facts["points"]

    def plot(axes: Axes) -> None:
        at = [point["per_class"] for point in points]
        means = [point["accuracy"]["mean"] for point in points]
        lows = [point["accuracy"]["low"] for point in points]
        highs = [point["accuracy"]["high"] for point in points]
        axes.fill_between(at, lows, highs, color=ACCENT, alpha=0.18, linewidth=0)
        axes.plot(at, means, color=ACCENT, marker="o", markersize=5, label="measured")
        _forecast(axes, points[-1], facts.get("forecast"))
        target = (facts.get("needed") or {}).get("target")
        if target is not None:
            axes.axhline(target, color=MUTED, linewidth=1, linestyle=(0, (1, 2)), label="target")
        axes.set_xscale("log")
        _plain_ticks(axes, at)
        axes.set_xlabel("labels per class")
        _as_percent(axes.yaxis)
        axes.set_ylim(top=min(1.0, axes.get_ylim()[1]))
        axes.legend(frameon=False, loc="lower right")

    said = "; ".join(f"{p['per_class']:,.3g} labels {p['accuracy']['mean']:.1%}" for p in points)
    return draw(plot, (_WIDTH, 290), "curve", f"Accuracy by labels per class: {said}.")


def calibration(before: list[Json], after: list[Json] | None) -> str:
    """Draw how often the head is right against how sure it is; larger dots stand for more rows."""
    lines = {"as trained": before} | ({"calibrated": after} if after else {})

    def plot(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        for name, bins in lines.items():
            _reliability(axes, name, bins, filled=bins is before)
        axes.set(xlim=(0, 1.03), ylim=(0, 1.03), aspect="equal")
        axes.set(xlabel="confidence of the head", ylabel="share that was right")
        _as_percent(axes.xaxis)
        _as_percent(axes.yaxis)
        axes.legend(frameon=False, loc="upper left")

    said = "; ".join(f"sure {f['confidence']:.0%}, right {f['accuracy']:.0%}" for f in _met(before))
    return draw(plot, (_WIDTH, 350), "calibration", f"Calibration: {said}.")


def _reliability(axes: Axes, name: str, bins: list[Json], *, filled: bool) -> None:
    """Draw the bins that hold rows: those of the head as it is filled, calibrated ones hollow."""
    found = _met(bins)
    most = max(part["rows"] for part in found)
    sure = [part["confidence"] for part in found]
    right = [part["accuracy"] for part in found]
    areas = [20 + 180 * part["rows"] / most for part in found]
    colour, ground = (ACCENT, ACCENT) if filled else (INK, "none")
    axes.plot(sure, right, color=colour, linewidth=1.2, alpha=0.6)
    axes.scatter(sure, right, s=areas, color=ground, edgecolor=colour, label=name, zorder=3)


def _met(bins: list[Json]) -> list[Json]:
    """Return the bins that hold rows."""
    return [part for part in bins if part["rows"]]


def _dot(axes: Axes, interval: Json, height: float, *, filled: bool) -> None:
    colour = ACCENT if filled else MUTED
    ends = [interval["low"], interval["high"]]
    axes.plot(ends, [height, height], color=colour, linewidth=2, zorder=2)
    axes.plot(
        interval["mean"],
        height,
        marker="o" if filled else "s",
        markersize=8 if filled else 6.5,
        markerfacecolor=colour if filled else PAPER,
        markeredgecolor=colour,
        markeredgewidth=1.5,
        zorder=3,
    )
    place = (interval["mean"], height)
    told = f"{100 * interval['mean']:.1f} %"
    axes.annotate(told, place, (0, 8), textcoords="offset points", ha="center")


def _forecast(axes: Axes, last: Json, forecast: Json | None) -> None:
    """Draw a dashed line from the last point to the forecast, with its interval."""
    if not forecast:
        return
    seen, told = last["accuracy"], forecast["accuracy"]
    at = [last["per_class"], last["per_class"] * forecast["rows"] / last["rows"]]
    axes.fill_between(
        at,
        [seen["low"], told["low"]],
        [seen["high"], told["high"]],
        color=ACCENT,
        alpha=0.09,
        linewidth=0,
    )
    axes.plot(
        at,
        [seen["mean"], told["mean"]],
        color=ACCENT,
        linestyle=(0, (4, 3)),
        marker="D",
        markersize=5,
        markerfacecolor=PAPER,
        label="forecast",
        zorder=1,
    )


def _plain_ticks(axes: Axes, at: list[float]) -> None:
    """Label the measured places of a logarithmic axis, but none too close to the one before."""
    from matplotlib.ticker import NullFormatter, NullLocator

    shown = [place for before, place in pairwise([0.0, *at]) if place > _APART * before]
    axes.set_xticks(shown, [f"{place:,.0f}" for place in shown])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())


def _as_percent(axis: object) -> None:
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))  # type: ignore[attr-defined]
    axis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))  # type: ignore[attr-defined]
