"""The ROS 2 nodes: parameters, topics and time around recognition and mirroring."""

import importlib.util
import sys

# Python calls itself "-m" while it looks for the module that it was told to run: a node, then.
if sys.argv[:1] == ["-m"] and importlib.util.find_spec("rclpy") is None:
    sys.exit("rclpy is missing: source your ROS 2 installation, or pip install '.[ros]'")
