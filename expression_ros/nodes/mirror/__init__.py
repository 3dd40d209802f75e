"""The node that answers with the robot's face: labels in, commands out."""
