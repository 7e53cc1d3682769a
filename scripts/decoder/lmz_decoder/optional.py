"""The one door to what needs packages beside Python's own library.

Most archives decode without any. So that a bare Python can decode them, what needs packages is
imported when an archive first asks for it, and only by the functions of this module.
"""

import importlib


def rwkv7():
    """The module `rwkv7`: the network of a language model."""
    return _load(".rwkv7", "a language model's output is computed with NumPy")


def hub_folder():
    """The module `hub_folder`: the network of a transformer, of its files."""
    return _load(".hub_folder", "a transformer's output is computed with NumPy")


def blake3():
    """The package blake3: the hashes that name models and dictionaries."""
    return _load("blake3", "a dictionary among several is told by its BLAKE3 hash")


def _load(name, why):
    try:
        return importlib.import_module(name, __package__)
    except ModuleNotFoundError as error:
        raise ValueError(f"{why}, and Python has no package {error.name} here: "
                         "pip install numpy safetensors blake3") from error
