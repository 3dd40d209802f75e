"""Installed by pip or by colcon, away from the source tree, everything is found."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
NODES = ("recognizer", "mirror", "robot_face", "camera", "emotion_selector", "web")
PROBE = """
import expression_ros, os
from expression_ros.resources import config_path, models_path, share_path
from expression_ros.recognition.models import load_classifier
assert load_classifier("fisherfaces").labels
for path in (config_path("robots", "virtual_face.yaml"), models_path("fisherfaces"),
             share_path("launch", "recognizer.launch.py"), config_path("expression.yaml")):
    print(path)
print(os.path.dirname(expression_ros.__file__))
"""


@pytest.fixture
def source(tmp_path):
    """Return a copy of the source tree, to be deleted before anything is tried."""
    copy = tmp_path / "source"
    shutil.copytree(
        REPOSITORY, copy,
        ignore=shutil.ignore_patterns(".git", ".venv", ".cache", "build", "install", "log",
                                      "demo_output", "*.egg-info", "__pycache__", ".*_cache"),
    )  # fmt: skip
    return copy


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def probe(environment, folder):
    """Run the probe from another folder; everything must lie inside ``folder``."""
    lines = run([sys.executable, "-c", PROBE], cwd="/", env=environment).split()
    assert len(lines) == 5
    for line in lines:
        assert Path(line).resolve().is_relative_to(folder.resolve()), line


def test_pip_install_finds_models_and_config(source, tmp_path):
    prefix = tmp_path / "prefix"
    run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
         "--disable-pip-version-check", "--ignore-installed", "--prefix", str(prefix),
         str(source)])  # fmt: skip
    shutil.rmtree(source)
    (package,) = prefix.rglob("site-packages/expression_ros")
    assert (package / "py.typed").is_file(), "type checkers would not read its types"
    probe({**os.environ, "PYTHONPATH": str(package.parent)}, prefix)
    # Names as common as `camera` and `web` stay off the PATH; `ros2 run` and launch find them.
    assert [path.name for path in (prefix / "bin").iterdir()] == ["expression-ros"]
    check_executables(prefix, NODES, {**os.environ, "PYTHONPATH": str(package.parent)})


def check_executables(prefix, names, environment):
    """Look for the executables as `ros2 run` and launch do, and start each."""
    folder = prefix / "lib" / "expression_ros"
    found = [path.name for path in folder.iterdir() if os.access(path, os.X_OK)]
    assert sorted(found) == sorted(names)
    index = prefix / "share" / "ament_index" / "resource_index" / "packages" / "expression_ros"
    assert index.is_file()
    environment = {**environment, "AMENT_PREFIX_PATH": str(prefix),
                   "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}  # fmt: skip
    wrong = ["--ros-args", "-p", "no_value"]
    for name in set(names) & set(NODES):
        done = subprocess.run([folder / name, *wrong], capture_output=True, text=True,
                              cwd="/", env=environment)  # fmt: skip
        assert done.returncode == 2 and "no_value" in done.stderr, (name, done.stderr)


def test_colcon_build_installs_the_package(source, tmp_path):
    pytest.importorskip("colcon_core", reason="needs colcon: pip install '.[test]'")
    pytest.importorskip("catkin_pkg", reason="needs catkin_pkg: pip install '.[test]'")
    install = tmp_path / "install"
    environment = {**os.environ, "AMENT_PREFIX_PATH": sys.prefix}
    run([sys.executable, "-m", "colcon", "--log-base", str(tmp_path / "log"), "build",
         "--base-paths", str(source), "--build-base", str(tmp_path / "build"),
         "--install-base", str(install)], cwd=tmp_path, env=environment)  # fmt: skip
    shutil.rmtree(source)
    shutil.rmtree(tmp_path / "build")
    prefix = install / "expression_ros"
    share = prefix / "share" / "expression_ros"
    for name in ("package.xml", "launch/recognizer.launch.py", "launch/demo.launch.py",
                 "config/robots/virtual_face.yaml",
                 "models/fisherfaces/manifest.yaml"):  # fmt: skip
        assert (share / name).is_file(), name
    (package,) = prefix.rglob("site-packages/expression_ros")
    check_executables(prefix, [*NODES, "expression-ros"],
                      {**os.environ, "PYTHONPATH": str(package.parent)})  # fmt: skip
    probe({**os.environ, "PYTHONPATH": str(package.parent), "AMENT_PREFIX_PATH": str(prefix)},
          prefix)  # fmt: skip


def test_package_xml_is_valid_and_agrees_with_setup():
    package = pytest.importorskip("catkin_pkg.package", reason="needs catkin_pkg")
    parsed = package.parse_package(str(REPOSITORY))
    setup = (REPOSITORY / "setup.py").read_text(encoding="utf-8")
    assert f'version="{parsed.version}"' in setup
    assert parsed.get_build_type() == "ament_python"
    assert parsed.licenses == ["Apache-2.0"]
    assert parsed.version in (REPOSITORY / "CHANGELOG.rst").read_text(encoding="utf-8")
