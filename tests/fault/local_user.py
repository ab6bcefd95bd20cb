"""Attacks the stack as another local user: `python local_user.py UID < attack.json`.

It switches to that user, reads an attack in the form `[kind, argument, …]`, and prints the result.
"""

from __future__ import annotations

import encodings.idna  # http.client imports this module lazily, when this user may be unable to read it
import http.client
import json
import os
import socket
import struct
import sys
from pathlib import Path
from urllib.parse import urlsplit


def read(paths: list[str]) -> list[str]:
    """Return the files and folders that this user could read."""
    found = []
    for path in paths:
        try:
            if Path(path).is_dir():
                os.listdir(path)  # noqa: PTH208 - it fails at once
            else:
                Path(path).read_bytes()
        except OSError:
            continue
        found.append(path)
    return found


def ask(url: str, method: str, headers: dict[str, str], body: str = "") -> list[object]:
    """Send a request to the URL, including its path and query. Returns the response's status and body."""
    split = urlsplit(url)
    connection = http.client.HTTPConnection(split.hostname or "", split.port, timeout=30)
    try:
        path = (split.path or "/") + (f"?{split.query}" if split.query else "")
        connection.request(method, path, body.encode() or None, headers)
        answer = connection.getresponse()
        return [answer.status, answer.read().decode("utf-8", "replace")]
    finally:
        connection.close()


def metadata(port: int) -> int:
    """Request the metadata of all topics from Kafka. Returns the length of the response, or 0 if the connection was
    closed.
    """
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        return len(_call(connection, 3, 1, struct.pack(">i", -1)))


def sign_in(port: int, user: str, password: str) -> int:
    """Sign in to Kafka with SASL/PLAIN as this user. Returns Kafka's error code, which is 0 on success, or -1 if the
    connection was closed.
    """
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        if not _call(connection, 17, 1, _text("PLAIN")):
            return -1
        credentials = f"\0{user}\0{password}".encode()
        answer = _call(connection, 36, 0, struct.pack(">i", len(credentials)) + credentials)
        return struct.unpack_from(">h", answer, 4)[0] if answer else -1


def processes(pids: list[int]) -> list[str]:
    """Return the command lines of all processes, and their environments where this user can read them."""
    found = []
    for pid in pids:
        for name in ("cmdline", "environ"):
            try:
                text = Path(f"/proc/{pid}/{name}").read_bytes()
                found.append(text.replace(b"\0", b" ").decode("utf-8", "replace"))
            except OSError:
                continue
    return found


def _call(connection: socket.socket, api: int, version: int, body: bytes) -> bytes:
    request = struct.pack(">hhi", api, version, 1) + _text("neighbour") + body
    try:
        connection.sendall(struct.pack(">i", len(request)) + request)
        size = _exactly(connection, 4)
        return _exactly(connection, struct.unpack(">i", size)[0]) if size else b""
    except ConnectionError:
        return b""


def _exactly(connection: socket.socket, count: int) -> bytes:
    text = b""
    while len(text) < count:
        piece = connection.recv(count - len(text))
        if not piece:
            return b""
        text += piece
    return text


def _text(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()


KINDS = {"read": read, "ask": ask, "metadata": metadata, "sign_in": sign_in, "processes": processes}

if __name__ == "__main__":
    assert encodings.idna
    kind, *arguments = json.load(sys.stdin)
    os.setgroups([])
    os.setgid(int(sys.argv[1]))
    os.setuid(int(sys.argv[1]))
    json.dump(KINDS[kind](*arguments), sys.stdout)
