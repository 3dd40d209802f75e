"""Photos and live pictures for people to look at, in this process; imports no ROS."""
