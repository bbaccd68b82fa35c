"""C sources of this package → compiled code, once for each machine.

In comes a C file that lies beside a Python one, out comes the library made of it, or nothing where
no C compiler is found. A room because compiling is a matter of the machine: whoever calls the
library has an equal computation in torch to fall back on, and need not know why.

The library is kept in the user's cache folder under a name that tells source, compiler and
processor apart, so it is compiled once (a few seconds) and never used on another machine. Setting
the environment variable ``WATCHWORD_NATIVE`` to ``off`` does without.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-std=gnu11", "-O3", "-ffast-math", "-funroll-loops", "-fPIC")
COMPILE_SECONDS = 300


@lru_cache
def library(source: Path) -> ctypes.CDLL | None:
    """Return the compiled code of a C file, or None where it cannot be had.

    Args:
        source: The file.
    """
    if os.environ.get("WATCHWORD_NATIVE") == "off" or sys.platform == "win32":
        return None
    compiler = find_compiler()
    if compiler is None:
        return None
    flags = [*FLAGS, *_machine_flags()]
    made_of = [source.read_bytes(), compiler, *flags, processor()]
    name = hashlib.sha256(b"\0".join(str(part).encode() for part in made_of)).hexdigest()[:16]
    path = cache_folder() / f"{source.stem}-{name}.so"
    try:
        if not path.is_file():
            compile_library(compiler, flags, source, path)
        return ctypes.CDLL(str(path))
    except (OSError, subprocess.SubprocessError):
        return None


def find_compiler() -> str | None:
    """Return the C compiler of this machine: that of the variable ``CC``, or a usual one."""
    asked = os.environ.get("CC")
    return next(filter(None, map(shutil.which, [asked] if asked else COMPILERS)), None)


def compile_library(compiler: str, flags: list[str], source: Path, path: Path) -> None:
    """Compile a C file to a library that appears under its name only when it is whole.

    Args:
        compiler: The compiler.
        flags: What it is told.
        source: The C file.
        path: The library.

    Raises:
        OSError: If the folder cannot be written or the compiler not be run.
        subprocess.SubprocessError: If it does not compile.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        parts = Path(scratch, "part.o"), Path(scratch, "whole.so")
        steps = [
            [compiler, *flags, "-c", str(source), "-o", str(parts[0])],
            # in a step of its own: told of -ffast-math, a linker changes how the whole process
            # rounds the smallest numbers
            [compiler, "-shared", str(parts[0]), "-o", str(parts[1]), "-lm", "-lpthread"],
        ]
        for step in steps:
            subprocess.run(step, check=True, capture_output=True, timeout=COMPILE_SECONDS)
        parts[1].replace(path)


def cache_folder() -> Path:
    """Return where compiled code is kept: ``watchword`` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "watchword"


def processor() -> str:
    """Return what tells this processor from those that may not run the same code."""
    told = Path("/proc/cpuinfo")
    if not told.is_file():
        return f"{platform.machine()} {platform.processor()} {platform.node()}"
    first = told.read_text(errors="replace").split("\n\n", 1)[0].splitlines()
    return "\n".join(line for line in first if line.startswith(("model name", "flags", "Features")))


def _machine_flags() -> list[str]:
    """Return what lets a compiler use all of this processor."""
    if platform.machine() in ("x86_64", "AMD64"):
        # a compiler older than the processor tunes for narrower vectors: a fifth slower
        return ["-march=native", "-mtune=icelake-server"]
    return ["-mcpu=native"] if platform.machine() in ("arm64", "aarch64") else []
