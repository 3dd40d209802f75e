"""Build description of the ROS 2 package; `pip install .` and `colcon build` both read it."""

import os
import sys

from setuptools import find_packages, setup

NAME = "expression_ros"
COMMAND = "expression-ros = expression_ros.cli:main"
NODES = [
    "recognizer = expression_ros.nodes.recognizer.node:main",
    "mirror = expression_ros.nodes.mirror.node:main",
    "web = expression_ros.nodes.web.node:main",
    "emotion_selector = expression_ros.nodes.emotion_selector:main",
    "robot_face = expression_ros.nodes.robot_face:main",
    "camera = expression_ros.nodes.camera:main",
]
# colcon runs `setup.py install` or `develop`, and setup.cfg puts all scripts into
# lib/expression_ros, where `ros2 run` and launch look. pip would put them on everybody's PATH,
# names as common as `camera` and `web`: there the nodes are files of lib/expression_ros themselves.
FOR_COLCON = any(word in ("install", "develop") for word in sys.argv[1:])
# For the shell the first lines, for Python a string and what follows it.
SCRIPT = """#!/bin/sh
''':'
python="$(dirname "$0")/../../bin/python3"  # of the environment that this was installed into
[ -x "$python" ] || python=python3
exec "$python" "$0" "$@"
'''
import importlib.util
import sys

if importlib.util.find_spec("rclpy") is None:
    sys.exit(
        "rclpy is missing: source your ROS 2 installation, or pip install 'expression_ros[ros]'"
    )

from {module} import {function}

sys.exit({function}())
"""


def shared(*folders):
    """Return data_files entries that install these folders, as they are, under share/."""
    entries = []
    for top in folders:
        for folder, _, files in os.walk(top):
            paths = [os.path.join(folder, name) for name in sorted(files)]
            if paths:
                entries.append((os.path.join("share", NAME, folder), paths))
    return entries


def node_scripts():
    """Write a script for each node below build/; return the data_files entry that installs them."""
    folder = os.path.join("build", "node_scripts")
    os.makedirs(folder, exist_ok=True)
    paths = []
    for name, _, entry in (node.partition(" = ") for node in NODES):
        module, _, function = entry.partition(":")
        paths.append(os.path.join(folder, name))
        with open(paths[-1], "w", encoding="utf-8") as file:
            file.write(SCRIPT.format(module=module, function=function))
        os.chmod(paths[-1], 0o755)
    return (os.path.join("lib", NAME), paths)


setup(
    name=NAME,
    version="0.1.0",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={NAME: ["py.typed"], f"{NAME}.web": ["static/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        *shared("launch", "config", "models"),
        *([] if FOR_COLCON else [node_scripts()]),
    ],
    python_requires=">=3.10",
    install_requires=[
        "numpy",
        "opencv-contrib-python-headless>=4.6,<5",
        "PyYAML",
    ],
    extras_require={
        "ros": [
            "ros-kilted-rclpy",
            "ros-kilted-rmw-fastrtps-cpp",
            "ros-kilted-common-interfaces",
            "rosbags-image",
            "matplotlib",
        ],
        "train": ["scikit-learn", "matplotlib"],
        "web": ["tornado>=6.1"],
        "networks": ["torch", "onnx"],  # to train a CNN or the embedding; not to run one
        "landmarks": ["dlib-bin", "face-recognition-models"],
        "browser": ["playwright", "axe-playwright-python"],  # for the tests of the page
        "recordings": ["rosbags>=0.11", "rosbags-image", "matplotlib"],
        "test": [
            "catkin_pkg",
            "colcon-common-extensions",
            "hypothesis",
            "matplotlib",
            "mypy",
            "pytest",
            "pytest-xdist",
            "ruff",
            "scikit-image",
            "scikit-learn",
            "setuptools",
            "types-PyYAML",
            "wheel",
        ],
    },
    zip_safe=True,
    author="expression_ros developers",
    maintainer="expression_ros developers",
    maintainer_email="expression-ros@users.noreply.github.com",
    description=(
        "Reads facial expressions from a camera with ten Fisherfaces and mirrors them onto a "
        "robot's face."
    ),
    license="Apache-2.0",
    entry_points={
        "console_scripts": [COMMAND, *(NODES if FOR_COLCON else [])],
    },
)
