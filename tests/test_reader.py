from __future__ import annotations

import threading

import pytest

from watchword.data import reader


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_results_come_in_the_order_of_the_items(workers: int) -> None:
    items = [(number, number % 7) for number in range(500)]
    results = reader.in_order(lambda number: number * number, items, workers=workers)
    assert list(results) == [number * number for number in range(500)]


def test_no_items_give_no_results() -> None:
    assert list(reader.in_order(str, [], workers=2)) == []


def test_no_more_is_read_ahead_than_the_blocks_allow() -> None:
    begun = 0
    lock = threading.Lock()

    def work(_: int) -> None:
        nonlocal begun
        with lock:
            begun += 1

    # each item fills a block of its own, so that blocks ahead are items ahead
    results = reader.in_order(
        work, ((number, reader.BLOCK_BYTES) for number in range(100)), workers=2
    )
    next(results)
    assert begun <= 2 * reader.BLOCKS_AHEAD + 1
    results.close()


def test_a_fault_in_the_work_reaches_the_caller() -> None:
    def work(number: int) -> int:
        return 1 // number

    with pytest.raises(ZeroDivisionError):
        list(reader.in_order(work, [(1, 1), (0, 1)], workers=2))
