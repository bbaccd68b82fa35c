"""Work on many files at once, results in order, memory bounded.

In come items with their sizes and a function, out come its results one by one. It is a room because
preparation and checking both decode whole corpora and must not hold them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

BLOCK_ITEMS: Final = 64
BLOCK_BYTES: Final = 2_000_000  # compressed speech grows tenfold when it is decoded
BLOCKS_AHEAD: Final = 2  # per worker


def in_order(
    work: Callable[[Item], Result], sized: Iterable[tuple[Item, int]], *, workers: int
) -> Iterator[Result]:
    """Yield the result of each item, in the order of the items, computed by threads ahead of need.

    libsndfile and soxr let other threads run while they decode, so threads are enough.

    Args:
        work: What to do with an item.
        sized: Items with their sizes in bytes on disk, which bound how many are worked on ahead.
        workers: Threads, at least 1.

    Yields:
        One result for each item.

    Example:
        >>> list(in_order(len, [("one", 3), ("three", 5)], workers=2))
        [3, 5]
    """
    ahead: deque[Future[list[Result]]] = deque()
    with ThreadPoolExecutor(max(1, workers)) as pool:
        for block in _blocks(sized):
            ahead.append(pool.submit(_work, work, block))
            if len(ahead) > BLOCKS_AHEAD * max(1, workers):
                yield from ahead.popleft().result()
        while ahead:
            yield from ahead.popleft().result()


def _work(work: Callable[[Item], Result], block: list[Item]) -> list[Result]:
    """Return the results of one block."""
    return [work(item) for item in block]


def _blocks(sized: Iterable[tuple[Item, int]]) -> Iterator[list[Item]]:
    """Yield items in blocks of bounded number and size."""
    block: list[Item] = []
    total = 0
    for item, size in sized:
        if block and (len(block) == BLOCK_ITEMS or total + size > BLOCK_BYTES):
            yield block
            block, total = [], 0
        block.append(item)
        total += max(size, 0)
    if block:
        yield block
