"""Configures logging through structlog. Output goes to stderr, as readable lines on a terminal and as JSON lines
elsewhere.

The names of auditlane's own log events are listed in `runtime.log_events`. A line has the fields `topic`, `partition`
and `offset` where they apply (`position`), `trace_id` within a span or a traced request and, in JSON, `version`.
structlog imports rich, so it is imported only on first use: most commands log nothing.
"""

from __future__ import annotations

import logging
import sys
from functools import cache
from typing import Any, Protocol

from auditlane.runtime import trace_context


def configure(level: str = "info", *, json: bool | None = None) -> None:
    """Set up logging for a process. With `json=None`, logs are JSON unless stderr is a terminal.

    The standard library's loggers (uvicorn, clickhouse-connect) go through the same renderer.
    """
    import structlog

    as_json = not sys.stderr.isatty() if json is None else json
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_trace_id,
        *([_add_version, structlog.processors.format_exc_info] if as_json else []),
    ]
    # Plain tracebacks: the pretty ones show local variables, which may be secrets.
    console = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    renderer: Any = structlog.processors.JSONRenderer() if as_json else console
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # its callers log retries themselves


def get(name: str) -> Any:
    """Return a logger bound to a component: `log = get("worker")`, then `log.info("range.stored", rows=12)`."""
    import structlog

    return structlog.get_logger(name).bind(part=name)


class Partition(Protocol):
    """A partition of a topic. The class itself, `contract.partition.Partition`, is in a higher package."""

    @property
    def topic(self) -> str: ...
    @property
    def number(self) -> int: ...


def position(partition: Partition, offset: int | None = None, last: int | None = None) -> dict[str, Any]:
    """Return the log fields for a partition, for its message at `offset`, or for its messages from `offset` to `last`,
    inclusive.
    """
    fields: dict[str, Any] = {"topic": partition.topic, "partition": partition.number}
    if offset is not None:
        fields["offset"] = offset
    if last is not None:
        fields["last_offset"] = last
    return fields


def _add_trace_id(_logger: Any, _method: str, line: dict[str, Any]) -> dict[str, Any]:
    if "trace_id" not in line and (span := trace_context.current()) is not None:
        line["trace_id"] = span.trace_id
    return line


def _add_version(_logger: Any, _method: str, line: dict[str, Any]) -> dict[str, Any]:
    line["version"] = auditlane_version()
    return line


@cache
def auditlane_version() -> str:
    """Return the version of the installed package."""
    from importlib.metadata import version  # imported here, since it loads the e-mail parser

    return version("auditlane")
