"""Raw data as a sorted listing of inputs: folders, archives, CSV, TSV, JSONL and Parquet files."""

from featurize.sources.columns import RESERVED_COLUMNS
from featurize.sources.listing import Listing
from featurize.sources.opening import open_source
from featurize.sources.source import COLUMN_PREFIX, Record, Source

__all__ = ["COLUMN_PREFIX", "RESERVED_COLUMNS", "Listing", "Record", "Source", "open_source"]
