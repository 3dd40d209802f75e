"""Emotion labels in, robot commands out. Imports no ROS, no recognition, no training."""
