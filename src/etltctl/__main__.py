"""`python -m etltctl` is the command `etltctl`."""

import sys

if __name__ == "__main__":
    if not sys.flags.safe_path:
        sys.path.pop(0)  # `-m` puts the working folder first: a module there is not one of Python's own
    from etltctl.cli import main

    main()
