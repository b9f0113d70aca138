"""The state folder of an embedded lake, which only its owner may use."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

from etltctl.errors import ConfigurationError

PRIVATE = 0o700
# What etltctl keeps in a state folder: a folder with one of these, or an empty one, may be closed to others.
KNOWN = frozenset({"server", "s3", "glue", "airbyte", "athena", "runs", "leases", "contracts"})
ELSEWHERE = "or choose another place: setting `state` or ETLTCTL_STATE_DIR"


def prepare_folder(state: Path) -> None:
    """Make the state folder if it is missing, and close it to other users of the machine.

    Args:
        state: The folder, as an absolute path.

    Raises:
        ConfigurationError: The folder or something in it belongs to another user, it cannot be made or
            closed, or it holds files that are not etltctl's and is open to other users.
    """
    try:
        state.parent.mkdir(parents=True, exist_ok=True)
        state.mkdir(mode=PRIVATE, exist_ok=True)
        check_owner(state)
        if _is_open(state):
            _close(state)
        (state / "server").mkdir(mode=PRIVATE, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"the state folder {state} cannot be used: {error.strerror}", hint=f"make it usable, {ELSEWHERE}"
        ) from error


def check_owner(state: Path) -> None:
    """Refuse a state folder that another user owns or wrote into.

    Args:
        state: The folder. A folder that does not exist passes.

    Raises:
        ConfigurationError: Another user owns the folder, or one of the server's files in it.
    """
    me = os.geteuid()
    for place in (state, state / "server", *_children(state), *_children(state / "server")):
        owner = _owner(place)
        if owner is not None and owner != me:
            raise ConfigurationError(
                f"the state folder {state} is not yours alone: {place} belongs to {user_name(owner)}, "
                f"and you are {user_name(me)}; nothing was read or changed",
                hint=f"`sudo chown -R {me} {state}` makes it yours if you trust what is in it, {ELSEWHERE}",
            )


def not_yours(place: Path) -> ConfigurationError:
    """Build the error for a file or folder that this user may not use: it names the owner of what is closed."""
    me, uid = user_name(os.geteuid()), os.geteuid()
    for nearest in (place, *place.resolve().parents):
        try:
            facts = nearest.stat()
        except OSError:
            continue  # not there, or out of sight: a folder above it shows why
        owner, mode = user_name(facts.st_uid), stat.S_IMODE(facts.st_mode)
        take = f"`sudo chown -R {uid} {nearest}` if it should be yours, " if nearest == place else ""
        return ConfigurationError(
            f"{place} cannot be used: {nearest} (mode {mode:04o}) belongs to {owner}, and you are {me}",
            hint=f"run etltctl as {owner}, {take}{ELSEWHERE}",
        )
    return ConfigurationError(f"{place} cannot be used by {me}", hint=ELSEWHERE.removeprefix("or "))


def user_name(uid: int) -> str:
    """Return the user's name, or the number if the machine has no name for it."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _owner(place: Path) -> int | None:
    try:
        return place.lstat().st_uid
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as error:
        raise not_yours(place) from error


def _children(folder: Path) -> list[Path]:
    try:
        return [child for child in folder.iterdir() if child.name != "lost+found"]  # a file system's own
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError as error:
        raise not_yours(folder) from error


def _close(state: Path) -> None:
    names = {child.name for child in _children(state)}
    advice = f"`chmod 700 {state}`, {ELSEWHERE}"
    if names and not names & KNOWN:
        raise ConfigurationError(
            f"the state folder {state} is open to other users and holds files that etltctl did not make",
            hint=f"choose another folder for the state, or close this one: {advice}",
        )
    state.chmod(PRIVATE)
    if _is_open(state):
        raise ConfigurationError(
            f"the state folder {state} stays open to other users: its file system keeps no permissions",
            hint="choose a place on another file system: setting `state` or ETLTCTL_STATE_DIR",
        )


def _is_open(state: Path) -> bool:
    return bool(stat.S_IMODE(state.stat().st_mode) & 0o077)


def file_identity(path: Path) -> list[int] | None:
    """Return what distinguishes a file or folder from a copy or a new one in its place; None without one.

    It is the device and the inode, which a rename keeps.
    """
    try:
        facts = path.stat()
    except OSError:
        return None
    return [facts.st_dev, facts.st_ino]
