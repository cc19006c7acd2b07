"""What rows of a table are near to each other: the neighbours of each, and its duplicates."""

from downstream.neighbors.all_pairs import neighbors
from downstream.neighbors.groups import DUPLICATES, Duplicates
from downstream.neighbors.repeats import duplicates

__all__ = ["DUPLICATES", "Duplicates", "duplicates", "neighbors"]
