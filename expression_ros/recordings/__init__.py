"""Recorded sessions (videos, folders, bags) into rows and a plot. Imports no ROS."""
