"""Results of the embedded engine: whole, or visibly not; in the formats and encodings that clients ask for."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from urllib.parse import quote, urlencode, urlsplit

import clickhouse_connect
import pytest
import urllib3
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from clickhouse_connect.driver.external import ExternalData


def ask(url: str, sql: str, headers: dict[str, str] | None = None, **parameters: str) -> urllib3.BaseHTTPResponse:
    return urllib3.request("POST", f"{url}/?{urlencode(parameters)}", body=sql.encode(), headers=headers, retries=False)


@pytest.fixture
def client(clickhouse: str) -> Iterator[Client]:
    place = urlsplit(clickhouse)
    with clickhouse_connect.get_client(host=place.hostname, port=place.port, autogenerate_session_id=False) as one:
        yield one


FAILS_LATE = "SELECT throwIf(number = 3000000), number FROM numbers(5000000) SETTINGS max_threads = 1"


def test_a_failure_before_any_output_is_an_error_response(clickhouse: str) -> None:
    answer = ask(clickhouse, "SELECT number, throwIf(number = 1000) FROM numbers(2000) SETTINGS max_block_size = 10")
    assert answer.status == 500
    assert answer.headers["X-ClickHouse-Exception-Code"] == "395"
    assert answer.data.startswith(b"Code: 395. DB::Exception: ")


def test_a_failure_after_output_never_looks_whole(clickhouse: str) -> None:
    place = urlsplit(clickhouse)
    with contextlib.closing(http.client.HTTPConnection(str(place.hostname), place.port or 0, timeout=60)) as one:
        one.request("POST", "/", FAILS_LATE)
        answer = one.getresponse()
        assert answer.status == 200
        with pytest.raises(http.client.IncompleteRead) as cut:
            answer.read()
    assert b"\r\n__exception__\r\n" + (answer.headers["X-ClickHouse-Exception-Tag"].encode()) in cut.value.partial
    assert b"Code: 395. DB::Exception: " in cut.value.partial


def test_a_stock_client_raises_on_a_late_failure(client: Client) -> None:
    with pytest.raises(ClickHouseError, match="395"):
        client.query(FAILS_LATE)
    with pytest.raises(ClickHouseError), client.query_row_block_stream(FAILS_LATE) as stream:
        for _ in stream:
            pass
    assert client.command("SELECT 1") == 1


def test_waiting_for_the_end_makes_a_late_failure_an_error_response(clickhouse: str) -> None:
    assert ask(clickhouse, FAILS_LATE, wait_end_of_query="1").status == 500
    whole = ask(clickhouse, "SELECT number FROM numbers(1000000)", wait_end_of_query="1")
    assert len(whole.data.splitlines()) == 1_000_000
    assert json.loads(whole.headers["X-ClickHouse-Summary"])["result_rows"] == "1000000"


@pytest.mark.parametrize("rows", [10, 400_000])
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd", "identity"])
def test_encodings(clickhouse: str, encoding: str, rows: int) -> None:
    sql = f"SELECT number FROM numbers({rows})"
    answer = ask(clickhouse, sql, {"Accept-Encoding": encoding}, enable_http_compression="1")
    assert answer.headers.get("Content-Encoding", "identity") == encoding
    assert answer.data.split() == [b"%d" % number for number in range(rows)]


def test_a_form_an_external_table_and_parameters(client: Client, clickhouse: str) -> None:
    place = urlsplit(clickhouse)
    external = ExternalData(file_name="m.csv", fmt="CSV", structure=["name String", "n UInt16"], data=b"a,1\nb,2\n")
    assert client.query("SELECT sum(n) FROM m", external_data=external).result_rows == [(3,)]
    with clickhouse_connect.get_client(
        host=place.hostname, port=place.port, form_encode_query_params=True, autogenerate_session_id=False
    ) as forms:
        assert forms.query("SELECT {a:String}", parameters={"a": "x\ty'\\é"}).result_rows == [("x\ty'\\é",)]


def test_an_empty_result_still_names_its_columns(client: Client, clickhouse: str) -> None:
    assert client.query("SELECT 1 AS a, 'x' AS b WHERE 0").column_names == ("a", "b")
    plain = ask(clickhouse, "SELECT 1 AS a LIMIT 0 FORMAT Native")
    assert plain.data == b"\x01\x00\x01a\x05UInt8"
    versioned = ask(clickhouse, "SELECT 1 AS a LIMIT 0", default_format="Native", client_protocol_version="54454")
    assert versioned.data == b"\x01\x00\x02\xff\xff\xff\xff\x00\x01\x00\x01a\x05UInt8\x00"


def test_formats_and_headers(clickhouse: str) -> None:
    answer = ask(clickhouse, "SELECT 1 AS a", {"X-ClickHouse-Format": "JSONEachRow"}, query_id="mine")
    assert answer.json() == {"a": 1}
    assert answer.headers["X-ClickHouse-Query-Id"] == "mine"
    assert answer.headers["X-ClickHouse-Format"] == "JSONEachRow"
    assert answer.headers["Content-Type"].startswith("application/x-ndjson")
    assert answer.headers["X-ClickHouse-Timezone"]
    assert ask(clickhouse, "SELECT 1", default_format="CSV; SYSTEM SHUTDOWN").status == 400
    assert ask(clickhouse, "SELECT 'é'").data == "é\n".encode()
    missing = ask(clickhouse, "SELECT * FROM `né`")
    assert missing.status == 404
    assert "né" in missing.data.decode()


def test_get_and_head(clickhouse: str) -> None:
    url = f"{clickhouse}/?query={quote('SELECT 1')}"
    assert urllib3.request("GET", url).data == b"1\n"
    head = urllib3.request("HEAD", url)
    assert (head.status, head.headers["Content-Length"], head.data) == (200, "2", b"")
    assert urllib3.request("GET", f"{clickhouse}/nowhere", retries=False).status == 404


def test_a_session_remembers_settings_and_database(clickhouse: str) -> None:
    for statement in ("SET max_threads = 3", "USE system"):
        assert ask(clickhouse, statement, session_id="one").status == 200
    said = "SELECT getSetting('max_threads'), currentDatabase()"
    assert ask(clickhouse, said, session_id="one").data == b"3\tsystem\n"
    assert ask(clickhouse, said, session_id="one", max_threads="5").data == b"5\tsystem\n"
    assert ask(clickhouse, said, session_id="one").data == b"3\tsystem\n"
    assert ask(clickhouse, said).data.endswith(b"\tdefault\n")
    assert ask(clickhouse, "SELECT 1", session_id="none", session_check="1").headers["X-ClickHouse-Exception-Code"] == (
        "372"
    )


def test_settings_parameters_and_readonly(clickhouse: str) -> None:
    assert ask(clickhouse, "SELECT getSetting('max_threads')", readonly="1", max_threads="2").data == b"2\n"
    assert ask(clickhouse, "SELECT 1", no_such_setting="1").status == 404
    assert ask(clickhouse, "SELECT {a:Array(String)}", param_a="['x','y']").data == b"['x','y']\n"
    assert ask(clickhouse, "SELECT count() FROM numbers(10000000000)", max_execution_time="0.1").status == 408
    memory = ask(clickhouse, "SELECT groupArray(number) FROM numbers(10000000)", max_memory_usage="1000000")
    assert memory.headers["X-ClickHouse-Exception-Code"] == "241"


def running(clickhouse: str, marker: str) -> int:
    found = ask(
        clickhouse,
        f"SELECT count() FROM system.processes WHERE query LIKE '%{marker}%' AND query NOT LIKE '%processes%'",
    )
    return int(found.data)


ENDLESS = "SELECT {} FROM numbers(1000000000000)"


@pytest.mark.parametrize("what", ["countIf(sipHash64(number) = {})", "number + {}"])
def test_a_query_ends_when_its_client_goes_away(clickhouse: str, what: str) -> None:
    marker = str(len(what) * 1_000_003)
    query = ENDLESS.format(what.format(marker))
    place = urlsplit(clickhouse)
    target = f"/?cancel_http_readonly_queries_on_client_close=1&query={quote(query)}".encode()
    with socket.create_connection((place.hostname, place.port), 30) as sock:
        sock.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % target)
        wait(lambda: running(clickhouse, marker) == 1)
    wait(lambda: running(clickhouse, marker) == 0)


def wait(condition) -> None:
    """Until the condition holds; a minute at most."""
    import time

    deadline = time.monotonic() + 60
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline
        pause.wait(0.02)


def test_many_at_once_and_keep_alive(clickhouse: str) -> None:
    place = urlsplit(clickhouse)
    wrong: list[object] = []

    def work(number: int) -> None:
        with contextlib.closing(http.client.HTTPConnection(str(place.hostname), place.port or 0, timeout=60)) as one:
            for turn in range(10):
                if turn == 5:  # a failed statement leaves nothing for the next on the same connection
                    one.request("POST", "/", f"SELECT {number}, throwIf(number = 9) FROM numbers(10)")
                    if one.getresponse().read()[:5] != b"Code:":
                        wrong.append(number)
                one.request("POST", "/", f"SELECT sum(number) + {number} FROM numbers(100000)")
                if one.getresponse().read() != b"%d\n" % (4999950000 + number):
                    wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_query_log_has_the_request(clickhouse: str) -> None:
    assert ask(clickhouse, "SELECT 4711", query_id="findme").status == 200
    assert ask(clickhouse, "SYSTEM FLUSH LOGS").status == 200
    where = "log_comment = 'findme' AND type = 'QueryFinish' AND query LIKE 'SELECT 4711%'"
    assert int(ask(clickhouse, f"SELECT count() FROM system.query_log WHERE {where}").data) == 1
