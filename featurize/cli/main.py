"""Entry point: parse, run, and turn every outcome into an exit code."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Annotated, NoReturn

import typer

from featurize import __version__
from featurize.cli import (
    classify,
    doctor,
    examine,
    export,
    extract,
    find,
    indexing,
    learn,
    maintain,
    models,
    neighbors,
    rank,
    report,
)
from featurize.cli.console import Console
from featurize.cli.words import spread
from featurize.errors import FileError, Interrupted, UsageError

app = typer.Typer(
    name="featurize",
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Turn raw text and images into Parquet embedding tables, classifiers and search indexes.",
)
ROOMS = (
    extract,
    export,
    examine,
    maintain,
    learn,
    classify,
    report,
    rank,
    indexing,
    find,
    neighbors,
    models,
    doctor,
)
for room in ROOMS:
    room.register(app)


def main() -> NoReturn:
    """Run the command line and exit with its code."""
    _on_signals(_interrupt)
    try:
        code = run(sys.argv[1:])
        _on_signals(signal.SIG_IGN)
    except Interrupted as stop:  # in the very last moment
        code = stop.exit_code
    if threading.active_count() > 1:
        _leave(code)
    _discard_what_nobody_takes()
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command, which prints its own outcome; return its exit code."""
    words = spread(arguments) or ["--help"]
    try:
        code = app(args=words, prog_name="featurize", standalone_mode=False)
    except typer.TyperException as error:
        console = Console(json="--json" in words)
        named = next((f" {word}" for word in words if word in _commands()), "")
        fix = f"See `featurize{named} --help`."
        message = error.format_message().replace("Value error, ", "")  # whose, nobody asked
        return console.fail(UsageError(message, fix=fix))
    except OSError as error:  # help or version, which nobody takes
        return Console().fail(FileError(f"The text could not be printed: {error.strerror}."))
    except Interrupted as stop:  # before the command began, or after it answered
        return stop.exit_code
    return code if isinstance(code, int) else 0


def _commands() -> set[str | None]:
    return {command.name for command in app.registered_commands}


def _discard_what_nobody_takes() -> None:
    """Leave nothing to be written at the exit, where a failure would change the exit code."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except ValueError:  # closed
            pass
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _leave(code: int) -> NoReturn:
    """Exit without waiting for threads that hang, nor tidying up what they work with."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
            stream.flush()
    os._exit(code)


def _on_signals(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handler)


def _interrupt(signum: int, _frame: FrameType | None) -> None:
    raise Interrupted(signum)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"featurize {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Turn raw text and images into Parquet embedding tables, classifiers and search indexes."""
