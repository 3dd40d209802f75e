"""The page in the browser: its server, what it shows, and a session without ROS."""
