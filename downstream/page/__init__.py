"""What the pages we write have in common: their shell and style, escaping, and small pictures."""

from downstream.page.document import PageKind

__all__ = ["PageKind"]
