"""Serve one plain Python function over HTTP and CloudEvents."""

__version__ = "0.1.0"
