"""Continuous learning as a spec: one reviewed file, compiled to runs that gate a model before it ships."""

__version__ = "0.1.0"
