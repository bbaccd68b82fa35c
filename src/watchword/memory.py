"""Ask the C library to keep the memory a program frees.

Nothing comes in, nothing goes out. A room because it changes the process it is called in, so that
only those who start a process may call it: a training step on a CPU allocates and frees the same
megabytes again and again, and glibc hands each back to the kernel, which must then zero every page
anew. Keeping them makes a step about a sixth faster (``benchmarks/training_speed.py`` with and
without ``--keep-memory``).
"""

from __future__ import annotations

import ctypes
import ctypes.util
import sys

M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
LARGEST = 2**30
LARGEST_BEFORE = 2**25


def keep_freed_memory() -> bool:
    """Raise the sizes from which glibc returns freed memory to the kernel; harmless elsewhere.

    Returns:
        Whether this C library has such a setting.

    Source:
        mallopt(3), M_TRIM_THRESHOLD and M_MMAP_THRESHOLD.
    """
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(ctypes.util.find_library("c"))
    if not hasattr(library, "mallopt"):
        return False
    is_trimmed = library.mallopt(M_TRIM_THRESHOLD, LARGEST)
    # older versions of glibc refuse more than 32 MiB
    is_mapped = library.mallopt(M_MMAP_THRESHOLD, LARGEST) or library.mallopt(
        M_MMAP_THRESHOLD, LARGEST_BEFORE
    )
    return bool(is_trimmed and is_mapped)
