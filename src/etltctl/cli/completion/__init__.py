"""Shell completion: what may follow on a command line, answered without loading the command line itself.

A shell asks at every press of Tab, so this imports neither typer nor pydantic nor an SDK. The commands and options come
from `command_tree.json`, which `python docs/generate` makes from the code; names come from the settings file and the
state folder. What a shell asks and reads is typer's protocol, so scripts that typer installed keep working.
"""

from etltctl.cli.completion.protocol import VARIABLE, answer

__all__ = ["VARIABLE", "answer"]
