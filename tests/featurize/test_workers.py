"""Workers are watched by whoever waits for them."""

import queue
import random
import signal
import threading
import time
from concurrent.futures import CancelledError, Future

import pytest

from featurize.errors import Interrupted, WorkerStuck
from featurize.pipeline import workers as module
from featurize.pipeline.workers import Watch, Workers, beat

LIMIT = 0.2


@pytest.fixture
def watch():
    """Return a watch with little patience."""
    return Watch(LIMIT)


@pytest.fixture
def workers(watch):
    """Return two workers under it."""
    made = Workers(2, watch, "encoding")
    yield made
    made.shutdown(wait=False, cancel_futures=True)


@pytest.fixture
def hang():
    """Return a call that ends only when the test does."""
    over = threading.Event()
    yield over.wait
    over.set()


def test_results_come_in_order_and_failures_where_they_are_asked_for(workers):
    """As with any executor."""
    assert list(workers.map(lambda number: number * 2, range(100))) == list(range(0, 200, 2))
    with pytest.raises(ZeroDivisionError):
        workers.submit(lambda: 1 // 0).result()
    workers.shutdown()
    with pytest.raises(RuntimeError, match="after the shutdown"):
        workers.submit(int)


def test_one_that_hangs_ends_the_wait_with_all_stacks(workers, hang, capfd):
    """The error says what it was at, and stderr where."""
    assert workers.submit(int).result() == 0

    def work():
        beat("reading a.txt")
        hang()

    with pytest.raises(WorkerStuck, match=r"silent for 0.2 s while reading a.txt") as stuck:
        workers.submit(work).result()
    assert "--stuck-after" in stuck.value.fix
    assert "in work" in capfd.readouterr().err


def test_another_that_hangs_ends_the_wait_too(workers, hang):
    """What is waited for may itself be well."""
    workers.submit(hang)
    over = time.monotonic() + 50 * LIMIT

    def work():
        while time.monotonic() < over:
            beat("going on")

    with pytest.raises(WorkerStuck, match="while encoding"):
        workers.submit(work).result()


def test_one_that_is_heard_of_may_take_as_long_as_it_likes(workers):
    """Every beat starts its time anew."""
    over = time.monotonic() + 4 * LIMIT

    def work():
        while time.monotonic() < over:
            beat("going on")
        return "done"

    assert workers.submit(work).result() == "done"


def test_one_that_waits_for_others_is_not_silent(watch, workers):
    """While it waits, the others are watched for it; then its own time begins."""
    step = Workers(1, watch, "making a part")
    over = time.monotonic() + 4 * LIMIT

    def work():
        while time.monotonic() < over:
            beat("going on")
        return "done"

    assert step.submit(lambda: workers.submit(work).result()).result() == "done"
    step.shutdown()


def test_time_that_nobody_watched_does_not_count(workers, monkeypatch):
    """A process that was stopped for an hour goes on as if nothing were."""
    an_hour_later, over = time.monotonic() + 3600, threading.Event()

    def look():
        over.set()
        return an_hour_later

    monkeypatch.setattr(module.time, "monotonic", look)
    assert workers.submit(over.wait).result() is True


def test_a_signal_ends_a_wait_whenever_it_comes():
    """It is raised as what it is, and the one that is waited for still comes to its end."""
    random.seed(0)
    watch = Watch(4e-5)  # looks so often that signals come at any moment
    waiting, main = queue.SimpleQueue(), threading.main_thread().ident

    def strike():
        while (pause := waiting.get()) is not None:
            threading.Event().wait(pause)
            signal.pthread_kill(main, signal.SIGTERM)

    def interrupt(number, _frame):
        raise Interrupted(number)

    before = signal.signal(signal.SIGTERM, interrupt)
    striker = threading.Thread(target=strike)
    striker.start()
    try:
        for _ in range(200):
            future = Future()
            with pytest.raises(Interrupted):
                waiting.put(random.random() * 2e-4)
                watch.wait(future)
            future.set_result("done")
            assert future.result() == "done"
    finally:
        waiting.put(None)
        striker.join()
        signal.signal(signal.SIGTERM, before)


def test_a_shutdown_ends_calls_at_their_next_beat(workers):
    """Nobody wants their results any more."""
    begun, ended = threading.Event(), threading.Event()

    def work():
        begun.set()
        try:
            while True:
                beat("going on")
        except CancelledError:
            ended.set()
            raise

    waiting = [workers.submit(work) for _ in range(3)]
    begun.wait()
    workers.shutdown(cancel_futures=True)
    assert ended.is_set()
    for future in waiting:
        with pytest.raises(CancelledError):
            future.result()


def test_a_shutdown_does_not_wait_for_one_that_hangs(workers, hang):
    """An end that was asked for comes."""
    workers.submit(hang)
    workers.shutdown(cancel_futures=True)


@pytest.mark.parametrize("error", [SystemExit(0), KeyboardInterrupt()])
def test_a_worker_that_asks_for_the_end_fails(workers, error):
    """SystemExit(0) would end the command as if all were done."""

    def work():
        raise error

    with pytest.raises(RuntimeError, match="end of the process"):
        workers.submit(work).result()


def test_outside_of_workers_a_beat_is_nothing():
    """The same code runs anywhere."""
    beat("whatever")
