"""The demonstration: all four nodes on one clip, watched and reported. May import every part."""
