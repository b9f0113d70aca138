"""The doctor: looks at everything a run needs and says of each thing whether it is well, and how to mend it.

It never needs what it checks: without settings it says what is wrong with the settings, without a network what it
could not reach, and goes on with the rest. It starts no work and changes nothing.
"""

from etltctl.diagnosis.examination import examine
from etltctl.diagnosis.findings import Area, Finding, Status, exit_code

__all__ = ["Area", "Finding", "Status", "examine", "exit_code"]
