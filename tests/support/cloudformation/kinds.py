"""Every type of resource that the embedded CloudFormation creates; it refuses any other by name."""

from __future__ import annotations

from support.cloudformation import accounts, machines, stores
from support.cloudformation.kind import Kind

KINDS: dict[str, Kind] = {**stores.KINDS, **accounts.KINDS, **machines.KINDS}
