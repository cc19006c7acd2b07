"""What a command prints: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from featurize.errors import FeaturizeError
from featurize.types import Json, Progress

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress as Bars

_SECONDS_BETWEEN_LINES = 2.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command found: `data` for `--json`, `text` for people, and its exit code."""

    data: Json
    text: RenderableType
    code: int = 0


class Console:
    """Prints outcomes, errors and progress; with `json`, one JSON object on stdout and no more."""

    def __init__(self, *, json: bool = False, quiet: bool = False, verbose: bool = False) -> None:
        self._json = json
        self._quiet = quiet
        self._verbose = verbose
        self._lock = threading.Lock()
        self._bars: Bars | None = None
        self._started: dict[str, float] = {}
        self._last = 0.0

    def finish(self, outcome: Outcome) -> int:
        """Print an outcome and return its exit code."""
        self._stop()
        if self._json:
            _print_json(outcome.data)
        elif not self._quiet:
            from rich.console import Console as Terminal

            is_text = isinstance(outcome.text, str)
            Terminal().print(outcome.text, markup=False, highlight=False, soft_wrap=is_text)
        return outcome.code

    def fail(self, error: FeaturizeError) -> int:
        """Print an error with what to do about it and return its exit code."""
        self._stop()
        if self._json:
            described = {"kind": error.kind, "message": error.message, "fix": error.fix}
            _print_json({"error": described})
        if self._verbose:
            traceback.print_exception(error, file=sys.stderr)
        self._write(f"error: {error}")
        return error.exit_code

    def crash(self, error: Exception) -> int:
        """Print an error nobody foresaw; the traceback belongs into a report."""
        described = FeaturizeError(
            f"{type(error).__name__}: {error}",
            fix="This is a defect of featurize: please report it with the lines above.",
        )
        traceback.print_exception(error, file=sys.stderr)
        return self.fail(described)

    def say(self, text: str) -> None:
        """Write one sentence to stderr."""
        if not self._quiet:
            self._write(text)

    def progress(self, progress: Progress) -> None:
        """Show how far a stage has come: a bar on a terminal, a line now and then elsewhere."""
        if self._quiet:
            return
        with self._lock:
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


def _print_json(data: Any) -> None:
    text = json.dumps(data, indent=2, ensure_ascii=False, default=str)
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace") + b"\n")
    sys.stdout.buffer.flush()
