"""Studies: settings × seeds from one file, run side by side and collected into one table.

In comes a file (``plan``), out go run folders (``processes``) and from their reports (``runs``)
means, deviations and differences (``comparison``) on a page (``page``). A room because a choice
between settings needs several seeds of each, and nobody should start or count them by hand.
"""
