"""How a function becomes a command: common options are added, a Job becomes its options."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from featurize.cli.console import Console, Outcome
from featurize.config import Job
from featurize.errors import UsageError

JsonFlag = Annotated[
    bool,
    typer.Option("--json", help="Print the result, or the error, as one JSON object on stdout."),
]
QuietFlag = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        help="Print only errors, why the exit code is not 0, and what search and classify find.",
    ),
]
VerboseFlag = Annotated[
    bool, typer.Option("--verbose", "-v", help="Print tracebacks of errors too.")
]
_KEYWORD = inspect.Parameter.KEYWORD_ONLY
_COMMON = {"json": JsonFlag, "quiet": QuietFlag, "verbose": VerboseFlag}


def command(app: typer.Typer, name: str, work: Callable[..., Outcome]) -> None:
    """Register `work(console, ...) -> Outcome` under a name.

    Its first parameter receives the console; a parameter annotated `Job` is given on the command
    line as Job's own options.
    """
    hints = get_type_hints(work, include_extras=True)
    own = list(inspect.signature(work).parameters.values())[1:]
    job = next((parameter.name for parameter in own if hints[parameter.name] is Job), None)

    def call(*_: Any, **given: Any) -> int:
        console = Console(**{flag: given.pop(flag) for flag in _COMMON})

        def outcome() -> Outcome:
            if job is not None:
                options = {option.name: given.pop(option.name) for option in fields(Job)}
                options["rename"] = tuple(options["rename"] or ())
                given[job] = Job(**options)
            return work(console, **given)

        def advised() -> Outcome:
            try:
                return outcome()
            except UsageError as error:
                error.fix = error.fix or f"See `featurize {name} --help`."
                raise

        return console.answer(advised)

    parameters = [
        *(p.replace(annotation=hints[p.name], kind=_KEYWORD) for p in own if p.name != job),
        *(_job_parameters() if job is not None else ()),
        *(_flag(flag, kind) for flag, kind in _COMMON.items()),
    ]
    ordered = sorted(parameters, key=lambda parameter: parameter.default is not parameter.empty)
    call.__signature__ = inspect.Signature(ordered)  # type: ignore[attr-defined]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in ordered}
    call.__doc__ = work.__doc__
    app.command(name)(call)


def _flag(name: str, kind: Any) -> inspect.Parameter:
    return inspect.Parameter(name, _KEYWORD, default=False, annotation=kind)


def _job_parameters() -> list[inspect.Parameter]:
    return [_job_parameter(option) for option in fields(Job)]


def _job_parameter(option: Field[Any]) -> inspect.Parameter:
    """Build the command-line parameter that a field of Job declares."""
    hints = option.metadata
    default = inspect.Parameter.empty if option.default is MISSING else option.default
    flag = "--" + option.name.replace("_", "-")
    if option.name == "source":
        declared: Any = typer.Argument(help=hints["help"])
    elif isinstance(default, bool):
        declared = typer.Option(flag, help=hints["help"])
    else:
        declared = typer.Option(flag, help=hints["help"], metavar=hints.get("metavar"))
    kind: Any = Annotated[_kind(option), declared]
    if option.name == "rename":
        return inspect.Parameter(option.name, _KEYWORD, default=None, annotation=kind)
    return inspect.Parameter(option.name, _KEYWORD, default=default, annotation=kind)


def _kind(option: Field[Any]) -> Any:
    """Return the type the command line parses for a field."""
    if option.name in {"source", "out"}:
        return Path
    if option.name == "rename":
        return list[str] | None
    if isinstance(option.default, bool | float):
        return type(option.default)
    choices = option.metadata.get("choices", str)
    return choices if option.default is not None else choices | None
