"""Models of the Hugging Face Hub: pinned to a commit, found offline, never run as code."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hub_cache import keep

import featurize
from featurize.catalog import resolve
from featurize.errors import ExportError, UsageError
from featurize.export import export, locate

REPO = Path(__file__).resolve().parents[3]
OLD, NEW = "0" * 39 + "1", "f" * 40
# Loads revisions where every attempt to connect is counted, and fails as without a network.
WITHOUT_NETWORK = """
import json, socket, sys
tried = []
def refuse(*args, **options):
    tried.append(args)
    raise socket.gaierror(-3, "Temporary failure in name resolution")
socket.socket.connect = socket.socket.connect_ex = refuse
socket.create_connection = socket.getaddrinfo = refuse
from featurize.export import locate
found = []
for revision in sys.argv[1:]:
    candidate = locate("owner/name", revision=revision).load(None)
    candidate.encode(["one"], "")
    found.append((candidate.revision, len(tried)))
print(json.dumps(found))
"""


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Return an empty cache of the Hub, and make sure that it is the one in use."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("FEATURIZE_CACHE", str(tmp_path / "own"))
    return tmp_path / "hub"


@pytest.fixture
def two_commits(hub, make_model):
    """Keep two models in the cache as commits of one repository."""
    keep(hub, "owner/name", make_model(pooling="cls"), OLD, refs=("v1", "refs/pr/1"))
    keep(hub, "owner/name", make_model(), NEW)
    return hub


def test_a_hub_model_is_its_files(two_commits, tiny_bundle, tmp_path):
    """A bundle of the cached files differs from that of their folder in its name and its commit."""
    bundle = export("owner/name", tmp_path / "bundle")
    assert bundle.card.name == bundle.export["source"] == "owner/name"
    assert bundle.export["revision"] == NEW
    assert bundle.files == tiny_bundle.files
    assert bundle.card.fingerprint == tiny_bundle.card.fingerprint


@pytest.mark.parametrize(
    ("revision", "commit"),
    [(None, NEW), ("main", NEW), ("v1", OLD), ("refs/pr/1", OLD), (OLD, OLD), (NEW, NEW)],
)
def test_a_revision_is_resolved(two_commits, make_model, revision, commit):
    """A branch, a tag, a pull request or a commit gives its files, and their commit is known."""
    candidate = locate("owner/name", revision=revision).load(None)
    assert candidate.revision == commit
    folder = make_model() if commit == NEW else make_model(pooling="cls")
    assert candidate.card.space == locate(folder).load(None).card.space


def test_revisions_never_share_a_bundle(two_commits):
    """Each has a place of its own in the cache, and stays there, though a branch may move on."""
    lines = []
    made = {name: resolve("owner/name", revision=name, say=lines.append) for name in ("v1", NEW)}
    assert len(lines) == 4
    assert made["v1"].card.fingerprint != made[NEW].card.fingerprint
    assert NEW in made[NEW].path.name
    (two_commits / "models--owner--name" / "refs" / "v1").write_text(NEW)
    for revision, bundle in made.items():
        assert resolve("owner/name", revision=revision, say=lines.append).path == bundle.path
    assert len(lines) == 4
    assert made["v1"].export["revision"] == OLD


def test_names_of_revisions_are_not_confused():
    """Names that a file system cannot tell apart, or cannot hold, get places of their own."""
    names = ["a/b", "a-b", "a--b", "a/b-", "main", None, OLD]
    slugs = [locate("owner/name", revision=name).slug for name in names]
    assert len(set(slugs)) == len(names)
    assert all("/" not in slug for slug in slugs)


@pytest.mark.parametrize("name", ["minilm", "there", "nonsense", "a/b/c", "owner/folder", "x.onnx"])
def test_other_models_have_no_revisions(name, tmp_path, monkeypatch, make_model):
    """What is no Hub id is refused with a sentence, a folder that looks like one too."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").symlink_to(make_model())
    (tmp_path / "owner").mkdir()
    (tmp_path / "owner" / "folder").symlink_to(make_model())
    with pytest.raises(UsageError, match="--revision goes with a model of the Hugging Face Hub"):
        resolve(name, revision="main")


def test_a_bundle_has_no_revisions(tiny_text):
    """A bundle is what it is."""
    with pytest.raises(UsageError, match="--revision goes with"):
        featurize.load_encoder(str(tiny_text), revision="main")


@pytest.mark.parametrize("revision", ["", " ", "../../etc", "a b", "-x", "/etc", "a\nb", "a:b"])
def test_what_can_be_no_revision_is_refused(revision):
    """No name leads out of the cache's folder."""
    with pytest.raises(UsageError, match="a branch, a tag or a commit"):
        locate("owner/name", revision=revision)


def load_without_network(*revisions, **environment):
    """Load owner/name in a process without a network; return commits and how often it was tried."""
    paths = os.pathsep.join([str(REPO), os.environ.get("PYTHONPATH", "")])
    known = {key: value for key, value in os.environ.items() if key != "HF_HUB_OFFLINE"}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_NETWORK, *revisions],
        env={**known, "PYTHONPATH": paths, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_offline_nobody_is_asked(two_commits):
    """With HF_HUB_OFFLINE, what the cache holds is used."""
    found = load_without_network("main", "v1", OLD, HF_HUB_OFFLINE="1")
    assert found == [[NEW, 0], [OLD, 0], [OLD, 0]]


def test_without_a_network_the_cache_suffices(two_commits):
    """A commit does not change, and nobody is asked; a branch may have moved, but need not have."""
    commit, branch = load_without_network(OLD, "main")
    assert commit == [OLD, 0]
    assert branch[0] == NEW


def test_a_commit_of_which_a_part_is_there_is_fetched(hub, make_model, tmp_path, monkeypatch):
    """A configuration that another library looked up is not taken for the model."""
    only_config = tmp_path / "part"
    only_config.mkdir()
    (only_config / "config.json").write_bytes((make_model() / "config.json").read_bytes())
    keep(hub, "owner/name", only_config, OLD)
    asked = []

    def fetch(name, **options):
        if options.get("local_files_only"):
            return str(hub / "models--owner--name" / "snapshots" / OLD)
        asked.append((name, options["revision"]))
        return str(keep(tmp_path / "whole", "owner/name", make_model(), OLD))

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    assert locate("owner/name", revision=OLD).load(None).revision == OLD
    assert asked == [("owner/name", OLD)]


def test_a_ready_file_is_found_in_the_cache(hub, tiny_ready, tmp_path):
    """A repository of ONNX files alone is used as they are, and its commit stated."""
    keep(hub, "owner/ready", tiny_ready, OLD)
    bundle = export("owner/ready", tmp_path / "bundle")
    assert (bundle.export["revision"], bundle.card.dim) == (OLD, 8)


@pytest.fixture
def tiny_ready(tiny_text, tmp_path):
    """Lay a graph and its tokenizer out as a repository does."""
    folder = tmp_path / "ready"
    (folder / "onnx").mkdir(parents=True)
    (folder / "onnx" / "model.onnx").write_bytes((tiny_text / "model.onnx").read_bytes())
    (folder / "tokenizer.json").write_bytes((tiny_text / "tokenizer.json").read_bytes())
    settings = {"model_type": "bert", "max_position_embeddings": 16}
    (folder / "config.json").write_text(json.dumps(settings))
    return folder


def refused(model, revision=None):
    """Return the error of a model that cannot be had, which is a sentence."""
    with pytest.raises(ExportError) as caught:
        locate(model, revision=revision).load(None)
    assert "\n" not in caught.value.message
    return caught.value


def test_offline_what_is_not_there_is_one_sentence_and_its_fix(two_commits):
    """It names the model, the revision and the setting that forbids to fetch it."""
    error = refused("nobody/nothing")
    assert error.message.count(". ") == 0
    assert "no folder 'nobody/nothing'" in error.message
    assert "HF_HUB_OFFLINE" in error.message
    assert "Unset HF_HUB_OFFLINE" in error.fix
    assert "owner/name at 'v9'" in refused("owner/name", "v9").message
    assert OLD[:-1] + "7" in refused("owner/name", OLD[:-1] + "7").message


@pytest.mark.parametrize(
    ("kind", "message", "fix"),
    [
        ("RevisionNotFoundError", "no revision 'v9'", "a tag or a commit"),
        ("GatedRepoError", "accepted its terms", "hf auth login"),
        ("RepositoryNotFoundError", "no folder 'owner/name'", "Check the name"),
        ("HfHubHTTPError", "did not give owner/name", "Check the name and the network"),
    ],
)
def test_what_the_hub_answers_is_said(kind, message, fix, monkeypatch):
    """A revision, a model or the right to it that is not there is told apart."""
    from huggingface_hub import errors

    response = type("Response", (), {"headers": {}, "status_code": 404, "request": None})()

    def answer(*args, **options):
        raise getattr(errors, kind)("refused\nfor a reason", response=response)

    monkeypatch.setattr("huggingface_hub.snapshot_download", answer)
    error = refused("owner/name", "v9")
    assert message in error.message
    assert fix in error.fix


def test_a_hub_that_is_not_reached_is_said(monkeypatch):
    """Without the setting, the network is what is missing."""
    from huggingface_hub import constants, errors

    def fail(*args, **options):
        raise errors.LocalEntryNotFoundError("Got: ConnectError\nAn error happened ...")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    assert "cannot be reached" in refused("owner/name").message


def test_no_module_trusts_remote_code():
    """Wherever the switch is named, it is off."""
    named = [
        (path.name, use)
        for package in ("featurize", "downstream")
        for path in (REPO / package).rglob("*.py")
        for use in re.findall(r"trust_remote_code.{0,8}", path.read_text())
    ]
    assert named
    assert {re.sub(r"\W+", " ", use).strip() for _, use in named} == {"trust_remote_code False"}
