"""What `connections apply` made, kept beside the ledger: ids, and a keyed hash of the secrets that were sent.

One line of JSON a change, the newest counts. Airbyte shows stars for secrets, so only the hash tells whether they have
changed; scrypt (RFC 7914) with a key of this state makes guessing them from it slow.
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
from etltctl.errors import ConfigurationError
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
        """Whether these secrets are the ones that were last sent."""
        return not values or hmac.compare_digest(self.hashes.get(key, ""), self.hash_of(values))

    def hash_of(self, values: Mapping[tuple[str, ...], str]) -> str:
        """The keyed hash of these secrets; empty if there are none."""
        if not values:
            return ""
        listed = json.dumps(sorted((".".join(path), value) for path, value in values.items()))
        return hashlib.scrypt(
            listed.encode(), salt=bytes.fromhex(self.salt), n=2**14, r=8, p=1, dklen=32
        ).hex()


@dataclass(frozen=True)
class ConnectionState:
    """The record of one environment."""

    store: Store
    env: str

    @classmethod
    def of(cls, settings: Settings, aws: Aws) -> ConnectionState:
        """The record in the place that the setting `state` names."""
        return cls(open_store(settings.state, aws, "connections", mode=0o600), settings.env)

    def read(self) -> Recorded:
        """Everything recorded; a state without a record gets its key with the first one."""
        salt, ids, hashes = "", {}, {}
        for line in self.store.read(self.env).splitlines():
            try:
                told: dict[str, Any] = json.loads(line)
            except ValueError:
                continue  # cut off by a crash: what it told of is found again by its name
            salt = told.get("salt", salt)
            if "key" in told:
                ids[told["key"]], hashes[told["key"]] = told["id"], told.get("hash", "")
        return Recorded(
            salt or secrets.token_hex(32), {key: found for key, found in ids.items() if found}, hashes
        )

    def record(self, known: Recorded, key: str, identifier: str, hashed: str = "") -> None:
        """Notes the id and the hash of what was sent; an empty id forgets it."""
        told = {"salt": known.salt, "key": key, "id": identifier, "hash": hashed}
        self.store.add(self.env, lambda _: json.dumps(told) + "\n")


def connection_id(source: str, settings: Settings, aws: Aws) -> str:
    """The Airbyte connection of a source: the one the settings name, else the one `connections apply` recorded.

    Raises ConfigurationError if there is neither.
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
    hint = f"{unset.hint}, or let etltctl make the connection: etltctl connections apply".removeprefix(
        ", or "
    )
    raise ConfigurationError(f"{unset.message}, and no connection was made from here", hint=hint) from unset
