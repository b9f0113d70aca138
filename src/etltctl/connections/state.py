"""The record of what `connections apply` made, next to the ledger: ids, and a keyed hash of the secrets that were sent.

One line of JSON a change, the newest counts. Airbyte shows stars for secrets, so only the hash shows whether they have
changed. scrypt (RFC 7914) with a key of this state makes it slow to guess them from the hash.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from etltctl.aws import Aws
from etltctl.errors import ConfigurationError, NextStep, command
from etltctl.ledger import Store, open_store

if TYPE_CHECKING:
    from etltctl.settings import Settings


@dataclass(frozen=True)
class Recorded:
    """Ids and hashes by key (`connection:mongodb`); `salt` is the key of the hashes."""

    salt: str
    ids: Mapping[str, str] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)

    def has_secrets(self, key: str, values: Mapping[tuple[str, ...], str]) -> bool:
        """Return whether these secrets are the ones that were last sent."""
        return not values or hmac.compare_digest(self.hashes.get(key, ""), self.hash_of(values))

    def hash_of(self, values: Mapping[tuple[str, ...], str]) -> str:
        """Return the keyed hash of these secrets; empty if there are none."""
        if not values:
            return ""
        text = json.dumps(sorted((".".join(path), value) for path, value in values.items()))
        # About 16 MB and some hundredths of a second a guess (RFC 7914 calls these n, r and p).
        return hashlib.scrypt(text.encode(), salt=bytes.fromhex(self.salt), n=2**14, r=8, p=1, dklen=32).hex()


@dataclass(frozen=True)
class ConnectionState:
    """The record of one environment."""

    store: Store
    env: str

    @classmethod
    def of(cls, settings: Settings, aws: Aws) -> ConnectionState:
        """Return the record in the place that the setting `state` names."""
        return cls(open_store(settings.state, aws, "connections", mode=0o600), settings.env)

    def read(self) -> Recorded:
        """Return everything recorded; a state without a record gets its key with the first one."""
        salt, ids, hashes = "", {}, {}
        for line in self.store.read(self.env).splitlines():
            try:
                entry: dict[str, Any] = json.loads(line)
            except ValueError:
                continue  # cut off by a crash: the resource is matched by its name again
            salt = entry.get("salt", salt)
            if "key" in entry:
                ids[entry["key"]], hashes[entry["key"]] = entry["id"], entry.get("hash", "")
        known = {key: identifier for key, identifier in ids.items() if identifier}
        return Recorded(salt or secrets.token_hex(32), known, hashes)

    def record(self, known: Recorded, key: str, identifier: str, hashed: str = "") -> None:
        """Add the id and the hash of what was sent; an empty id removes the resource from the record."""
        entry = {"salt": known.salt, "key": key, "id": identifier, "hash": hashed}
        self.store.add(self.env, lambda _: json.dumps(entry) + "\n")


def connection_id(source: str, settings: Settings, aws: Aws) -> str:
    """Return the Airbyte connection of a source: the one that the settings name, else the one that apply recorded.

    Args:
        source: The source's name.
        settings: The settings.
        aws: Reads references that AWS keeps, and the record of the applies.

    Raises:
        ConfigurationError: There is neither.
    """
    reference = settings.sources[source].connection_id
    setting = f"sources.{source}.connection_id"
    try:
        if reference:
            return aws.reveal(reference, setting)
    except ConfigurationError as error:
        unset = error
    else:
        unset = ConfigurationError(f"{setting} is not set")
    recorded = ConnectionState.of(settings, aws).read().ids.get(f"connection:{source}", "")
    if recorded:
        return recorded
    other_way = (*unset.next_step.parts, ", or ") if unset.hint else ()
    hint = NextStep(*other_way, "let etltctl make the connection: ", command("connections", "apply"))
    raise ConfigurationError(
        f"{unset.message}, and `connections apply` recorded no connection for it", hint=hint
    ) from unset
