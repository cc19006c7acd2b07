"""Results of a search as a contact sheet: one page that needs nothing but itself."""

from downstream.sheet.query import Query, QueryKind
from downstream.sheet.sheet import free_sheet, write_sheet

__all__ = ["Query", "QueryKind", "free_sheet", "write_sheet"]
