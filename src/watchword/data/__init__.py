"""Corpora: from a folder or an archive on disk to the clips of an epoch."""
