"""Settings of the account, and of databases for their new tables."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from etltctl.governance.changes.change import Change, Phase
from etltctl.governance.model import State
from etltctl.governance.shapes import AccountSettings
from etltctl.governance.writer import Writer


class AccountChange(Change):
    """One setting of the account; all that change are written by one call."""

    phase = Phase.SETTINGS
    is_batched: ClassVar[bool] = True

    @abstractmethod
    def edit(self, settings: AccountSettings, caller: str) -> AccountSettings:
        """Return the account's settings with this one changed."""

    def apply(self, writer: Writer) -> None:
        """Gather the edit."""
        writer.edit_settings(lambda settings: self.edit(settings, writer.caller))


@dataclass(frozen=True)
class SetAdministrators(AccountChange):
    """The data lake administrators, before and after."""

    before: frozenset[str]
    after: frozenset[str]

    @property
    def sign(self) -> str:
        """`~` if a principal stops being one."""
        return "~" if self.before - self.after else "+"

    @property
    def text(self) -> str:
        """The principals that come and go."""
        moves = [
            *(f"+{name}" for name in sorted(self.after - self.before)),
            *(f"-{name}" for name in sorted(self.before - self.after)),
        ]
        return f"administrators: {', '.join(moves)}"

    def edit(self, settings: AccountSettings, caller: str) -> AccountSettings:
        """Return the settings with the administrators; the caller stays one if it is one, so it locks no one out."""
        return replace(settings, admins=self.after | (settings.admins & {caller}))


@dataclass(frozen=True)
class SetIamDefaults(AccountChange):
    """Whether new databases and tables are open to IAM alone."""

    is_open: bool
    sign = "~"

    @property
    def text(self) -> str:
        """What decides over new databases and tables."""
        access = "access by IAM alone" if self.is_open else "Lake Formation"
        return f"new databases and tables: {access}"

    def edit(self, settings: AccountSettings, caller: str) -> AccountSettings:  # noqa: ARG002
        """Return the settings with the default."""
        return replace(settings, iam_defaults=self.is_open)


@dataclass(frozen=True)
class SetSourceIdentity(AccountChange):
    """Whether CloudTrail's S3 data events name the role that queries."""

    is_named: bool
    sign = "~"

    @property
    def text(self) -> str:
        """What the events do."""
        return f"S3 data events {'name' if self.is_named else 'do not name'} the querying role"

    def edit(self, settings: AccountSettings, caller: str) -> AccountSettings:  # noqa: ARG002
        """Return the settings with the parameter."""
        return replace(settings, source_identity=self.is_named)


@dataclass(frozen=True)
class GovernNewTables(Change):
    """A database whose new tables are no longer open to IAM alone."""

    database: str
    phase = Phase.SETTINGS
    sign = "~"

    @property
    def text(self) -> str:
        """The database."""
        return f"new tables of database {self.database}: Lake Formation, no longer IAM alone"

    def apply(self, writer: Writer) -> None:
        """Change the database in the catalog."""
        writer.govern_new_tables(self.database)


def settled(desired: State, actual: State) -> Iterator[Change]:
    """Yield the settings that are not as desired; those that are not set are left alone."""
    # Compared and not written blindly: an apply without a difference must make no call.
    if desired.admins is not None and desired.admins != actual.admins:
        yield SetAdministrators(actual.admins or frozenset(), desired.admins)
    if desired.iam_defaults is not None and desired.iam_defaults != actual.iam_defaults:
        yield SetIamDefaults(desired.iam_defaults)
    if desired.source_identity is not None and desired.source_identity != actual.source_identity:
        yield SetSourceIdentity(desired.source_identity)
    yield from map(GovernNewTables, sorted(actual.open_databases - desired.open_databases))
