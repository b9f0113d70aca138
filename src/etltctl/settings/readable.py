"""What can still be read of settings that have problems: the environment, and where the record of its runs is kept."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from etltctl.settings.environments import PREFIX, chosen_env, known_envs, unknown_env
from etltctl.settings.files import find_file, read_text
from etltctl.settings.layers import SAMPLE_LAKE, Layer
from etltctl.settings.loader import Loader, sample_lake
from etltctl.settings.model import Settings
from etltctl.settings.toml_tables import merge

# All that a command needs which only reads the record: where it is, and who may read it there.
KEPT = (("project",), ("state",), ("aws", "profile"), ("aws", "region"))
KEPT_VARIABLES = frozenset({f"{PREFIX}{'__'.join(path)}".upper() for path in KEPT})
OTHER_VARIABLES = ("ETLTCTL_STATE_DIR", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION")
HEADER = re.compile(r"^\s*\[", re.MULTILINE)


def readable_settings(
    environ: Mapping[str, str], directory: Path, config: Path | None, env: str | None
) -> Settings:
    """Return settings with the place of the record as the user's file has it; the rest has its default.

    Args:
        environ: The variables.
        directory: The folder to search from.
        config: The settings file; None for that of ETLTCTL_CONFIG, or the nearest one.
        env: The environment; None for that of ETLTCTL_ENV, or the file's default.

    Raises:
        ConfigurationError: The file that is named is not there, or it has no such environment.
    """
    file = find_file(config, environ, directory)
    own = _tables_of(file) if file else sample_lake().data
    env = chosen_env(own, env, environ)
    if env not in (known := known_envs(own)):
        # Another environment has other runs: they must not be explained in place of those that are meant.
        raise unknown_env(env, known, file)
    environments = own.get("env")
    chosen = environments.get(env) if isinstance(environments, dict) else None
    values: list[Mapping[str, Any]] = [_kept(table) for table in (chosen, own) if isinstance(table, dict)]
    kept = merge(values)
    variables = {
        name: value
        for name, value in environ.items()
        if name.upper() in KEPT_VARIABLES or name in OTHER_VARIABLES
    }
    loader = Loader(variables, directory)
    return loader.load_kept(Layer(kept, file.name if file else SAMPLE_LAKE), env, file)


def _kept(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a table that say where the record is, as far as they are texts."""
    texts = {name: table.get(name) for name in ("project", "state")}
    kept: dict[str, Any] = {
        name: text for name, text in texts.items() if isinstance(text, str) and text.strip()
    }
    aws = table.get("aws")
    if isinstance(aws, dict):
        kept["aws"] = {name: aws[name] for name in ("profile", "region") if isinstance(aws.get(name), str)}
    return kept


def _tables_of(file: Path) -> dict[str, Any]:
    """Return the tables of a TOML file that can be read; of a table with an error the lines that can."""
    try:
        text = read_text(file)
    except (OSError, UnicodeDecodeError):
        return {}
    with suppress(tomllib.TOMLDecodeError):
        return tomllib.loads(text)
    starts = [0, *(match.start() for match in HEADER.finditer(text) if match.start())]
    blocks = [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
    # The first of two equal keys counts, as it does for a reader of the file.
    return merge([table for block in blocks for table in _readable(block)])


def _readable(block: str) -> Iterable[dict[str, Any]]:
    """Yield a table of TOML if it is whole, else each of its lines that is."""
    with suppress(tomllib.TOMLDecodeError):
        yield tomllib.loads(block)
        return
    header, _, rest = block.partition("\n") if HEADER.match(block) else ("", "", block)
    for line in rest.splitlines():
        with suppress(tomllib.TOMLDecodeError):
            yield tomllib.loads(f"{header}\n{line}")
