"""Compiles the C++ in csrc/ on first use and loads it through ctypes.

The objects go to .build/ beside this file (ignored by git), named by a hash of source and flags,
so a change is picked up by itself and several processes can start at once.
"""

import ctypes
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


def load(name: str, *, flags=(), libraries=()) -> ctypes.CDLL:
    """csrc/NAME.cpp, compiled with these flags beside FLAGS and linked with these files."""
    source = HERE / "csrc" / f"{name}.cpp"
    command, link = [os.environ.get("CXX", "g++"), *FLAGS, *flags], list(map(str, libraries))
    built_from = repr(command + link).encode() + source.read_bytes() + _cpu()
    key = hashlib.sha256(built_from).hexdigest()[:16]
    target = HERE / ".build" / f"{name}-{key}.so"
    if not target.exists():
        target.parent.mkdir(exist_ok=True)
        temporary = target.with_suffix(f".{os.getpid()}.tmp")
        subprocess.run([*command, "-o", str(temporary), str(source), *link], check=True)
        os.replace(temporary, target)
    return ctypes.CDLL(str(target))
