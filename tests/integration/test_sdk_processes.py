"""Tests the SDK in the kinds of processes in which services run. `ROWS` contains the rows of the table in
docs/processes.md.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
import urllib3
from reading import read_actions, topic_with_schema

from auditlane.local import ports

DOCS = Path(__file__).parents[2] / "docs" / "processes.md"
START_S = 60

APP = """
import warnings
warnings.simplefilter("ignore")  # forks in a process with threads
from auditlane.sdk import AuditClient
audit = AuditClient()
def work(n):
    audit.emit(tenant_id="acme", action=f"step{n}")
    return n
"""
WSGI = """
from app import work
def application(environ, start_response):
    work(int(environ["PATH_INFO"].strip("/")))
    start_response("200 OK", [("Content-Length", "0")])
    return [b""]
"""
ASGI = """
from app import audit, work
async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        audit.close()
        await send({"type": "lifespan.shutdown.complete"})
    if scope["type"] == "http":
        work(int(scope["path"].strip("/")))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})
"""
CELERY = """
from celery import Celery
import app
tasks = Celery("tasks", broker="filesystem://")
tasks.conf.broker_transport_options = dict(data_folder_in="queue", data_folder_out="queue", control_folder="control")
@tasks.task
def work(n):
    app.work(n)
"""


@dataclass(frozen=True)
class Script:
    """A program that emits step0 to step3, and then exits."""

    text: str
    needs: str = ""

    def run(self, folder: Path, environ: dict[str, str]) -> None:
        (folder / "main.py").write_text(self.text)
        done = subprocess.run(
            [sys.executable, "main.py"], cwd=folder, env=environ, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr


@dataclass(frozen=True)
class Server:
    """A server that emits one step per request, and exits on request."""

    command: tuple[str, ...]
    needs: str
    end: signal.Signals = signal.SIGTERM

    def run(self, folder: Path, environ: dict[str, str]) -> None:
        [port] = ports.free(1)
        command = [one.replace("PORT", str(port)) for one in self.command]
        with (folder / "log").open("w") as log:
            process = subprocess.Popen([sys.executable, *command], cwd=folder, env=environ, stdout=log, stderr=log)
            try:
                for number in range(4):
                    self._request(f"http://127.0.0.1:{port}/{number}", process, folder)
            finally:
                end(process, self.end, folder)

    def _request(self, url: str, process: subprocess.Popen[bytes], folder: Path) -> None:
        deadline = time.monotonic() + START_S
        while True:
            try:
                assert urllib3.request("GET", url, retries=False, timeout=30).status == 200
                return
            except urllib3.exceptions.HTTPError:
                log = (folder / "log").read_text()
                assert process.poll() is None, log
                assert time.monotonic() < deadline, log
                time.sleep(0.05)


def end(process: subprocess.Popen[bytes], how: signal.Signals, folder: Path) -> None:
    process.send_signal(how)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise AssertionError(f"it did not end: {(folder / 'log').read_text()}") from None


class Celery:
    needs = "celery"

    def run(self, folder: Path, environ: dict[str, str]) -> None:
        for name in ("queue", "control"):
            (folder / name).mkdir()
        send = "from tasks import work\nfor n in range(4): work.delay(n)"
        subprocess.run([sys.executable, "-c", send], cwd=folder, env=environ, check=True, timeout=60)
        command = [sys.executable, "-m", "celery", "-A", "tasks", "worker", "-P", "prefork", "-c", "2", "-l", "INFO"]
        command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(command, cwd=folder, env=environ, stdout=log, stderr=log)
            try:
                deadline = time.monotonic() + START_S
                while (folder / "log").read_text().count(" succeeded in ") < 4:
                    assert process.poll() is None, (folder / "log").read_text()
                    assert time.monotonic() < deadline, (folder / "log").read_text()
                    time.sleep(0.05)
            finally:
                end(process, signal.SIGTERM, folder)


def processes(method: str) -> Script:
    return Script(f"""
import multiprocessing
from app import work
if __name__ == "__main__":
    made = [multiprocessing.get_context("{method}").Process(target=work, args=(n,)) for n in range(4)]
    for one in made: one.start()
    for one in made: one.join()
    assert [one.exitcode for one in made] == [0] * 4
""")


def pool(method: str) -> Script:
    return Script(f"""
import multiprocessing
from app import work
if __name__ == "__main__":
    with multiprocessing.get_context("{method}").Pool(2) as pool:
        assert pool.map(work, range(4)) == [0, 1, 2, 3]
""")


def green(library: str, patch: str) -> Script:
    return Script(
        f"""
import warnings
warnings.simplefilter("ignore")
{patch}
from app import audit, work
import threading
made = [threading.Thread(target=work, args=(n,)) for n in range(4)]
for one in made: one.start()
for one in made: one.join()
assert audit.flush(30)
""",
        library,
    )


FORK = """
import os, sys
from app import work
if pid := os.fork():
    work(0); work(1)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
work(2); work(3)
"""
EXECUTOR = """
from concurrent.futures import ProcessPoolExecutor
from app import work
if __name__ == "__main__":
    with ProcessPoolExecutor(2) as executor:
        assert [*executor.map(work, range(4))] == [0, 1, 2, 3]
"""
GUNICORN = ("-m", "gunicorn", "wsgi", "-b", "127.0.0.1:PORT", "-w", "2")
UWSGI = (
    "-c",
    "import sys, pyuwsgi; pyuwsgi.run(sys.argv[1:])",
    "--http-socket",
    "127.0.0.1:PORT",
    "--wsgi-file",
    "wsgi.py",
    "--master",
    "--processes",
    "2",
)
UWSGI += ("--die-on-term", "--enable-threads")
ROWS = {
    "os.fork": Script(FORK),
    "multiprocessing fork": processes("fork"),
    "multiprocessing forkserver": processes("forkserver"),
    "multiprocessing spawn": processes("spawn"),
    "multiprocessing.Pool": pool("fork"),
    "ProcessPoolExecutor": Script(EXECUTOR),
    "gunicorn sync": Server((*GUNICORN, "-k", "sync"), "gunicorn"),
    "gunicorn sync --preload": Server((*GUNICORN, "-k", "sync", "--preload"), "gunicorn"),
    "gunicorn gthread": Server((*GUNICORN, "-k", "gthread", "--threads", "2"), "gunicorn"),
    "gunicorn gevent": Server((*GUNICORN, "-k", "gevent"), "gevent"),
    "gunicorn gevent --preload": Server((*GUNICORN, "-k", "gevent", "--preload"), "gevent"),
    "gevent": green("gevent", "from gevent import monkey; monkey.patch_all()"),
    "eventlet": green("eventlet", "import eventlet; eventlet.monkey_patch()"),
    "uvicorn": Server(("-m", "uvicorn", "asgi:application", "--port", "PORT"), "uvicorn"),
    "uvicorn --workers": Server(("-m", "uvicorn", "asgi:application", "--port", "PORT", "--workers", "2"), "uvicorn"),
    # Only one worker, since uWSGI hangs if it has to stop a worker that is still importing the app.
    "uWSGI --lazy-apps": Server((*UWSGI, "--processes", "1", "--lazy-apps"), "pyuwsgi"),
    "Celery prefork": Celery(),
}


@pytest.fixture
def topic(kafka: str, registry: str, unique: str) -> str:
    return topic_with_schema(kafka, registry, unique)


@pytest.fixture
def environ(kafka: str, registry: str, topic: str) -> dict[str, str]:
    variables = {"KAFKA_BOOTSTRAP": kafka, "REGISTRY_URL": registry, "TOPIC": topic}
    return {name: value for name, value in os.environ.items() if not name.startswith("AUDITLANE_")} | {
        f"AUDITLANE_{name}": value for name, value in variables.items()
    }


@pytest.mark.long
@pytest.mark.parametrize("mode", ["fast", "durable"])
@pytest.mark.parametrize("name", ROWS)
def test_emitted_events_arrive(name, mode, kafka, topic, environ, tmp_path):
    row = ROWS[name]
    if mode == "durable":
        environ |= {"AUDITLANE_DELIVERY_MODE": mode, "AUDITLANE_SPOOL_DIR": str(tmp_path / "spool")}
    if row.needs and find_spec(row.needs) is None:
        pytest.skip(f"{row.needs} is not installed")
    for module, text in {"app": APP, "wsgi": WSGI, "asgi": ASGI, "tasks": CELERY}.items():
        (tmp_path / f"{module}.py").write_text(text)
    row.run(tmp_path, environ)
    assert read_actions(kafka, topic, 4) == [f"step{number}" for number in range(4)], (
        (tmp_path / "log").read_text() if (tmp_path / "log").exists() else ""
    )


@pytest.mark.parametrize(
    ("options", "says"), [((), "Start uWSGI with --lazy-apps"), (("--lazy-apps",), "Start uWSGI with --enable-threads")]
)
def test_uwsgi_that_forks_late_or_outlives_python_with_threads_is_refused(options, says, environ, tmp_path):
    if find_spec("pyuwsgi") is None:
        pytest.skip("pyuwsgi is not installed")
    for module, text in {"app": APP, "wsgi": WSGI}.items():
        (tmp_path / f"{module}.py").write_text(text)
    command = [one for one in UWSGI if options == () or one != "--enable-threads"]
    command = [one.replace("PORT", str(ports.free(1)[0])) for one in command]
    command = [sys.executable, *command, *options, "--need-app"]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert says in done.stderr


def test_the_docs_have_every_row():
    assert re.findall(r"^\| `(.+?)` \|", DOCS.read_text(), re.MULTILINE) == list(ROWS)
