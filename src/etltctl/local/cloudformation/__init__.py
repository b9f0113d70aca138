"""CloudFormation: change sets that really make resources, through the embedded services' own APIs."""

from etltctl.local.cloudformation.api import CloudFormationApi

__all__ = ["CloudFormationApi"]
