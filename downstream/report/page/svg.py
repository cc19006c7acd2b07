"""Plots of matplotlib as SVG inside a page, whose colours and fonts they take."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Stand-ins that no colour map gives; each becomes the page's variable of that name.
INK, MUTED, LINE, ACCENT, PAPER = "#010101", "#010102", "#010103", "#010104", "#010105"
_VARIABLES = {INK: "ink", MUTED: "muted", LINE: "line", ACCENT: "accent", PAPER: "paper"}
_STYLE: dict[str, Any] = {
    "axes.edgecolor": LINE,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": MUTED,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "none",
    "font.size": 12,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "lines.linewidth": 1.8,
    "svg.fonttype": "none",
    "svg.hashsalt": "featurize",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.color": LINE,
    "ytick.labelcolor": MUTED,
}
_POINTS = 72  # per inch, so that sizes are the units of the SVG
_XLINK = "{http://www.w3.org/1999/xlink}"
_REFERENCE = re.compile(r"#([\w.-]+)")
_FONT = re.compile(r"font: (?:[\w.]+ )*?([\d.]+px) [^;]*")


def draw(plot: Callable[[Axes], None], size: tuple[float, float], name: str, says: str) -> str:
    """Return what `plot` draws on axes, of a size in pixels, as an SVG element.

    `name` tells its ids from those of other plots of the page; `says` is what it shows, for those
    who do not see it.
    """
    import matplotlib.style
    from matplotlib.figure import Figure

    file = io.StringIO()
    with matplotlib.style.context(["default", _STYLE]):
        inches = (size[0] / _POINTS, size[1] / _POINTS)
        figure = Figure(figsize=inches, dpi=_POINTS, layout="constrained")
        plot(figure.subplots())
        figure.savefig(file, format="svg", metadata={"Date": None})
    return _inline(ET.fromstring(file.getvalue()), name, says)


def _inline(root: ET.Element, name: str, says: str) -> str:
    """Strip a document of SVG to an element of HTML."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.endswith(("}metadata", "}style")):
                parent.remove(child)
    values = [value for item in root.iter() for value in item.attrib.values()]
    used = {found for value in values for found in _REFERENCE.findall(value)}
    for item in root.iter():
        item.tag = item.tag.rpartition("}")[2]
        item.attrib = _attributes(item.attrib, used, name)
    shown = {"class": "plot", "role": "img", "aria-label": says}
    root.attrib = {"viewBox": root.attrib["viewBox"]} | shown
    return ET.tostring(root, encoding="unicode")


def _attributes(given: dict[str, str], used: set[str], name: str) -> dict[str, str]:
    """Return the attributes of an element for the page; ids that nothing refers to go."""
    kept = {key.replace(_XLINK, ""): _own(given[key], used, name) for key in given if key != "id"}
    own = given.get("id")
    return kept | {"id": f"{name}-{own}"} if own in used else kept


def _own(value: str, ids: set[str], name: str) -> str:
    """Return an attribute with the page's colours and font, and references that fit the ids."""
    for stand_in, variable in _VARIABLES.items():
        value = value.replace(stand_in, f"var(--{variable})")
    value = _FONT.sub(r"font-size: \1", value)
    return _REFERENCE.sub(lambda m: f"#{name}-{m[1]}" if m[1] in ids else m[0], value)
