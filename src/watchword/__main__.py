"""``python -m watchword``: the command line."""

import sys

from watchword.cli import main

if __name__ == "__main__":
    sys.argv[0] = "watchword"  # not the path of this file: results quote the command they came from
    main()
