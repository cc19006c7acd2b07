"""The embedding table: a folder of Parquet parts named by a commit log."""

from featurize.table.reader import EmbeddingTable

__all__ = ["EmbeddingTable"]
