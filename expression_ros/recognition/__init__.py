"""Pixels in, faces with emotions out. Imports no ROS, no training, no mirroring."""
