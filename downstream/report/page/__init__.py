"""One renderer of a transfer report: a page that needs nothing but itself."""

from downstream.report.page.page import MARK, render

__all__ = ["MARK", "render"]
