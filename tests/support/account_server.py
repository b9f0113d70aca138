"""The embedded server with a CloudFormation of the tests, as a program: it plays an account that stacks deploy to."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(
        Path(__file__).parents[1]
    )  # the folder of the package `support`, not the package itself

from etltctl.local.server.__main__ import main
from support.cloudformation.api import CloudFormationApi

if __name__ == "__main__":
    sys.exit(main(further_services={"cloudformation": CloudFormationApi}))
