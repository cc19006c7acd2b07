"""benchmarks/RESULTS.md: one section a script, replaced when the script runs again."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "RESULTS.md"
_TITLE = """# Results

Measured by the scripts of this folder; ratios hold elsewhere, absolutes do not.
"""


def write_section(title: str, command: str, lines: Sequence[str]) -> None:
    """Put a section with its command, date, machine and versions into RESULTS.md."""
    body = "\n".join([f"## {title}", "", *_circumstances(command), "", *lines]).rstrip() + "\n"
    text = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else _TITLE
    found = re.compile(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    if found.search(text):
        text = found.sub(lambda _match: body + "\n", text)
    else:
        text = text.rstrip() + "\n\n" + body
    RESULTS.write_text(text.rstrip() + "\n", encoding="utf-8")
    print(body)


def _circumstances(command: str) -> list[str]:
    packages = ("onnxruntime-gpu", "scikit-learn", "numpy")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    machine = f"{os.cpu_count()} cores, {_processor()}, Python {platform.python_version()}"
    return [f"`{command}`, {date.today().isoformat()}; {machine}; {versions}"]


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.exists() else ""
    match = re.search(r"model name\s*:\s*(.+)", text)
    return match.group(1).strip() if match else platform.processor()
