"""Build description of the ROS 2 package; `pip install .` and `colcon build` both read it."""

import os

from setuptools import find_packages, setup

NAME = "expression_ros"


def shared(*folders):
    """Return data_files entries that install these folders, as they are, under share/."""
    entries = []
    for top in folders:
        for folder, _, files in os.walk(top):
            paths = [os.path.join(folder, name) for name in sorted(files)]
            if paths:
                entries.append((os.path.join("share", NAME, folder), paths))
    return entries


setup(
    name=NAME,
    version="0.1.0",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={f"{NAME}.web": ["static/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        *shared("launch", "config", "models"),
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
        "console_scripts": [
            "expression-ros = expression_ros.cli:main",
            "recognizer = expression_ros.nodes.recognizer:main",
            "mirror = expression_ros.nodes.mirror:main",
            "web = expression_ros.nodes.web:main",
            "emotion_selector = expression_ros.nodes.emotion_selector:main",
            "robot_face = expression_ros.nodes.robot_face:main",
            "camera = expression_ros.nodes.camera:main",
        ],
    },
)
