"""Where frames come from: webcams, videos, folders and files of images; in their time."""
