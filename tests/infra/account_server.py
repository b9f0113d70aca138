"""The embedded server with a CloudFormation of the tests, as a program: it plays an account that stacks deploy to."""

import sys

from cloudformation.api import CloudFormationApi

from etltctl.local.server.__main__ import main

if __name__ == "__main__":
    sys.exit(main(further_services={"cloudformation": CloudFormationApi}))
