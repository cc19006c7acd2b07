"""One renderer of a transfer report: a page that needs nothing but itself."""

from downstream.report.page.page import REPORT, render

__all__ = ["REPORT", "render"]
