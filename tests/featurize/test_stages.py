"""What the stages of a run cost."""

from featurize import embed
from featurize.pipeline.stages import Stage, StageClock


def test_shared_workers_divide_what_they_share():
    """The bottleneck is the stage that took longest by the clock on the wall, not in sum."""
    clock = StageClock()
    clock.add(Stage.ENCODE, 3.0)
    clock.add(Stage.COMMIT, 2.0)
    assert clock.bottleneck(workers=1) == "encode"
    assert clock.bottleneck(workers=2) == "commit"


def test_a_run_states_what_its_stages_took(tiny_text, tmp_path):
    """Every stage an input passes through was busy, and together within the threads' time."""
    source = tmp_path / "in.csv"
    source.write_text("id,text\n" + "".join(f"{n},fox {n}\n" for n in range(300)))
    summary = embed(source, out=tmp_path / "t", encoder=str(tiny_text), device="cpu")
    assert set(summary.stages) == set(Stage)
    assert all(summary.stages[stage] > 0 for stage in ("list", "prepare", "encode", "write"))
    assert summary.bottleneck in summary.stages
