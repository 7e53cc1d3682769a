"""Compiles the C++ in csrc/ on first use and loads it through ctypes.

The objects go to .build/ beside this file (ignored by git), named by a hash of source and flags,
so a change is picked up by itself and several processes can start at once.
"""

import ctypes
import glob
import hashlib
import os
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
FLAGS = ["-std=c++17", "-O3", "-march=native", "-fPIC", "-shared", "-Wall", "-Wextra"]


def _cpu() -> bytes:
    """What -march=native depends on: an object built on another CPU must not be reused."""
    try:
        text = Path("/proc/cpuinfo").read_bytes()
    except OSError:
        return b""
    return next((line for line in text.splitlines() if line.startswith(b"flags")), b"")


def load(name: str, *, openmp: bool = False) -> ctypes.CDLL:
    source = HERE / "csrc" / f"{name}.cpp"
    command = [os.environ.get("CXX", "g++"), *FLAGS]
    link = []
    if openmp:
        # torch brings its own copy of the OpenMP runtime. A second copy would mean a second pool
        # of threads spinning on the same cores, so link against torch's where there is one.
        import torch

        command.append("-fopenmp")
        link = sorted(glob.glob(str(Path(torch.__file__).parent / "lib" / "libgomp*.so*")))[:1]
        link += sorted(glob.glob(str(Path(torch.__file__).parent.parent / "torch.libs" / "libgomp*.so*")))[:1]
        link = link[:1]
    key = hashlib.sha256(repr(command + link).encode() + source.read_bytes() + _cpu()).hexdigest()[:16]
    target = HERE / ".build" / f"{name}-{key}.so"
    if not target.exists():
        target.parent.mkdir(exist_ok=True)
        temporary = target.with_suffix(f".{os.getpid()}.tmp")
        subprocess.run([*command, "-o", str(temporary), str(source), *link], check=True)
        os.replace(temporary, target)
    return ctypes.CDLL(str(target))
