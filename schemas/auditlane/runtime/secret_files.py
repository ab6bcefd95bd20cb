"""Reads secret settings from files: `AUDITLANE_<NAME>_FILE` is the path of a file that contains the value of
`AUDITLANE_<NAME>`.

Container platforms mount secrets as files. Unlike environment variables, files do not appear in process lists, crash
reports or the environments of child processes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from auditlane.runtime.errors import ConfigError

SUFFIX: Final = "_FILE"
LARGEST: Final = 64 << 10  # maximum size in bytes; a larger file is not a secret


def given(environ: Mapping[str, str], variables: Iterable[str]) -> dict[str, Path]:
    """Return the paths that the environment sets for these variables. Variables without a path are omitted."""
    return {name: Path(path) for name in variables if (path := environ.get(name + SUFFIX))}


def values(environ: Mapping[str, str], variables: Iterable[str]) -> dict[str, str]:
    """Return the content of each file by variable, without a trailing newline.

    Raises ConfigError, naming every variable whose file cannot be used or that is set in both ways.
    """
    found: dict[str, str] = {}
    problems: list[str] = []
    for name, path in given(environ, variables).items():
        try:
            if environ.get(name):
                raise ValueError(f"{name} is set too; set only one of them")
            found[name] = _content(path)
        except ValueError as error:
            problems.append(f"  {name}{SUFFIX}: {error}")
    if problems:
        raise ConfigError("The settings are not valid:\n" + "\n".join(problems))
    return found


def without_conflicts(environ: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Return a copy of `environ` with the variables in `given`, and without the file variables that would also set
    them.
    """
    superseded = {name + SUFFIX for name, value in given.items() if value}
    return {name: value for name, value in environ.items() if name not in superseded} | dict(given)


def _content(path: Path) -> str:
    """Return the text of a file. Raises ValueError with the reason, which never contains the text."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from error
    if len(data) > LARGEST:
        raise ValueError(f"{path} is larger than {LARGEST >> 10} KiB")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise ValueError(f"{path} is empty")
    return text
