"""Recognition and mirror, made and set as the nodes are, over one stream of frames."""
