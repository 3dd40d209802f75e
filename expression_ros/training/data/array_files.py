"""Reading and writing npz files without pickles, with a progress bar where it takes long."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from expression_ros.progress import Progress, with_progress
from expression_ros.training.data.faces import DataError

_PIECE = 1 << 20  # bytes that are compressed between two looks at the clock
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # zip's first day: the time of writing must not show in the file

_UNREADABLE = (
    ValueError, OSError, EOFError, TypeError, AttributeError, NotImplementedError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def read_arrays(path: Path, only: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """Return the arrays of an npz file by name.

    Args:
        path: of the file.
        only: names of those to read, where they are there; all when left out.

    Raises:
        DataError: the file is missing, broken, or holds Python objects, which would be unpickled.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        with np.load(path, allow_pickle=False) as data:
            wanted = [name for name in data.files if only is None or name in only]
            return {name: data[name] for name in with_progress(wanted, f"reading {path.name}")}
    except _UNREADABLE as error:
        raise DataError(f"{path} is no readable npz file ({error})") from error


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as a compressed npz file; the same arrays give the same bytes.

    The file appears when it is complete: an interrupted writing leaves what was there before.

    Raises:
        OSError: the file cannot be written.
        ValueError: an array holds Python objects.
    """
    part = path.with_name(path.name + ".part")
    total = sum(array.nbytes // _PIECE + 1 for array in arrays.values())
    try:
        with (
            zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive,
            Progress(f"writing {path.name} (MiB)", total) as progress,
        ):
            for name, array in arrays.items():
                _write_array(archive, name, array, progress)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _write_array(
    archive: zipfile.ZipFile, name: str, array: np.ndarray, progress: Progress
) -> None:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=False)
    content = buffer.getbuffer()
    entry = zipfile.ZipInfo(f"{name}.npy", _LONG_AGO)
    entry.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(entry, "w", force_zip64=True) as file:
        for begin in range(0, len(content), _PIECE):
            file.write(content[begin : begin + _PIECE])
            progress.advance()
