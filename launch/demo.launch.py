"""Starts camera, recognizer, mirror and virtual face on a clip, all on this machine.

    ros2 launch expression_ros demo.launch.py video:=/path/to/clip.mp4
    ros2 launch expression_ros demo.launch.py video:=0        (a webcam)

The arguments of recognizer.launch.py can be given as well, except camera, which is the video.
"""

import os

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration


def generate_launch_description():
    share = get_package_share_directory("expression_ros")
    main = PythonLaunchDescriptionSource(os.path.join(share, "launch", "recognizer.launch.py"))
    arguments = {"camera": LaunchConfiguration("video")}
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "video", description="The clip to play: a video file, a folder of images, a webcam."
            ),
            # Declared first, these defaults hold in the included file too.
            DeclareLaunchArgument(
                "face", default_value="true", description="Whether to start the virtual face."
            ),
            DeclareLaunchArgument(
                "network",
                default_value="never",
                description="Whether other computers can see the nodes: never, whatever the "
                "environment says; or as in recognizer.launch.py.",
            ),
            IncludeLaunchDescription(main, launch_arguments=arguments.items()),
        ]
    )
