"""A program that serves the embedded server with the tests' CloudFormation: it plays an account for deployments."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])  # the parent folder of the package `support`

from etltctl.local.server.__main__ import main
from support.cloudformation.api import CloudFormationApi

if __name__ == "__main__":
    sys.exit(main(further_services={"cloudformation": CloudFormationApi}))
