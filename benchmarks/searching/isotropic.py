"""A million vectors whose clusters have no directions of their own, as `million` measures them."""

from __future__ import annotations

from collections.abc import Iterator

from searching.clusters import ISOTROPIC
from searching.million import shape_lines
from searching.options import Options

TITLE = "Search: a million vectors, isotropic"


def lines(options: Options) -> Iterator[str]:
    """Yield the section."""
    yield from shape_lines(ISOTROPIC, options)
