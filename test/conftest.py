"""Fixtures for all tests: real files, and real nodes over real DDS on this machine only."""

from __future__ import annotations

import fcntl
import os
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TextIO

import pytest

# Before anything imports rclpy: never leave this machine, and carry whole images.
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
os.environ.setdefault("ROS_LOCALHOST_ONLY", "0")

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(Path(__file__).resolve().parent))


def _generated_interfaces() -> Path:
    """Return where tools/build_test_interfaces.py puts message classes for this Python."""
    named = os.environ.get("EXPRESSION_ROS_INTERFACES")
    folder = Path(named) if named else REPOSITORY / ".cache" / "interfaces"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return folder.resolve() / "lib" / version / "site-packages"


# Last, so that a real vision_msgs goes first; before the tests import the package, which looks
# for vision_msgs at once. The compiled code needs only what rclpy needs: no library path to set.
if _generated_interfaces().is_dir():
    sys.path.append(str(_generated_interfaces()))


def pytest_configure(config: pytest.Config) -> None:
    """Let skips fail where that is asked for; pytest-xdist's workers report to one process."""
    import skips  # found only now that this folder is on the path

    plugin = None if hasattr(config, "workerinput") else skips.from_environment()
    if plugin:
        config.pluginmanager.register(plugin, "skips-fail")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what talks over DDS: make test runs that by itself, and the rest side by side."""
    for item in items:
        if _talks_over_dds(item.path):
            item.add_marker("dds")


@cache
def _talks_over_dds(file: Path) -> bool:
    text = file.read_text(encoding="utf-8")
    return "rclpy" in text or "launch_ros" in text


_locks: list[TextIO] = []  # held until this process ends


def _free_domain() -> int:
    """Return a ROS domain that no other test run on this machine uses, so that they do not mix.

    From 215 to 231: beyond the ports that Linux hands out, and beyond what people choose by hand.
    """
    for k in range(17):
        domain = 215 + (os.getpid() + k) % 17
        lock = (Path(tempfile.gettempdir()) / f"ros_domain_{domain}.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        _locks.append(lock)
        return domain
    raise RuntimeError("all ROS domains are in use by other test runs")


os.environ["ROS_DOMAIN_ID"] = str(_free_domain())


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder with the labelled faces, or skip: they are not part of the repository."""
    named = os.environ.get("EXPRESSION_ROS_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if not (folder / "fer2013.npz").is_file():
        pytest.skip("no labelled faces: set EXPRESSION_ROS_DATA to a folder with fer2013.npz")
    return folder


@pytest.fixture
def ros():
    """Yield a RosBench: real rclpy in a context of its own; skip where rclpy is missing."""
    pytest.importorskip("rclpy", reason="needs rclpy: pip install '.[ros]' or source ROS 2")
    from ros_bench import RosBench

    with RosBench() as bench:
        yield bench


@pytest.fixture(scope="session")
def clips() -> Path:
    """Return the folder with the real clips, or skip: they are fetched, not in the repository."""
    named = os.environ.get("EXPRESSION_ROS_CLIPS")
    folder = Path(named) if named else REPOSITORY / ".cache" / "clips"
    if not (folder / "single_face.mp4").is_file():
        pytest.skip(f"no clips: python tools/fetch_clips.py {folder}")
    return folder


@pytest.fixture(scope="session")
def astronaut():
    """Return scikit-image's public-domain portrait, (512, 512, 3) uint8 BGR: one face, a smile."""
    data = pytest.importorskip("skimage.data", reason="needs scikit-image for its portrait")
    return data.astronaut()[:, :, ::-1].copy()


@pytest.fixture(scope="session")
def shipped_classifier():
    """Return the classifier the package ships."""
    from expression_ros.recognition.models import load_classifier

    return load_classifier("fisherfaces")


@pytest.fixture
def quick_reports(monkeypatch):
    """Let the nodes of this process report five times a second: what they say is the same."""
    pytest.importorskip("rclpy", reason="needs rclpy: pip install '.[ros]' or source ROS 2")
    from ros_bench import node_module

    for name in ("camera", "emotion_selector", "mirror", "recognizer", "web"):
        module = node_module(name)
        if hasattr(module, "_REPORT_S"):
            monkeypatch.setattr(module, "_REPORT_S", 0.2)
