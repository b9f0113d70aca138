"""The command line: arguments in, one library call, result out."""

from etltctl.cli.app import main

__all__ = ["main"]
