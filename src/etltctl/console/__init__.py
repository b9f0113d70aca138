"""What a person or a program reads: results on standard output, progress and errors on standard error."""

from etltctl.console.console import Console, end_for_no_reader
from etltctl.console.layouts import Output
from etltctl.console.terminal import is_narrow, is_terminal

__all__ = ["Console", "Output", "end_for_no_reader", "is_narrow", "is_terminal"]
