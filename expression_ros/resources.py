"""Finding the shipped files (models, configuration, launch) wherever the package is installed.

They live under ``share/expression_ros``: in a colcon workspace or a ROS installation the ament
index knows where; after ``pip install`` they are under the environment's prefix; in a checkout they
are beside the package. Nothing here depends on the working directory.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import lru_cache
from importlib import metadata
from pathlib import Path

PACKAGE = "expression_ros"


class ResourceError(ValueError):
    """A shipped file is not where the package was installed."""


def share_path(*parts: str) -> Path:
    """Return the path of a shipped file or folder, for example ``share_path("models")``.

    Raises:
        ResourceError: it is in none of the places where it could be installed.
    """
    for folder in _share_folders():
        path = folder.joinpath(*parts)
        if path.exists():
            return path
    raise ResourceError(
        f"{'/'.join(parts)} of {PACKAGE} is not installed; build the workspace again "
        f"(colcon build --packages-select {PACKAGE}) or reinstall it with pip"
    )


def config_path(*parts: str) -> Path:
    """Return the path of a file in config/; raises ResourceError like share_path."""
    return share_path("config", *parts)


def models_path(*parts: str) -> Path:
    """Return the path of a file or folder in models/; raises ResourceError like share_path."""
    return share_path("models", *parts)


@lru_cache(maxsize=1)
def _share_folders() -> tuple[Path, ...]:
    """Return the existing share folders, the one that belongs to the running code first."""
    found = []
    for folder in _candidates():
        if folder.is_dir() and folder not in found:
            found.append(folder)
    return tuple(found)


def _candidates() -> Iterator[Path]:
    package = Path(__file__).resolve().parent
    if (package.parent / "package.xml").is_file():
        yield package.parent  # a checkout, also when installed in editable or symlink mode
    for parent in package.parents:  # lib/python3.X/site-packages/expression_ros of any prefix
        yield parent / "share" / PACKAGE
    yield from _from_record()
    yield from _from_ament_index()
    yield Path(sys.prefix) / "share" / PACKAGE


def _from_record() -> Iterator[Path]:
    """Yield the folder that pip recorded for the shipped package.xml."""
    try:
        files = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError:
        return
    for file in files:
        if file.as_posix().endswith(f"share/{PACKAGE}/package.xml"):
            yield Path(str(file.locate())).resolve().parent


def _from_ament_index() -> Iterator[Path]:
    try:
        from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
    except ImportError:
        return
    try:
        yield Path(get_package_share_directory(PACKAGE))
    except (PackageNotFoundError, LookupError, ValueError, OSError):  # OSError: no ROS sourced
        return
