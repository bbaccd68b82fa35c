"""Keyword spotting: a machine that listens for a few words, all day, and is right."""

__version__ = "0.1.0"
