"""Drivers for Glue runs: JVMs with Spark and Python processes, started before they are needed where Spark is."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Condition, Thread, Timer

from etltctl.local.services.glue.class_archive import ClassArchive, build_in_background
from etltctl.local.services.glue.jvm import Jvm, JvmFailedError, Needs, kill_group, launch
from etltctl.local.services.glue.script_process import ScriptProcess, script_environ, warm_up

WARM_UP_TIMEOUT_S = 60.0
IDLE_S = 60.0  # without a job: the spare ends, and the class archive is made


class SparkPool:
    """One spare JVM and one spare Python process; a run that needs more gets its own."""

    def __init__(
        self,
        folder: Path,
        lake: Path,
        buckets: Callable[[], Sequence[str]],
        url: str,
        credentials: Mapping[str, str] | None = None,
        archive: ClassArchive | None = None,
        idle_s: float = IDLE_S,
    ) -> None:
        self._folder = folder
        self._lake = lake
        self._buckets = buckets
        self._environ = {**script_environ(url, folder), **(credentials or {})}
        self._changed = Condition()
        self._processes: list[subprocess.Popen[bytes]] = []  # of JVMs
        self._spare: Jvm | None = None
        self._lent: list[Jvm] = []
        self._spare_python: ScriptProcess | None = None
        self._is_warming = False
        self._is_closed = False
        self.archive = archive
        self._has_served = False
        self._idle: Timer | None = None
        self._idle_s = idle_s
        shutil.rmtree(folder, ignore_errors=True)  # what killed processes left
        folder.mkdir(parents=True)

    def needs(self, settings: Mapping[str, str] | None = None) -> Needs:
        """Return what a run that starts now needs."""
        return Needs(frozenset(self._buckets()), tuple(sorted((settings or {}).items())))

    def warm(self, is_rehearsed: bool = True) -> None:
        """Make a spare in the background, unless there is one or one is in the making.

        Call it as soon as it is known that a script with Spark follows. A spare that no run takes ends after a while.

        Args:
            is_rehearsed: Whether the spare does the warm-up. That pays while a sync runs. A script that runs already
                would wait longer for it than it gains.
        """
        with self._changed:
            has_spare = self._spare is not None and self._spare.is_alive()
            if self._is_warming or has_spare or self._is_closed:
                return
            self._is_warming = True
        Thread(target=self._make_spare, args=(is_rehearsed,), daemon=True).start()

    def take(self, settings: Mapping[str, str] | None = None) -> Jvm:
        """Return the spare if it fits, else a new JVM; the run gives it back or discards it.

        Raises:
            JvmFailedError: No JVM could be started.
        """
        self._await_idleness(None)
        jvm = self._fitting(settings)
        with self._changed:
            self._lent.append(jvm)
        return jvm

    def _fitting(self, settings: Mapping[str, str] | None) -> Jvm:
        needs = self.needs(settings)
        if settings:
            return self._launch(needs)  # and the spare stays for who asks for nothing special
        with self._changed:
            # A spare on its way is ready sooner than a new JVM would be.
            self._changed.wait_for(lambda: not self._is_warming, WARM_UP_TIMEOUT_S)
            spare, self._spare = self._spare, None
        # A bucket that was made since the spare started is missing from its mounts.
        if spare is not None and spare.needs == needs and spare.is_alive():
            return spare
        if spare is not None:
            self.discard(spare)
        return self._launch(needs)

    def give_back(self, jvm: Jvm) -> None:
        """Keep a JVM whose run ended well as the spare, if it can serve as one."""
        jvm.is_warm = True
        with self._changed:
            self._lent = [lent for lent in self._lent if lent is not jvm]
            is_kept = (
                self._spare is None and not jvm.needs.settings and jvm.is_alive() and not self._is_closed
            )
            if is_kept:
                self._spare = jvm
        if not is_kept:
            self.discard(jvm)
        self._has_served = True
        self._await_idleness(self._idle_s)

    def discard(self, jvm: Jvm) -> None:
        """End a JVM whose state cannot be trusted."""
        jvm.kill()
        self._forget(jvm.process)
        with self._changed:
            was_lent = any(lent is jvm for lent in self._lent)
            self._lent = [lent for lent in self._lent if lent is not jvm]
        if was_lent:
            self._await_idleness(self._idle_s)

    def python(self, has_spark: bool = True) -> ScriptProcess:
        """Return a Python process that waits for its assignment, with Spark loaded if the script needs it."""
        if not has_spark:
            return ScriptProcess(self._folder, self._environ, has_spark=False)
        with self._changed:
            ready, self._spare_python = self._spare_python, None
        return ready if ready is not None and ready.poll() is None else self._start_python()

    def prepare_python(self) -> None:
        """Start the Python process of the next run."""
        with self._changed:
            if self._spare_python is None and not self._is_closed:
                self._spare_python = self._start_python()

    def close(self) -> None:
        """End every process of the pool."""
        with self._changed:
            self._is_closed = True
            python = [self._spare_python] if self._spare_python else []
            started = (*self._processes, *python)
        # Outside the lock, which a thread that starts a JVM may need to see that the pool has closed.
        for process in started:
            kill_group(process)
        shutil.rmtree(self._folder, ignore_errors=True)
        self._await_idleness(None)
        if self._has_served:
            self._archive_classes()

    def _await_idleness(self, seconds: float | None) -> None:
        """Act on idleness once no job has used Spark for that long; None waits no more."""
        with self._changed:
            if self._idle is not None:
                self._idle.cancel()
            is_awaited = seconds is not None and not self._is_closed
            self._idle = Timer(seconds or 0.0, self._rest) if is_awaited else None
            if self._idle is not None:
                self._idle.daemon = True
                self._idle.start()

    def _rest(self) -> None:
        """End the spare, which holds half a gigabyte of memory, and use the idle time for the class archive."""
        with self._changed:
            if self._lent:
                return  # the run that has it begins the wait again
            spare, self._spare = self._spare, None
            python, self._spare_python = self._spare_python, None
        if spare is not None:
            self.discard(spare)
        if python is not None:
            kill_group(python)
        if self._has_served:
            self._archive_classes()

    def _archive_classes(self) -> None:
        """Have the class archive made where jobs have run and there is none, never in the way of a job."""
        if self.archive is not None and not self.archive.is_usable():
            build_in_background(self.archive)

    def _make_spare(self, is_rehearsed: bool) -> None:
        jvm = None
        try:
            jvm = self._launch(self.needs())
            if is_rehearsed:
                self._warm_up(jvm)
                self.prepare_python()
        except (JvmFailedError, OSError, subprocess.SubprocessError):
            if jvm is not None:
                self.discard(jvm)  # the run that needs one will tell what is wrong
                jvm = None
        finally:
            with self._changed:
                surplus = jvm if self._spare is not None else None  # a run has given its JVM back meanwhile
                self._spare = self._spare or jvm
                self._is_warming = False
                self._changed.notify_all()
            if surplus is not None:
                self.discard(surplus)
            self._await_idleness(self._idle_s)

    def _warm_up(self, jvm: Jvm) -> None:
        warm_up(jvm, self._start_python(), self._folder, WARM_UP_TIMEOUT_S)
        jvm.is_warm = True

    def _launch(self, needs: Needs) -> Jvm:
        """Start a JVM; where it fails with the class archive, remove the archive and start it without."""
        options = self.archive.options() if self.archive is not None else ()
        try:
            return self._start_jvm(needs, options)
        except JvmFailedError:
            if not options or self.archive is None or self._is_closed:
                raise
        self.archive.discard()
        return self._start_jvm(needs)

    def _start_jvm(self, needs: Needs, options: Sequence[str] = ()) -> Jvm:
        """Start a JVM that belongs to the pool from its first moment: a pool that closes meanwhile ends it.

        Left alone it would not end: Spark's gateway, whose folder is gone, dies without ending its process.
        """
        with self._changed:
            if self._is_closed:
                raise JvmFailedError("the server is shutting down")
            starting = launch(needs, self._folder, self._lake, self._environ, options)
            self._processes.append(starting.process)
        try:
            return starting.await_ready()
        except BaseException:
            self._forget(starting.process)
            raise

    def _forget(self, process: subprocess.Popen[bytes]) -> None:
        with self._changed:
            if process in self._processes:
                self._processes.remove(process)

    def _start_python(self) -> ScriptProcess:
        return ScriptProcess(self._folder, self._environ)


def parse_conf(text: str) -> dict[str, str]:
    """Spark settings from Glue's `--conf`: `a=b`, further ones as `--conf c=d` in the same value."""
    # Glue takes one `--conf` only, so users chain further ones inside its value.
    words = [word for word in shlex.split(text) if word != "--conf"]
    return dict(word.split("=", 1) for word in words if "=" in word)
