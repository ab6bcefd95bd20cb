"""The gateway benchmark's baseline: a FastAPI handler that only passes JSON to Kafka and waits for acks=all.

python tests/bench/bare_http.py BOOTSTRAP TOPIC
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading

import uvicorn
from confluent_kafka import Producer
from fastapi import FastAPI, Request

from auditlane.server.run import listen, url_of

BOOTSTRAP, TOPIC = sys.argv[1:3]
app = FastAPI()
producer = Producer({"bootstrap.servers": BOOTSTRAP, "acks": "all", "enable.idempotence": True, "linger.ms": 5})


def poll() -> None:
    while True:
        producer.poll(0.2)


@app.post("/v1/events", status_code=202)
async def post(request: Request) -> dict[str, int]:
    posted = await request.json()
    events = posted if isinstance(posted, list) else [posted]
    loop, done, left = asyncio.get_running_loop(), asyncio.Event(), len(events)

    def delivered(error: object, _: object) -> None:
        nonlocal left
        assert error is None
        left -= 1
        if not left:
            loop.call_soon_threadsafe(done.set)

    for event in events:
        producer.produce(TOPIC, json.dumps(event).encode(), b"acme", on_delivery=delivered)
    await done.wait()
    return {"accepted": len(events)}


if __name__ == "__main__":
    threading.Thread(target=poll, daemon=True).start()
    bound = listen("127.0.0.1", 0)
    bound.listen()
    print(json.dumps({"url": url_of(bound)}), flush=True)
    uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).run(sockets=[bound])
