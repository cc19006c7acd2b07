"""What tests of the command start from."""

import pytest


@pytest.fixture
def table(command, source, tiny_text, tmp_path):
    """Embed the source of a test module, some of whose inputs are rejected."""
    out = tmp_path / "table"
    assert command("embed", source, "--out", out, "--encoder", tiny_text, "--json")[0] == 3
    return out
