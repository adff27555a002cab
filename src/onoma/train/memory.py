"""Keeps freed memory in the process while a model is trained on a CPU."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Names of two settings of glibc's `mallopt(3)`."""

LARGE = 2**31 - 1
LARGEST_IN_OLD_GLIBC = 32 * 2**20


def keep_freed_memory() -> bool:
    """Ask glibc not to hand freed memory back to the kernel.

    Large activations are freed and allocated anew at each step; without this, half of a step can go into page faults.
    Affects the whole process. Does nothing on systems without glibc.

    Returns:
        True if glibc took the setting.

        >>> keep_freed_memory() in (True, False)
        True
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "gnu_get_libc_version"):
        return False
    # Older versions refuse thresholds beyond their largest heap; mallopt returns 1 if it accepts the value.
    mapped = libc.mallopt(M_MMAP_THRESHOLD, LARGE) or libc.mallopt(M_MMAP_THRESHOLD, LARGEST_IN_OLD_GLIBC)
    return bool(mapped and libc.mallopt(M_TRIM_THRESHOLD, LARGE))
