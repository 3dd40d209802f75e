"""Adapting the vote of the Fisherfaces to one person. Imports no ROS."""
