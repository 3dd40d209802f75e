"""Reading npz files of plain arrays with distrust: damaged, cut, foreign or huge ones.

Between them zipfile, zlib and numpy raise a dozen kinds of exceptions on damaged files. Here each
is one kind, and nothing of a file is used before its checksum (CRC-32) has been compared.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np

_SUFFIX = ".npy"


class ArraysError(ValueError):
    """A file is no npz file of plain arrays, or is damaged; the message says so in one line."""


def read_plain_arrays(path: Path, most_bytes: int) -> dict[str, np.ndarray]:
    """Return the arrays of an npz file by name.

    Args:
        path: of the file.
        most_bytes: how large the arrays may be together, unpacked.

    Raises:
        ArraysError: it is damaged, larger, holds Python objects or is no npz file.
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
        raise ArraysError(f"it is damaged or no npz file of plain arrays ({reason})") from error
