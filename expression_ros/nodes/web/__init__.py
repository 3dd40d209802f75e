"""The node that shows in a browser what the other nodes do."""
