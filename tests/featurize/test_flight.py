"""Steps land in order, each as a whole, whatever interrupts them."""

import signal
import threading
from types import SimpleNamespace

import pytest

from featurize.errors import Interrupted
from featurize.pipeline.flight import Flight
from featurize.pipeline.workers import Watch, Workers


def interrupt(number, _frame):
    """Act as the command does."""
    raise Interrupted(number)


@pytest.fixture(autouse=True)
def as_command():
    """Have SIGTERM raise Interrupted."""
    before = signal.signal(signal.SIGTERM, interrupt)
    yield
    signal.signal(signal.SIGTERM, before)


class Step:
    """A step that stages its name, after some work."""

    def __init__(self, name, work=lambda: None):
        self.name, self.work = name, work

    def stage(self, tools):
        """Do the work."""
        self.work()
        return self.name


def tools():
    """Return what steps are given."""
    return SimpleNamespace(workers=Workers(1, Watch(45), "working"))


def test_steps_land_in_their_order_and_the_last_is_told():
    """The order of making does not matter."""
    landed, second = [], threading.Event()
    steps = [Step("a", second.wait), Step("b", second.set), Step("c"), Step("d")]
    Flight(steps, tools(), lambda staged, last: landed.append((staged, last)), int).run()
    assert landed == [("a", False), ("b", False), ("c", False), ("d", True)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interruption_leaves_landed_what_is_made(number):
    """A signal while one step lands: it lands, and so does the next, which is made; not a third."""
    third, over = threading.Event(), threading.Event()
    landed = []

    def begin_third():
        third.set()
        over.wait()

    def land(staged, last):
        if staged == "a":
            signal.raise_signal(number)
        landed.append(staged)
        if staged == "b":
            over.set()

    # Two threads: when the third step has begun, and the first not ended, the second is made.
    steps = [Step("a", third.wait), Step("b"), Step("c", begin_third), Step("d")]
    with pytest.raises((Interrupted, KeyboardInterrupt)):
        Flight(steps, tools(), land, int).run()
    assert landed == ["a", "b"]


def test_an_interruption_ends_the_wait_for_a_step():
    """A step that takes long is told to stop, and does not land."""
    landed, given = [], tools()

    def work():
        signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM)
        with pytest.raises(RuntimeError, match="shutdown"):
            while True:
                given.workers.submit(int).result()

    with pytest.raises(Interrupted):
        Flight(
            [Step("a", work), Step("b")], given, lambda staged, last: landed.append(1), int
        ).run()
    assert landed == []


def test_nothing_lands_after_a_step_that_failed():
    """The failure is raised, and later steps are left."""
    landed = []

    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Flight(
            [Step("a"), Step("b", fail), Step("c")],
            tools(),
            lambda staged, last: landed.append(staged),
            int,
        ).run()
    assert landed == ["a"]


def test_nothing_lands_after_a_landing_that_failed():
    """Not even where a signal came too."""
    landed = []

    def land(staged, last):
        landed.append(staged)
        signal.raise_signal(signal.SIGTERM)
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        Flight([Step("a"), Step("b"), Step("c")], tools(), land, int).run()
    assert landed == ["a"]
