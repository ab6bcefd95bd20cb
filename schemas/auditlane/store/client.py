"""The typed way to ClickHouse: one client from the settings, and its errors as ours."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect
import urllib3.exceptions
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, OperationalError

from auditlane.runtime.errors import StoreRefused, StoreUnavailable
from auditlane.runtime.settings import Settings

CONNECT_TIMEOUT_S = 10
logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)  # what it logs it also raises, and we say it once
_FIX = "Check AUDITLANE_CLICKHOUSE_URL, and that ClickHouse is running there."


def connect(settings: Settings, **given: Any) -> Client:
    """A client for `settings.clickhouse_url`; `given` goes to `clickhouse_connect.get_client` as it is.

    It opens no session, so that one client serves many threads. Raises StoreUnavailable or StoreRefused.
    """
    url = urlsplit(settings.clickhouse_url)
    if not url.hostname:
        raise StoreUnavailable(
            "No ClickHouse is configured.", fix="Set AUDITLANE_CLICKHOUSE_URL, or run `auditlane up`."
        )
    secure = url.scheme == "https"
    options: dict[str, Any] = {
        "host": url.hostname,
        "port": url.port or (8443 if secure else 8123),
        "interface": url.scheme,
        "username": settings.clickhouse_user,
        "password": settings.clickhouse_password.get_secret_value(),
        "ca_cert": str(settings.clickhouse_ca) if settings.clickhouse_ca else None,
        "autogenerate_session_id": False,
        "connect_timeout": CONNECT_TIMEOUT_S,
        "send_receive_timeout": settings.query_timeout_s + CONNECT_TIMEOUT_S,
    }
    with store_errors():
        return clickhouse_connect.get_client(**(options | given))


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn ClickHouse's and the connection's errors into StoreUnavailable (try again) or StoreRefused (it said no)."""
    try:
        yield
    except (OperationalError, urllib3.exceptions.HTTPError, OSError) as error:
        if getattr(error, "code", None) is None:  # only an answer carries ClickHouse's code
            raise StoreUnavailable(f"ClickHouse cannot be reached: {first_line(error)}.", fix=_FIX) from error
        raise StoreRefused(f"ClickHouse refused: {first_line(error)}.") from error
    except DatabaseError as error:
        raise StoreRefused(f"ClickHouse refused: {first_line(error)}.") from error
    except ClickHouseError as error:
        raise StoreRefused(f"The ClickHouse client refused: {first_line(error)}.") from error


def first_line(error: BaseException) -> str:
    """What a person reads of a driver's error: the operating system's reason, else the first line of the text."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return (str(error) or type(error).__name__).strip().splitlines()[0][:500].rstrip(".")
