"""The diagnosis behind `etltctl doctor`: checks of everything that a run needs, each with its finding and its fix.

It needs nothing of what it checks. Without settings it reports what is wrong with them, without a network what it
could not reach, and then it checks the rest. It starts no work and changes nothing.
"""

from etltctl.diagnosis.examination import examine
from etltctl.diagnosis.findings import Area, Finding, Status, exit_code

__all__ = ["Area", "Finding", "Status", "examine", "exit_code"]
