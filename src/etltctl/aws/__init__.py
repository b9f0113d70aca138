"""AWS as one account and region: its clients, the caller, and the SDK's errors in etltctl's words."""

from etltctl.aws.clients import Aws, keep_quiet
from etltctl.aws.identity import Identity
from etltctl.aws.translation import THROTTLED, translated

__all__ = ["THROTTLED", "Aws", "Identity", "keep_quiet", "translated"]
