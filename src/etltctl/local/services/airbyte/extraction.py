"""One sync: read the source, write its streams, keep the states of those that are incremental, retire old files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from etltctl.local.services.airbyte.connections import Connection
from etltctl.local.services.airbyte.jobs import Job, Jobs
from etltctl.local.services.airbyte.records import (
    ALL_STREAMS,
    Checkpoint,
    Pause,
    Source,
    States,
    Stream,
)
from etltctl.local.services.airbyte.states import KeptState, StreamStates, unusable_state

if TYPE_CHECKING:
    from etltctl.local.services.airbyte.destination import S3Destination
    from etltctl.local.services.s3.directory import S3Directory

MakeSource = Callable[[Connection, Pause, States], Source]


class Extraction:
    """The work of one job of a connection."""

    def __init__(
        self, job: Job, connection: Connection, jobs: Jobs, states: StreamStates, directory: S3Directory
    ) -> None:
        # Arrow is loaded by the first sync, not by the server's start.
        from etltctl.local.services.airbyte.destination import S3Destination

        self._job = job
        self._connection = connection
        self._jobs = jobs
        self._states = states
        self._progress: dict[str, KeptState] = {}  # what is written of each incremental stream
        self._destination: S3Destination = S3Destination(
            directory, connection.bucket, connection.path, codec=connection.codec
        )

    def sync(self, make_source: MakeSource, pause: Pause) -> None:
        """Read and write every stream, each from its state if it is incremental.

        Args:
            make_source: Makes the source.
            pause: Sleeps, and ends the sync if it is cancelled.

        Raises:
            SyncError: The source or a state cannot be used.
            SyncCancelledError: The sync was cancelled.
        """
        from etltctl.local.services.airbyte.columns import check_names

        kept = self._kept_states()
        states = {name: kept[name].state if name in kept else {} for name in self._connection.incremental}
        if of_all := self._states.read_global(self._connection.id):
            states[ALL_STREAMS] = of_all
        source = make_source(self._connection, pause, states)
        try:
            # All names first: a sync that would end at the third stream must not write the first two.
            streams = source.streams()
            for stream in streams:
                check_names(stream)
            generations = self._generations(streams, kept)
            for stream in streams:
                pause(0)
                self._write(source, stream, generations[stream.name], kept.get(stream.name))
        finally:
            source.close()
        pause(0)
        # Only now, with every stream whole: until here a failure leaves the old files, which readers still see.
        for stream in streams:
            if stream.name not in self._connection.appended:
                self._destination.retire_other_generations([stream], generations[stream.name])

    def clear(self) -> None:
        """Forget the states of the connection and delete the files of its streams.

        The states go first. Killed in between, the next sync reads everything into a new generation and retires the
        files that are left. The other order would leave states of records that are gone.
        """
        self._states.reset(self._connection.id)
        for stream in self._connection.streams:
            self._destination.delete(stream)

    def _kept_states(self) -> dict[str, KeptState]:
        """Return the states to resume from.

        A stream that is read whole forgets its state: its new files say nothing of what the state is about.
        """
        incremental = self._connection.incremental
        if not incremental:
            self._states.reset(self._connection.id)
            return {}
        kept = self._states.read(self._connection.id)
        self._states.forget(self._connection.id, kept.keys() - incremental)
        return {name: each for name, each in kept.items() if name in incremental}

    def _generations(self, streams: Sequence[Stream], kept: Mapping[str, KeptState]) -> dict[str, int]:
        """Return the generation of each stream's rows: that of its state if it has one, else a new one."""
        newest = {stream.name: self._destination.newest_generation([stream]) for stream in streams}
        for stream in streams:
            if stream.name in kept:
                self._check(stream, kept[stream.name], newest[stream.name])
        new = self._jobs.next_generation(self._connection.id, max(newest.values(), default=0))
        return {name: kept[name].generation if name in kept else new for name in newest}

    def _check(self, stream: Stream, kept: KeptState, newest: int) -> None:
        """Refuse a state that is about other records than those in bronze: they would be missing for ever."""
        place = ".".join(part for part in (stream.namespace, stream.name) if part)
        if kept.namespace != stream.namespace:
            trouble = f"is of {kept.namespace or 'no namespace'}.{stream.name}"
        elif kept.rows and newest == 0:
            trouble = f"says that {kept.rows:,} rows were written, and bronze holds no file of the stream"
        elif kept.rows and newest != kept.generation:
            trouble = (
                f"is of generation {kept.generation}, and the files in bronze are of generation {newest}"
            )
        else:
            return
        raise unusable_state(f"{place}: the kept state {trouble}; nothing was read")

    def _write(self, source: Source, stream: Stream, generation: int, kept: KeptState | None) -> None:
        from etltctl.local.services.airbyte.columns import Sync

        rows = kept.rows if kept else 0

        def keep(checkpoint: Checkpoint, written: int) -> None:
            nonlocal rows
            rows += written
            if checkpoint.is_global:
                # Its source gives it only when the other streams that it covers are written.
                self._progress[stream.name] = KeptState(stream.namespace, generation, rows, {})
                self._states.keep_global(self._connection.id, self._progress, checkpoint.state)
                return
            now = KeptState(stream.namespace, generation, rows, checkpoint.state)
            self._states.keep(self._connection.id, stream.name, now)

        sync = Sync(self._job.id, int(self._job.created * 1000), generation)
        is_incremental = stream.name in self._connection.incremental
        left = self._destination.write(
            stream,
            source.read(stream),
            sync,
            lambda count, size: self._jobs.count(self._job.id, count, size),
            *((keep,) if is_incremental else ()),
        )
        if is_incremental:
            self._progress[stream.name] = KeptState(stream.namespace, generation, rows + left, {})
