"""Every type of resource that the embedded CloudFormation makes; any other is refused by name."""

from __future__ import annotations

from support.cloudformation import accounts, machines, stores
from support.cloudformation.kind import Kind

KINDS: dict[str, Kind] = {**stores.KINDS, **accounts.KINDS, **machines.KINDS}
