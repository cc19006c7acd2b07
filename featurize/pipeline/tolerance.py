"""How many rejects a table may hold, judged on all it holds, not on those of one run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from featurize.config import Job, allowed_rejects
from featurize.errors import TooManyRejects
from featurize.pipeline.diff import Diff, Status
from featurize.table import EmbeddingTable
from featurize.wording import counted


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What `--max-rejects` allows a run, and what is known before anything is encoded.

    `rejects` and `inputs` are those of the table after the run; `limit` is None for any number.
    """

    table: str
    is_new: bool
    inputs: int
    rejects: int
    limit: int | None

    @classmethod
    def of(cls, job: Job, table: EmbeddingTable | None, diff: Diff) -> Self:
        """Foresee the rejects of a run, which encoding may add to."""
        rejects = diff.refused - sum(map(len, diff.stale.values()))
        accepted = len(diff.places(Status.NEW)) - diff.refused - diff.left
        if table is not None:
            rejects += sum(part.rows for part in table.reject_parts)
            accepted += table.inputs
        inputs = accepted + rejects
        limit = allowed_rejects(job.max_rejects, inputs)
        return cls(str(job.out), table is None, inputs, rejects, limit)

    def require_foreseen(self) -> None:
        """Raise TooManyRejects where too many are known before anything is written."""
        left = "written" if self.is_new else "changed"
        listed = "a run without the option" if self.is_new else f"`featurize inspect {self.table}`"
        self._require(self.rejects, f"Nothing was {left}.", listed)

    def require(self, rejects: int) -> None:
        """Raise TooManyRejects where a table that was committed to holds too many."""
        left = f"What was committed stays in {self.table}."
        self._require(rejects, left, f"`featurize inspect {self.table}`")

    def _require(self, rejects: int, left: str, listed: str) -> None:
        if self.limit is not None and rejects > self.limit:
            raise TooManyRejects(
                f"{counted(rejects, 'reject')} among {counted(self.inputs, 'input')}, "
                f"--max-rejects allows {self.limit:,}: stopped. {left}",
                fix=f"To see them with their reasons: {listed}. Mend these inputs, or allow more.",
            )
