"""Data sets, training, evaluation and reports. Imports recognition, never ROS."""
