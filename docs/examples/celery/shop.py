"""A small shop's tasks, whose failures are recorded with the customer's tenant and the person's id."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from celery import Celery

from auditlane.integrations.celery import install
from auditlane.sdk import audit

QUEUE = Path(os.environ.get("QUEUE_FOLDER", "queue"))  # stands in for your broker
for folder in (QUEUE / "messages", QUEUE / "control"):
    folder.mkdir(parents=True, exist_ok=True)

app = Celery("shop", broker="filesystem://")
app.conf.broker_transport_options = {
    "data_folder_in": str(QUEUE / "messages"),
    "data_folder_out": str(QUEUE / "messages"),
    "control_folder": str(QUEUE / "control"),
}
install(app, tenant="shop-internal")  # the tenant for tasks sent without a context


@app.task
def publish(document_id: str) -> None:
    audit.record(action="document.published", resource="document", resource_id=document_id, outcome="success")


@app.task
def import_file(_: str) -> None:
    raise ValueError("line 7 contains a customer's password")


@app.task(bind=True, max_retries=1)
def send_invoice(self: Any, number: str) -> None:
    if self.request.retries == 0:
        raise self.retry(exc=ConnectionError("mail.example.com"), countdown=0)
    audit.record(action="invoice.sent", resource="invoice", resource_id=number, outcome="success")


@app.task
def use_all_memory() -> None:
    os.kill(os.getpid(), signal.SIGKILL)  # as the kernel would


if __name__ == "__main__":
    with audit.context(tenant=os.environ.get("TENANT", "acme"), actor="jane", request_id="request-1"):
        publish.delay("d-1")
        import_file.delay("customers.csv")
        send_invoice.delay("i-1")
        publish.apply_async(["d-2"], expires=-1)  # too late: the worker revokes it
        use_all_memory.apply_async(countdown=5)  # a killed process loses events that it has not delivered yet
