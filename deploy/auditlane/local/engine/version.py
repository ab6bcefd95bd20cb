"""The engine's version, without loading the engine."""

from __future__ import annotations

from importlib import metadata

# What `SELECT version()` says begins with the package's version; clients read the numbers only.
ENGINE_VERSION = metadata.version("chdb-core")
