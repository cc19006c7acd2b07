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
├── IndexFileError             a search index cannot be built, read or asked
├── FileError                  the operating system refused a file
├── WorkerStuck                a thread of a run hangs or has died
└── TooManyRejects             more inputs were rejected than allowed

Two stand beside the tree. InputRejected concerns one input, and ends as a row of the rejects.
Interrupted, exit 128 + signal, is no Exception, so that nothing on its way takes it for a failure.
"""

import signal
from typing import ClassVar

from featurize.types import RejectReason


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


class IndexFileError(FeaturizeError):
    """A search index cannot be built, read or asked."""

    kind = "index"


class TooManyRejects(FeaturizeError):
    """More inputs were rejected than `--max-rejects` allows."""

    kind = "too_many_rejects"


class FileError(FeaturizeError):
    """The operating system refused a file."""

    kind = "file"


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
