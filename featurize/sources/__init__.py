"""Raw data as a sorted listing of inputs: folders, archives, CSV, TSV, JSONL and Parquet files."""

from featurize.sources.columns import RESERVED_COLUMNS
from featurize.sources.listing import Listing
from featurize.sources.opening import open_source
from featurize.sources.source import COLUMN_PREFIX, Entry, Source

__all__ = ["COLUMN_PREFIX", "RESERVED_COLUMNS", "Entry", "Listing", "Source", "open_source"]
