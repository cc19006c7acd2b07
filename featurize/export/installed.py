"""What is installed, asked without importing it."""

from __future__ import annotations

from importlib.util import find_spec


def is_installed(package: str) -> bool:
    """Say whether a package can be imported, and nothing forbids it."""
    try:
        return find_spec(package) is not None
    except ImportError:
        return False
