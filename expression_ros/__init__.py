"""Reads facial expressions from camera images and mirrors them onto a robot's face."""

__version__ = "0.1.0"
