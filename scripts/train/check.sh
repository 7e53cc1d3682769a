#!/usr/bin/env bash
# The tests of the training kit and of the second decoder, with whose reference the kit's models
# must agree, and the kit's rehearsal where the corpus is at hand. Makes a Python environment in
# .venv the first time (PyTorch with its CUDA libraries: several GB), unless PYTHON names one.
set -euo pipefail
cd "$(dirname "$0")"
if [ -z "${PYTHON:-}" ]; then
    if ! command -v "${CXX:-g++}" >/dev/null; then
        echo "a C++ compiler is needed: install g++ or set CXX" >&2
        exit 1
    fi
    [ -x .venv/bin/python ] || python3 -m venv .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
    export PYTHON=$PWD/.venv/bin/python
fi
"$PYTHON" -m pytest -q ../decoder/tests tests
if [ -e ../../../shared/corpus/valid.xz ]; then
    ./rehearse.sh ../../../shared/corpus
else
    echo "no corpus beside the checkout: the rehearsal was left out (rehearse.sh CORPUS)"
fi
