"""What the embedded endpoints need of the machine itself: a user, a loopback, open files, a name that resolves."""

from __future__ import annotations

import os
import pwd
import resource
import socket
from collections.abc import Mapping

LOOPBACK = "127.0.0.1"
NEEDED_FILES = 512  # with 256, Java does not start; a job on the sample takes some 300
LOOK_S = 2.0
LOOPBACK_FIX = "bring the loopback interface up: ip link set lo up"


def user_name(environ: Mapping[str, str] = os.environ) -> str:
    """Return the name of this process's user.

    Containers run with user ids that no account has. Such a user has the name that the environment gives, or one
    made of its number.
    """
    uid = os.getuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return environ.get("USER") or environ.get("LOGNAME") or f"uid{uid}"


def has_account() -> bool:
    """Return whether this process's user id has an account on the machine."""
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        return False
    return True


def raise_open_files() -> int:
    """Let this process and its children open as many files as the hard limit allows; return that number."""
    # Systems start processes with a soft limit of 256 or 1024; only the hard one binds.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):  # macOS calls its hard limit infinite and still refuses it
        return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return hard


def open_files_trouble() -> str:
    """Return what is wrong with the limit of open files; empty if nothing is."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard >= NEEDED_FILES:
        return ""
    return (
        f"a process may open only {hard} files (ulimit -n); the embedded server and Spark need {NEEDED_FILES}"
    )


def loopback_trouble() -> str:
    """Return why no program of this machine can be reached at 127.0.0.1; empty if one can."""
    try:
        with (
            socket.create_server((LOOPBACK, 0)) as server,
            socket.create_connection(server.getsockname(), timeout=LOOK_S),
        ):
            return ""
    except OSError as error:
        return f"{LOOPBACK} cannot be reached ({error.strerror or error}): is the loopback interface down?"


def host_name_trouble() -> str:
    """Return whether the machine's own name leads nowhere; empty if it resolves."""
    name = socket.gethostname()
    try:
        socket.getaddrinfo(name, None)
    except OSError as error:
        return f"the host name {name} does not resolve ({error.strerror or error})"
    return ""
