"""Photos and live images for people to look at, in this process; imports no ROS."""
