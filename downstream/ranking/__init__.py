"""Encoders compared on the user's own labels, with what each costs."""

from downstream.ranking.contest import rank, rank_encoders, tables_in

__all__ = ["rank", "rank_encoders", "tables_in"]
