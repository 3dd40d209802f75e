"""Image files and image messages: their headers, their depth, what they look like decoded."""
