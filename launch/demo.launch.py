"""Starts camera, recognizer, mirror and virtual face on a clip, all on this machine.

    ros2 launch expression_ros demo.launch.py video:=/path/to/clip.mp4
    ros2 launch expression_ros demo.launch.py video:=0        (a webcam)
"""

import os

from ament_index_python.packages import get_package_share_directory
from launch.actions import (
    DeclareLaunchArgument,
    IncludeLaunchDescription,
    SetEnvironmentVariable,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

from launch import LaunchDescription


def generate_launch_description():
    share = get_package_share_directory("expression_ros")
    main = PythonLaunchDescriptionSource(os.path.join(share, "launch", "recognizer.launch.py"))
    arguments = {
        "camera": LaunchConfiguration("video"),
        "robot": LaunchConfiguration("robot"),
        "log_level": LaunchConfiguration("log_level"),
        "mirror": "true",
        "face": "true",
        "loop": "true",
    }
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "video", description="The clip to play: a video file, a folder of images, a webcam."
            ),
            DeclareLaunchArgument(
                "robot", default_value="", description="Robot to mirror onto; empty: virtual_face."
            ),
            DeclareLaunchArgument(
                "log_level", default_value="info", description="Log level of the nodes."
            ),
            # A demonstration has no business on the network; Humble knows the second name only.
            SetEnvironmentVariable("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST"),
            SetEnvironmentVariable("ROS_LOCALHOST_ONLY", "1" if is_humble() else "0"),
            IncludeLaunchDescription(main, launch_arguments=arguments.items()),
        ]
    )


def is_humble():
    return os.environ.get("ROS_DISTRO") == "humble"
