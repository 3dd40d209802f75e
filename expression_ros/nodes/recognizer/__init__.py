"""The node that reads faces: images in, labels out."""
