"""The loader: it reads the settings from their places, lays them over each other, and reports every problem at once."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from etltctl.errors import ConfigurationError
from etltctl.settings.complaints import complaint, problem
from etltctl.settings.connector_config import shown_value
from etltctl.settings.connector_problems import marked_of_manifest
from etltctl.settings.cross_checks import cross_checks, plots_of_unknown_tables
from etltctl.settings.environments import PREFIX, chosen_env, known_envs, unknown_env
from etltctl.settings.files import FILE, find_file, project_file, read_text, state_place
from etltctl.settings.layers import (
    DEFAULT,
    FLAG,
    SAMPLE_LAKE,
    VARIABLE,
    KeyPath,
    Layer,
    SettingValue,
    first_layer,
    key_places,
)
from etltctl.settings.model import Settings
from etltctl.settings.project_names import DEFAULT_PROJECT, bucket_url
from etltctl.settings.secrets import has_password, is_secret, masked, with_whole_paths, without_secrets
from etltctl.settings.toml_tables import key_text, leaves, merge, nested, toml_value
from etltctl.values import AWS

PLOTS = "plots"
# Variables with short names, for settings that are often set in the shell.
NAMED_VARIABLES = {
    "ETLTCTL_STATE_DIR": "state",
    "AWS_PROFILE": "aws.profile",
    "AWS_REGION": "aws.region",
    "AWS_DEFAULT_REGION": "aws.region",
    "OPENLINEAGE_NAMESPACE": "lineage.namespace",
    "OPENLINEAGE_PARENT_ID": "lineage.parent",
    "OPENLINEAGE_ROOT_PARENT_ID": "lineage.root",
}


@dataclass(frozen=True)
class Loader:
    """A loader of settings, with the variables of the process and the directory it works in."""

    environ: Mapping[str, str]
    directory: Path

    def load(
        self, config: Path | None, env: str | None, flags: Mapping[str, Any], text: str | None = None
    ) -> Settings:
        """Return the checked settings.

        Args:
            config: The settings file; None for that of ETLTCTL_CONFIG, or the nearest one.
            env: The environment; None for that of ETLTCTL_ENV, or the file's default.
            flags: Values on top of all others, by dotted key.
            text: What the settings file is to hold; what it holds if None.

        Raises:
            ConfigurationError: The settings have problems. Each is listed with its place.
        """
        # A file is the whole truth: only without one the sample lake applies.
        file = find_file(config, self.environ, self.directory)
        own = read_toml(file, text) if file else sample_lake()
        env = chosen_env(own.data, env, self.environ)
        layers = [
            *([Layer(nested(flags), FLAG)] if flags else []),
            *self._variables(),
            *(_placed(layer, file) for layer in _of_environment(own, env)),
        ]
        layers.append(_placed(_defaults(env, layers), file))
        # Before the check of the values: a mistyped environment would make them those of no environment.
        if env not in (known := known_envs(own.data)):
            raise unknown_env(env, known, file)
        settings = _validated({**merge([layer.data for layer in layers]), "env": env}, layers)
        if file:
            _check_other_environments(own)
        # The values are valid by now. Checks of sections against each other come last, as they need them all.
        return self._kept(settings, layers, file, 1 if flags else 0)

    def load_kept(self, own: Layer, env: str, file: Path | None) -> Settings:
        """Return the settings that these variables make of some values of the user; the rest has its default.

        Args:
            own: The values, which are those of the environment.
            env: The environment.
            file: The settings file that the values come from.
        """
        layers = [*self._variables(), _placed(own, file)]
        layers.append(_placed(_defaults(env, layers), file))
        settings = _validated({**merge([layer.data for layer in layers]), "env": env}, layers)
        return self._kept(settings, layers, file, 0)

    def _kept(self, settings: Settings, layers: list[Layer], file: Path | None, flag_layers: int) -> Settings:
        """Check the sections against each other, and note in the settings where they came from."""
        problems = _problems(cross_checks(settings), layers, file)
        if problems:
            raise complaint(problems)
        settings.keep_plot_problems(_problems(plots_of_unknown_tables(settings), layers, file))

        # Below the flags: what the user typed still wins over what a running server says.
        def overlay(values: Mapping[str, Any]) -> Settings:
            flags, rest = layers[:flag_layers], layers[flag_layers:]
            every = [*flags, Layer(values, FLAG), *rest]
            data = {**merge([layer.data for layer in every]), "env": settings.env}
            return self._kept(_validated(data, every), every, file, flag_layers)

        settings.keep(
            file.parent if file else self.directory,
            file,
            lambda: self._all_shown(settings, layers),
            lambda path: first_layer(layers, path).complaint_place(path),
            overlay,
        )
        return settings

    def _variables(self) -> Iterator[Layer]:
        """Yield a layer for every environment variable that sets something, the general form first."""
        # Sorted, because the order of an environment is an accident, and the first layer wins.
        for name, text in sorted(self.environ.items()):
            if name.upper().startswith(PREFIX):
                dotted = name[len(PREFIX) :].lower().replace("__", ".")
                yield Layer(nested({dotted: toml_value(text)}), f"{VARIABLE}{name}")
        for name, dotted in NAMED_VARIABLES.items():
            if named := self.environ.get(name):
                yield Layer(nested({dotted: named}), f"{VARIABLE}{name}")

    def _all_shown(self, settings: Settings, layers: list[Layer]) -> tuple[SettingValue, ...]:
        """Return every setting as it may be shown. It takes as long as the load itself, and few commands need it."""
        marked = {name: marked_of_manifest(settings, name) for name in settings.sources}
        values = leaves(settings.model_dump())
        return tuple(self._shown(path, value, layers, settings.env, marked) for path, value in values)

    def _shown(
        self, path: KeyPath, value: Any, layers: list[Layer], env: str, marked: Mapping[str, frozenset[str]]
    ) -> SettingValue:
        key = key_text(path)
        if key == "env":
            return SettingValue(
                key, env, f"{VARIABLE}ETLTCTL_ENV" if self.environ.get("ETLTCTL_ENV") == env else "chosen"
            )
        shown = masked(str(value), self.environ) if is_secret(key) else value
        if path[0] == "sources" and path[2:3] == ("config",):
            shown = shown_value(value, path[3:], self.environ, marked[path[1]])
        elif isinstance(value, str) and has_password(value):
            shown = without_secrets(str(shown))
        return SettingValue(key, shown, first_layer(layers, path).origin(path))


def _problems(of_paths: Iterator[tuple[KeyPath, str]], layers: list[Layer], file: Path | None) -> list[str]:
    """Return problems with their places in front. That of a value which nothing sets is the top of the file."""
    top = f"{file.name}:1:1" if file else DEFAULT
    placed = ((first_layer(layers, path), path, text) for path, text in of_paths)
    return [
        f"{top if layer.name == DEFAULT else layer.complaint_place(path)}: {text}"
        for layer, path, text in placed
    ]


def sample_lake() -> Layer:
    """Return the settings of the sample lake, which apply where there is no settings file."""
    return Layer(read_toml(project_file(FILE)).data, SAMPLE_LAKE)


def read_toml(file: Path, text: str | None = None) -> Layer:
    """Return the file's tables with the places of their keys.

    Args:
        file: The file.
        text: What the file is to hold; what it holds if None.

    Raises:
        ConfigurationError: The file cannot be read, or is not TOML.
    """
    try:
        content = read_text(file) if text is None else text
        return Layer(tomllib.loads(content), file.name, places=key_places(content))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read {file}: {error}") from error
    except tomllib.TOMLDecodeError as error:
        # tomllib has the place only in its text: `… (at line 3, column 5)` or `… (at end of document)`.
        words, _, place = str(error).partition(" (at ")
        numbers = "".join(c if c.isdigit() else " " for c in place).split()
        where = ":".join([str(file.name), *(numbers or [str(len(content.splitlines()))])])
        raise ConfigurationError(
            f"{file} is not valid TOML",
            problems=(f"{where}: {words}",),
            hint="put the keys into the table that is there already" if words.endswith("twice") else "",
        ) from error


def _environments(file: Layer) -> Mapping[str, Mapping[str, Any]]:
    """Return the file's `[env.NAME]` tables.

    Raises:
        ConfigurationError: One of them is not a table.
    """
    tables = file.data.get("env", {})
    named: dict[KeyPath, Any] = {}
    if isinstance(tables, Mapping):
        named = {("env", name): table for name, table in tables.items()}
    wrong = [path for path, table in {("env",): tables, **named}.items() if not isinstance(table, Mapping)]
    if wrong:
        raise complaint([f"{file.complaint_place(path)}: {'.'.join(path)} must be a table" for path in wrong])
    return dict(tables)


def _of_environment(file: Layer, env: str) -> list[Layer]:
    """Return the file's `[env.NAME]` and below it its base."""
    base = {name: value for name, value in file.data.items() if name != "env"}
    chosen = _environments(file).get(env, {})
    return [Layer(chosen, file.name, ("env", env), file.places), Layer(base, file.name, (), file.places)]


def _placed(layer: Layer, file: Path | None) -> Layer:
    """Return the layer with whole paths of its state and of the files of its secrets, which count from the file.

    Those of a flag and of a variable count from the working folder.
    """
    data = with_whole_paths(layer.data, file)
    if isinstance(state := data.get("state"), str):
        data["state"] = state_place(state, file)
    return replace(layer, data=data)


def _defaults(env: str, layers: list[Layer]) -> Layer:
    """Return the defaults that depend on the environment. The layers name the project."""
    if env != AWS:
        return Layer({"state": ".etltctl"}, DEFAULT)
    project = merge([layer.data for layer in layers]).get("project", DEFAULT_PROJECT)
    # More people than one work on an account: they share the record of its runs, and a slip costs money there.
    return Layer({"state": f"{bucket_url(str(project), 'state')}/etltctl", "protected": True}, DEFAULT)


def _check_other_environments(own: Layer) -> None:
    """Check every environment, so that a mistake in `[env.aws]` is reported before the day it is used."""
    for env in _environments(own):
        layers = _of_environment(own, env)
        _validated({**merge([layer.data for layer in layers]), "env": env}, layers)


def _validated(data: Mapping[str, Any], layers: list[Layer]) -> Settings:
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        problems = {each["loc"][:2]: problem(each, layers) for each in error.errors()}
        # A faulty plot must not stop a run: it is left out, and the settings keep its problems.
        if all(path[0] == PLOTS for path in problems):
            of_plots = [problem(each, layers) for each in error.errors()]
            settings = _validated(_without_plots(data, problems), layers)
            settings.keep_plot_problems(of_plots)
            return settings
        raise complaint([problem(each, layers) for each in error.errors()]) from error


def _without_plots(data: Mapping[str, Any], paths: Collection[tuple[int | str, ...]]) -> dict[str, Any]:
    """Return the tables without the plots at these paths; without any if `plots` itself is not a table."""
    faulty = {path[1] for path in paths if len(path) > 1}
    plots = data[PLOTS] if len(faulty) == len(paths) else {}
    return {**data, PLOTS: {name: plot for name, plot in plots.items() if name not in faulty}}
