"""`python -m etltctl` is the command `etltctl`."""

from etltctl.cli import main

if __name__ == "__main__":
    main()
