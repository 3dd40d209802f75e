"""The ROS 2 nodes: parameters, topics and time around recognition and mirroring."""
