"""What a command prints: results on stdout, everything else on stderr."""

from __future__ import annotations

import contextlib
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from featurize.cli.output import print_json, print_text
from featurize.errors import FeaturizeError, FileError, Interrupted
from featurize.interruption import shielded
from featurize.types import Json, Progress
from featurize.wording import printable

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress as Bars

EXIT_FAILED = 1
_SECONDS_BETWEEN_LINES = 2.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command found: `data` for `--json`, `text` for people, and its exit code.

    An `essential` text is the command's very purpose, which `--quiet` does not silence; `why` is
    the line it leaves where the exit code is not 0.
    """

    data: Json
    text: RenderableType
    code: int = 0
    essential: bool = False
    why: str = ""


class Console:
    """Prints outcomes, errors and progress; with `json`, one JSON object on stdout and no more."""

    def __init__(self, *, json: bool = False, quiet: bool = False, verbose: bool = False) -> None:
        self._json = json
        self._quiet = quiet
        self._verbose = verbose
        self._bars: Bars | None = None
        self._answered = False
        self._started: dict[str, float] = {}
        self._last = 0.0

    def answer(self, work: Callable[[], Outcome]) -> int:
        """Do the work of a command and print what came of it; return its exit code."""
        try:
            return self._finish(work())
        except FeaturizeError as error:
            return self.fail(error)
        except Interrupted as stop:
            return self._interrupted(stop)
        except BrokenPipeError:
            sys.stderr.close()
            return EXIT_FAILED
        except OSError as error:
            return self.fail(FileError.of(error))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - so that --json always answers
            cause = _signal_behind(error)
            return self._crash(error) if cause is None else self._interrupted(cause)
        finally:
            self._stop()

    def fail(self, error: FeaturizeError) -> int:
        """Print an error with what to do about it and return its exit code."""
        if self._verbose:
            self._stop()
            traceback.print_exception(error, file=sys.stderr)
        return self._report(error.kind, error.message, error.fix, error.exit_code)

    def _interrupted(self, stop: Interrupted) -> int:
        """Say that a signal stopped the command, if nothing else was said; return its exit code."""
        with contextlib.suppress(Interrupted):
            if not self._answered:
                fix = (
                    "What was committed to a table stays, nothing else changed: run the same "
                    "command again."
                )
                self._report("interrupted", f"{stop}", fix, stop.exit_code)
        return stop.exit_code

    def _finish(self, outcome: Outcome) -> int:
        self._stop()
        if self._json:
            self._answer(outcome.data)
        elif outcome.essential or not self._quiet:
            print_text(outcome.text)
        elif outcome.code and outcome.why:
            self._write(printable(outcome.why))
        return outcome.code

    def _crash(self, error: BaseException) -> int:
        """Print an error nobody foresaw; the traceback belongs into a report."""
        self._stop()
        traceback.print_exception(error, file=sys.stderr)
        fix = "This is a defect of featurize: please report it with the lines above."
        return self._report("error", f"{type(error).__name__}: {error}", fix, EXIT_FAILED)

    def _report(self, kind: str, message: str, fix: str, code: int) -> int:
        self._stop()
        if self._json and not self._answered:
            with contextlib.suppress(OSError, FileError):  # then stderr has to do
                self._answer({"error": {"kind": kind, "message": message, "fix": fix}})
        self._write(printable("\n".join(filter(None, [f"error: {message}", fix])), keep_lines=True))
        return code

    def _answer(self, data: Json) -> None:
        """Print the one JSON object."""
        with shielded():
            self._answered = True
            print_json(data)

    def say(self, text: str) -> None:
        """Write one sentence to stderr."""
        if not self._quiet:
            self._write(printable(text, keep_lines=True))

    def progress(self, progress: Progress) -> None:
        """Show how far a stage has come: a bar on a terminal, a line now and then elsewhere."""
        if self._quiet:
            return
        now = time.monotonic()
        started = self._started.setdefault(progress.stage, now)
        if sys.stderr.isatty():
            self._bar(progress)
        elif now - max(self._last, started) >= _SECONDS_BETWEEN_LINES:
            self._last = now
            print(_line(progress, now - started), file=sys.stderr, flush=True)  # noqa: T201

    def _bar(self, progress: Progress) -> None:
        if self._bars is None:
            self._bars = _new_bars()
            self._bars.start()
        names = {task.description: task.id for task in self._bars.tasks}
        task = names.get(progress.stage)
        if task is None:
            for done in self._bars.tasks:
                self._bars.update(done.id, total=done.completed)
            task = self._bars.add_task(progress.stage, total=progress.total)
        self._bars.update(task, completed=progress.done, total=progress.total)

    def _write(self, text: str) -> None:
        if self._bars is not None:
            self._bars.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=sys.stderr, flush=True)  # noqa: T201

    def _stop(self) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None


def _signal_behind(error: BaseException) -> Interrupted | None:
    """Return the signal that a library took for a failure of its own, as imports in C++ do."""
    cause = error.__cause__ or error.__context__
    return cause if cause is None or isinstance(cause, Interrupted) else _signal_behind(cause)


def _new_bars() -> Bars:
    from rich import progress
    from rich.console import Console as Terminal

    return progress.Progress(
        progress.TextColumn("{task.description:>8}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TaskProgressColumn(show_speed=True),
        progress.TimeRemainingColumn(compact=True),
        console=Terminal(stderr=True),
    )


def _line(progress: Progress, seconds: float) -> str:
    rate = progress.done / seconds
    if progress.total is None:
        return f"{progress.stage}: {progress.done:,} ({rate:,.0f}/s)"
    share = progress.done / max(1, progress.total)
    left = (progress.total - progress.done) / rate if rate else float("inf")
    return (
        f"{progress.stage}: {progress.done:,}/{progress.total:,} ({share:.0%}), "
        f"{rate:,.0f}/s, {left:,.0f} s left"
    )
