"""Logging: structlog, human-readable on a terminal and JSON lines elsewhere, always to stderr.

structlog imports rich, so it is imported by the first use: most commands log nothing.
"""

from __future__ import annotations

import logging
import sys
from typing import Any


def configure(level: str = "info", *, json: bool | None = None) -> None:
    """Set up logging for a process. `json=None` means JSON when stderr is not a terminal.

    The standard library's loggers (uvicorn, clickhouse-connect) go through the same renderer.
    """
    import structlog

    as_json = not sys.stderr.isatty() if json is None else json
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        *([structlog.processors.format_exc_info] if as_json else []),
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
