"""From a source to a table: `run_chunk` is the unit of work, `embed_source` schedules it."""

from featurize.pipeline.preview import plan_source
from featurize.pipeline.run import embed_source

__all__ = ["embed_source", "plan_source"]
