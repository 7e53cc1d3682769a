"""Decodes an lmz archive to standard output, by a decoder that shares nothing with the Rust code.

    python3 scripts/decoder [--model FOLDER] ARCHIVE [DICTIONARY...] > CONTENT

A frame that names a dictionary takes the file that is given; of several files it takes the one that
has the hash in the frame, for which the package blake3 is needed. Archives made with a language
model need NumPy, safetensors and blake3; all others nothing but Python. Archives made with a
transformer need its folder in the layout of the Hugging Face hub, too.
"""

import argparse
import sys
from pathlib import Path

if __package__:  # python3 -m decoder
    from .lmz_decoder.frames import decode
else:  # python3 scripts/decoder
    from lmz_decoder.frames import decode


def main():
    parser = argparse.ArgumentParser(
        prog="decoder", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, action="append", default=[], metavar="FOLDER",
                        help="a transformer; may be given again")
    parser.add_argument("archive", type=Path)
    parser.add_argument("dictionaries", type=Path, nargs="*", metavar="dictionary")
    args = parser.parse_args()
    try:
        dictionaries = [path.read_bytes() for path in args.dictionaries]
        for raw in decode(args.archive.read_bytes(), dictionaries, args.model):
            sys.stdout.buffer.write(raw)
    except OSError as error:
        raise SystemExit(str(error)) from None
    except ValueError as error:
        raise SystemExit(f"{args.archive}: {error}") from None


if __name__ == "__main__":
    main()
