"""What a run of an incremental Glue job has to read: what the current version has not seen yet, or everything.

A full run reads everything. It is needed whenever old rows and new files together may give other tables than it would:
the code or config has changed, a file of bronze is another one or gone, a version was made by other means.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from etltctl.errors import UnverifiedError
from etltctl.inspection import Inspection
from etltctl.pipeline.recorded_inputs import FULL
from etltctl.pipeline.step_run import StepRun
from etltctl.places import version_of
from etltctl.publishing import Lake, VersionInputs
from etltctl.s3 import is_data
from etltctl.values import S3Location, TableName

if TYPE_CHECKING:
    from etltctl.settings.services import GlueJob

_SCRIPTS = ("--extra-py-files", "--extra-files")


class FullRunNeeded(Exception):  # noqa: N818 - not an error: the job reads everything instead
    """A reason for a full run of an incremental job; never leaves this module."""


@dataclass(frozen=True)
class JobInputs:
    """The inputs of the next run of an incremental job.

    Attributes:
        step_run: The step.
        inputs: The place of each table that the job reads.
        version: The version that it writes.
    """

    step_run: StepRun
    inputs: Mapping[str, str]
    version: str

    def record(self) -> str:
        """Write what the run has to read, note it in the ledger, and return where it stands.

        A start that Glue refuses for a while is sent again. If nothing has changed since, the record stays as it is.
        """
        inputs, records = self.find(), self._lake.input_records
        place = records.place(self._job.writes[0], self.version)
        before = records.read(place)
        if before is None or before.as_json() != inputs.as_json():
            self.step_run.note("step.inputs", **inputs.facts())
            records.write(self._job.writes[0], self.version, inputs)
        return str(place)

    def find(self) -> VersionInputs:
        """Return what the run has to read."""
        places = self._lake.places
        everything = self._everything()
        try:
            inputs = self._what_is_new(everything)
        except FullRunNeeded as why:
            inputs = replace(everything, why=str(why))
        return replace(
            inputs, states={table: str(places.state(table, self.version)) for table in self._job.writes}
        )

    @property
    def _lake(self) -> Lake:
        return self.step_run.services.lake

    @property
    def _job(self) -> GlueJob:
        return self.step_run.settings.glue.jobs[self.step_run.step.name]

    def _everything(self) -> VersionInputs:
        """Return all files of inputs without versions, and the versions of the others."""
        fixed = {table: at for table, at in self.inputs.items() if self._lake.places.fixed(table)}
        known_files = {table: _listed(self._lake, at) for table, at in fixed.items()}
        return VersionInputs(
            made_by=_made_by(self.step_run),
            seen=known_files,
            versions={table: version_of(at) for table, at in self.inputs.items() if table not in fixed},
            files={table: [fixed[table] + name for name in names] for table, names in known_files.items()},
        )

    def _what_is_new(self, now: VersionInputs) -> VersionInputs:
        """Return what is new since the current versions were made.

        Raises:
            FullRunNeeded: Everything has to be read.
        """
        if self.step_run.ledger.options.get(FULL):
            raise FullRunNeeded("a full run was requested")
        base, version = self._base()
        records = self._lake.input_records
        before = records.read(records.place(self._job.writes[0], version))
        if before is None:
            raise FullRunNeeded(f"it is not on record from what version {version} was made")
        _require_same_maker(before.made_by, now.made_by, version)
        _require_same_inputs(before, now)
        names = {table: list(_new_files(table, before.seen[table], now.seen[table])) for table in now.seen}
        places = self._lake.places
        return replace(
            now,
            base=base,
            reports={table: self._report(table, at) for table, at in base.items()},
            base_states={table: str(places.state(table, version)) for table in base},
            new={table: [self.inputs[table] + name for name in new] for table, new in names.items()},
            touched={table: self._touched(table, before.versions[table]) for table in now.versions},
        )

    def _base(self) -> tuple[dict[str, str], str]:
        """Return the location of each table's current version, and the version: all are of one run."""
        base = {table: self._intact(table) for table in self._job.writes}
        versions = set(map(version_of, base.values()))
        if len(versions) != 1:
            raise FullRunNeeded("the current versions of its tables are not of one run")
        return base, versions.pop()

    def _intact(self, table: str) -> str:
        try:
            location = self._lake.intact_location(table)
        except UnverifiedError as error:
            raise FullRunNeeded(f"the files of {table} are not those that were published") from error
        if not location:
            raise FullRunNeeded(f"{table} has no published version yet")
        return location

    def _report(self, table: str, location: str) -> Mapping[str, Any]:
        try:
            return self._lake.records.job_report(TableName.parse(table), location)
        except UnverifiedError as error:
            raise FullRunNeeded(
                f"the report on version {version_of(location)} of {table} is damaged"
            ) from error

    def _touched(self, table: str, since: str) -> Sequence[str]:
        until = version_of(self.inputs[table])
        touched = self._lake.input_records.touched(table, since, until)
        if touched is None:
            raise FullRunNeeded(
                f"it is not on record where version {until} of {table} differs from version {since}"
            )
        return touched


def _made_by(step_run: StepRun) -> dict[str, Any]:
    """Return what the job's rows depend on next to its inputs: the content of its files, its config, its Glue version.

    The job is read where it runs: the files on this machine may be other ones than those that were deployed.
    """
    job, name = step_run.settings.glue.jobs[step_run.step.name], step_run.step.name
    definition = Inspection(step_run.services.aws).job(step_run.settings.glue.names.at_glue(name)) or {}
    arguments = definition.get("DefaultArguments", {})
    scripts = [definition.get("Command", {}).get("ScriptLocation", "")]
    scripts += [place for option in _SCRIPTS for place in arguments.get(option, "").split(",")]
    return {
        "code": {place: _etag(step_run, place) for place in scripts if place},
        "config": job.config,
        "arguments": arguments,
        "glue_version": definition.get("GlueVersion", ""),
    }


def _etag(step_run: StepRun, place: str) -> str:
    """Return the ETag of an object, which changes with its content; empty if it is not there."""
    objects = step_run.services.s3.objects(place)
    return next((one.etag for one in objects if one.location == place), "")


def _listed(lake: Lake, location: str) -> dict[str, list[Any]]:
    """Return size and ETag of each file that readers of the location see, by its name below it."""
    return {
        one.location.removeprefix(location): [one.size, one.etag]
        for one in lake.s3.objects(S3Location.parse(location))
        if one.size and is_data(location, one.key)
    }


def _require_same_maker(before: Mapping[str, Any], now: Mapping[str, Any], version: str) -> None:
    if "" in now["code"].values() or not now["code"]:
        raise FullRunNeeded("the files of its code are not where its definition says")
    what = {
        "code": "its code",
        "config": "its config",
        "arguments": "its default arguments",
        "glue_version": "its Glue version",
    }
    changed = [text for name, text in what.items() if before.get(name) != now[name]]
    if changed:
        raise FullRunNeeded(f"{' and '.join(changed)} changed since version {version}")


def _require_same_inputs(before: VersionInputs, now: VersionInputs) -> None:
    if (set(before.seen), set(before.versions)) != (set(now.seen), set(now.versions)):
        raise FullRunNeeded("it reads other tables than before")


def _new_files(
    table: str, before: Mapping[str, Sequence[Any]], now: Mapping[str, Sequence[Any]]
) -> Iterator[str]:
    """Yield the names of the files that are new.

    Raises:
        FullRunNeeded: A file that was read is gone or another one now.
    """
    for name, known in before.items():
        if name not in now:
            raise FullRunNeeded(f"the file {name} of {table} is gone")
        if list(now[name]) != list(known):
            raise FullRunNeeded(f"the file {name} of {table} was written again")
    yield from (name for name in now if name not in before)
