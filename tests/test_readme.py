"""The README is true: its commands and its Python run, its links lead somewhere."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
README = (REPO / "README.md").read_text(encoding="utf-8")


def blocks(language):
    """Return the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a working folder with the sample data, as in a fresh checkout."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(REPO / "data", folder / "data")
    return folder


@pytest.mark.export
def test_every_command_runs(place):
    """All `featurize ...` lines succeed, in the order they stand."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    commands = [line for line in lines if line.startswith("featurize ")]
    assert len(commands) >= 7
    for line in commands:
        words = [sys.executable, "-m", *shlex.split(line, comments=True)]
        done = subprocess.run(words, cwd=place, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


@pytest.mark.export
def test_the_demo_prints_what_the_readme_shows(place):
    """The demo's commands succeed and are those of the README, word for word."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    words = ["sh", "data/demo.sh"]
    environment = {**os.environ, "PATH": path}
    done = subprocess.run(
        words, cwd=place, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (shown,) = blocks("text")
    commands = [line for line in shown.splitlines() if line.startswith("$ ")]
    assert commands == [line for line in done.stdout.splitlines() if line.startswith("$ ")]
    assert len(commands) == 14


@pytest.mark.export
def test_every_python_block_runs(place):
    """All Python blocks run as they stand."""
    assert len(blocks("python")) >= 2
    for block in blocks("python"):
        words = [sys.executable, "-c", block]
        done = subprocess.run(words, cwd=place, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"


def test_every_command_of_the_table_exists(featurize_cli):
    """The command table and the help name the same commands."""
    named = set(re.findall(r"^\| `featurize (\w+)", README, re.MULTILINE))
    helped = set(re.findall(r"^[│ ]+([a-z]+)  ", featurize_cli("--help", check=0).stdout, re.M))
    assert named == helped


def test_every_local_link_leads_somewhere():
    """Files the README points to are there."""
    targets = re.findall(r"\]\(([\w./-]+)\)", README)
    assert targets
    assert [target for target in targets if not (REPO / target).exists()] == []


def test_every_make_target_is_named_in_the_makefile():
    """`make X` in the README is a target."""
    makefile = (REPO / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
