"""The keys of one state folder, which prove that a caller is its owner's, and the words of the server's own calls."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from etltctl.errors import ConfigurationError, NextStep, command

SCHEME = "Bearer"
CHALLENGE = "X-Etltctl-Challenge"  # its answer proves that the server has the state folder's keys
HELD = b"held\n"  # the first words of a lease
LAST_CHUNK = b"0\r\n\r\n"  # a server that ends in good order says so before its connections close
# boto3 and the AWS CLI presign by the old signature for us-east-1 unless their settings say otherwise.
SDK_SETTINGS = "[default]\ns3 =\n    signature_version = s3v4\n"


@dataclass(frozen=True)
class Keys:
    """An AWS access key, and the key of the server's own calls under `/_etltctl/`."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    server_key: str = field(repr=False)

    @classmethod
    def make(cls) -> Keys:
        """Return new random keys."""
        return cls(
            f"AKIA{secrets.token_hex(8).upper()}", secrets.token_urlsafe(30), secrets.token_urlsafe(30)
        )

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers that a call under `/_etltctl/` or `/sample/` carries."""
        return {"Authorization": f"{SCHEME} {self.server_key}"}

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment variables that AWS's SDKs read the access key from."""
        return {"AWS_ACCESS_KEY_ID": self.access_key_id, "AWS_SECRET_ACCESS_KEY": self.secret_access_key}

    def opens(self, authorization: str) -> bool:
        """Return whether the header `Authorization` carries the server's key."""
        scheme, _, key = authorization.partition(" ")
        # In constant time, so that the time of a refusal does not show how much of a guess is right.
        is_right = hmac.compare_digest(key.strip().encode(), self.server_key.encode())
        return is_right and scheme.lower() == SCHEME.lower()

    def proof(self, challenge: str, port: int) -> str:
        """Return the answer to a challenge that only a server with these keys can give.

        A command asks for it before it sends a key: a dead server's port may be another user's by now.
        """
        # With the port in it, a program at another port cannot pass the challenge on to the true server.
        text = f"etltctl server at {port}: {challenge}"
        return hmac.digest(self.server_key.encode(), text.encode(), hashlib.sha256).hex()


def config_file(state: Path) -> Path:
    """Return the settings of AWS's SDKs that fit the embedded server."""
    return state / "server" / "aws.config"


def key_file(state: Path) -> Path:
    """Return where the keys of a state folder are kept."""
    return state / "server" / "keys.json"


def read_keys(state: Path) -> Keys | None:
    """Return the keys of a state folder; None if it has none yet.

    Raises:
        ConfigurationError: The file cannot be read, is another user's, or holds something else.
    """
    file = key_file(state)
    try:
        # No symbolic link is followed, and owner and mode are read from the open file: a path can be exchanged
        # between two calls.
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(file, error.strerror or "it cannot be read") from error
    with os.fdopen(descriptor) as stream:
        facts = os.fstat(stream.fileno())
        if facts.st_uid != os.geteuid():
            raise _unusable(file, "it belongs to another user")
        if facts.st_mode & 0o077:
            os.fchmod(stream.fileno(), 0o600)
        try:
            return Keys(**json.load(stream))
        except (ValueError, TypeError) as error:
            raise _unusable(file, "it does not hold keys") from error


def keep_keys(state: Path) -> Keys:
    """Return the keys of a state folder, made at the first call; two processes agree on the first one's.

    Raises:
        ConfigurationError: As `read_keys`.
    """
    keys = read_keys(state)
    config_file(state).write_text(SDK_SETTINGS)
    # Another process may write its keys first, so what counts is what the file holds afterwards.
    while keys is None:
        _write_new(key_file(state), json.dumps(asdict(Keys.make())))
        keys = read_keys(state)
    return keys


def _write_new(file: Path, text: str) -> None:
    """Write the file whole, unless there is one."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        # A hard link fails where a rename would replace the keys that another process has just written.
        with suppress(FileExistsError):
            file.hardlink_to(name)
    finally:
        Path(name).unlink()


def _unusable(file: Path, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"the keys of the embedded server in {file} cannot be used: {reason}; the data is safe",
        hint=NextStep(f"`rm {file}` and `", command("local", "down"), "`; the next command makes new keys"),
    )
