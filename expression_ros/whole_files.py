"""Files that are whole: written as a whole or not at all, and npz files read with distrust.

Damaged, cut, foreign or huge npz files: between them zipfile, zlib and numpy raise a dozen kinds of
exceptions. Here each is one kind, and nothing of a file is used before its checksum (CRC-32) has
been compared. Imports no ROS.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

_SUFFIX = ".npy"


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a path to write to beside ``path``, and put it in its place if the block succeeds.

    If it fails, what was written is removed, and a file that was there before is left as it is.

    Raises:
        OSError: of the block, or of putting it in its place.
    """
    part = path.with_name(f".{os.getpid()}-{path.name}"[:120])
    try:
        yield part
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


class ArraysError(ValueError):
    """A file is not an npz file of plain arrays, or is damaged; the message says so in one line."""


def read_plain_arrays(path: Path, most_bytes: int) -> dict[str, np.ndarray]:
    """Return the arrays of an npz file by name.

    Args:
        path: of the file.
        most_bytes: how large the arrays may be together, unpacked.

    Raises:
        ArraysError: it is damaged, larger, holds Python objects or is not an npz file.
        OSError: it cannot be read at all.
    """
    content = io.BytesIO(path.read_bytes())
    try:
        with zipfile.ZipFile(content) as archive:
            entries = archive.infolist()
            if sum(entry.file_size for entry in entries) > most_bytes:
                raise ArraysError("it is too large")
            packed = {entry.filename: archive.read(entry) for entry in entries}
        return {
            name.removesuffix(_SUFFIX): np.load(io.BytesIO(data), allow_pickle=False)
            for name, data in packed.items()
            if name.endswith(_SUFFIX)
        }
    except ArraysError:
        raise
    # BadZipFile, zlib.error, NotImplementedError (another compression), RuntimeError (encrypted),
    # struct.error, EOFError, ValueError, SyntaxError, TokenError, MemoryError ...
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ArraysError(f"it is damaged or not an npz file of plain arrays ({reason})") from error
