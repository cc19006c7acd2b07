"""Everything that can go wrong, as one tree.

FeaturizeError                 exit 1
├── UsageError                 exit 2: the command or call contradicts itself or its input
├── SourceError                the raw data as a whole cannot be used
│   └── NoInput                it holds nothing to embed
├── BundleError                an encoder bundle is damaged, foreign or incomplete
├── ExportError                a model cannot be exported, or its export is not faithful
├── RuntimeUnavailable         a device, runtime or precision that was asked for is not there
├── RuntimeFault               a runtime gave other vectors for the same inputs
├── MissingExtra               an optional package is not installed
├── TableError                 an embedding table is damaged, foreign or in the way
│   └── TableLocked            another process writes to it
├── MismatchError              vectors of two vector spaces would meet
├── HeadError                  a head cannot be trained, read or applied
│   └── OutdatedHead           ids were forgotten from its table since
├── IndexFileError             a search index cannot be built, read or asked
│   ├── OutdatedIndex          ids were forgotten from its table since
│   └── RecallMissed           it finds fewer true neighbours than was asked for
├── FileError                  the operating system refused a file
├── WorkerStuck                a thread of a run hangs or has died
└── TooManyRejects             more inputs were rejected than allowed

Two stand beside the tree. InputRejected concerns one input, and ends as a row of the rejects.
Interrupted, exit 128 + signal, is no Exception, so that nothing on its way takes it for a failure.
"""

import errno
import os
import signal
from pathlib import Path
from typing import ClassVar, Self

from featurize.types import RejectReason

_FULL = "Free some room there and run the command again: what was committed stays."
_FORBIDDEN = (
    "Check the permissions of the file and of its folders, or write to another place (--out)."
)
_ADVICE = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: "Write to another place (--out), or mount this one for writing.",
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EIO: "Check the disk (the system's log says more), then run the command again, or write "
    "to another place (--out): what was committed stays.",
}


class FeaturizeError(Exception):
    """A failure with what was expected and found, and what to do next."""

    kind: ClassVar[str] = "error"
    exit_code: int = 1

    def __init__(self, message: str, *, fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message}\n{self.fix}" if self.fix else self.message


class UsageError(FeaturizeError):
    """The options contradict each other or the input."""

    kind = "usage"
    exit_code = 2


class SourceError(FeaturizeError):
    """The raw data as a whole cannot be read."""

    kind = "source"


class NoInput(SourceError):
    """The raw data hold nothing to embed."""


class BundleError(FeaturizeError):
    """An encoder bundle is damaged, foreign or incomplete."""

    kind = "bundle"


class ExportError(FeaturizeError):
    """A model cannot be exported, or its export is not faithful."""

    kind = "export"


class RuntimeUnavailable(FeaturizeError):
    """A device, runtime or precision that was asked for is not there."""

    kind = "runtime"


class RuntimeFault(FeaturizeError):
    """A runtime gave other vectors for the same inputs."""

    kind = "runtime"


class MissingExtra(FeaturizeError):
    """An optional package is not installed."""

    kind = "missing_extra"

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} needs packages that are not installed.",
            fix=f"Install them with: pip install 'featurize[{extra}]'",
        )


class TableError(FeaturizeError):
    """An embedding table is damaged, foreign or in the way."""

    kind = "table"


class TableLocked(TableError):
    """Another process writes to the table."""

    kind = "locked"


class MismatchError(FeaturizeError):
    """Vectors of two vector spaces would meet."""

    kind = "mismatch"


class HeadError(FeaturizeError):
    """A head cannot be trained, read or applied."""

    kind = "head"


class OutdatedHead(HeadError):
    """A head keeps rows of a table from which ids were forgotten since."""


class IndexFileError(FeaturizeError):
    """A search index cannot be built, read or asked."""

    kind = "index"


class OutdatedIndex(IndexFileError):
    """An index holds rows of a table from which ids were forgotten since."""


class RecallMissed(IndexFileError):
    """An index finds fewer of the true nearest neighbours than was asked for."""


class TooManyRejects(FeaturizeError):
    """More inputs were rejected than `--max-rejects` allows."""

    kind = "too_many_rejects"


class FileError(FeaturizeError):
    """The operating system refused a file."""

    kind = "file"

    @classmethod
    def of(cls, error: OSError, path: Path | None = None) -> Self:
        """Say which file the system refused, `path` where the system does not say, and why."""
        name = error.filename or path
        where = f"{os.fsdecode(name)}: " if isinstance(name, str | bytes | Path) else ""
        fix = _ADVICE.get(error.errno or 0, "Check the path and try again.")
        return cls(f"{where}{error.strerror or error}.", fix=fix)


class WorkerStuck(FeaturizeError):
    """A thread of a run hangs or has died."""

    kind = "stuck"


class Interrupted(BaseException):
    """The command was stopped by SIGINT or SIGTERM."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}")
        self.exit_code = 128 + signum


class InputRejected(Exception):
    """One input cannot become a row; it becomes a reject with this reason."""

    def __init__(self, reason: RejectReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
