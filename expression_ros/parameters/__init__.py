"""The parameters of the nodes as tables, and the files that set them. Imports no ROS."""
