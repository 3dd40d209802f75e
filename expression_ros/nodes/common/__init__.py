"""What the nodes share: parameters, images in and out, diagnostics, start and end."""
