import os
import signal
import threading
import time

import pytest
import torch

from fairfl._parallel import one_core, spread


@pytest.fixture(params=[1, 2])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def in_a_new_thread(function):
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def test_results_come_in_order_from_threads_with_one_core_each(threads):
    seen = set()

    def work(i):
        time.sleep(0.01 * (5 - i))
        seen.add((threading.get_ident(), torch.get_num_threads()))
        return 10 * i

    assert spread(work, range(5)) == [0, 10, 20, 30, 40]
    assert len(seen) == threads and {cores for _, cores in seen} == {1}
    here = threading.get_ident() in {thread for thread, _ in seen}
    assert here == (threads == 1)


def test_the_number_of_cores_is_the_same_afterwards_here_and_in_new_threads(threads):
    spread(abs, range(5), workers=3)
    assert torch.get_num_threads() == threads == in_a_new_thread(torch.get_num_threads)


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_error_reaches_the_caller_and_what_has_not_begun_is_dropped(threads, error):
    begun = []

    def work(i):
        begun.append(i)
        time.sleep(0.01)
        raise error("in the work")

    with pytest.raises(error, match="in the work"):
        spread(work, range(50))
    assert len(begun) < 50 and torch.get_num_threads() == threads


def test_one_core_inside_and_as_many_as_before_afterwards(threads):
    with pytest.raises(OSError), one_core() as found:
        assert (found, torch.get_num_threads()) == (threads, 1)
        assert in_a_new_thread(torch.get_num_threads) == 1
        raise OSError
    assert torch.get_num_threads() == threads == in_a_new_thread(torch.get_num_threads)


@pytest.mark.parametrize("workers", [None, 2])
def test_work_within_work_does_not_wait_for_itself(threads, workers):
    def outer(i):
        return spread(lambda j: 10 * i + j, range(3), workers)

    found = in_a_new_thread(lambda: spread(outer, range(4), workers))
    assert found == [[10 * i + j for j in range(3)] for i in range(4)]


def test_threads_are_kept_and_a_forked_child_begins_its_own(threads):
    def names(count=20):
        return {name for name in spread(
            lambda _: (time.sleep(0.001), threading.current_thread().name)[1],
            range(count), workers=2)}

    assert names() == names()
    reading, writing = os.pipe()
    if not (child := os.fork()):  # a pool that the child took over would never answer
        os.write(writing, str(len(names())).encode())
        os._exit(0)
    deadline = time.monotonic() + 30
    while not os.waitpid(child, os.WNOHANG)[0]:
        assert time.monotonic() < deadline, os.kill(child, signal.SIGKILL)
        time.sleep(0.01)
    assert os.read(reading, 10) == b"2"
