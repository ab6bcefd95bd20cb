"""The outbox table as a Django model, with the same columns as `auditlane.outbox.sqlalchemy.outbox_table`."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.db import models

from auditlane.outbox.rows import ID_LENGTH, KEY_LENGTH, TABLE, TOPIC_LENGTH


class OutboxEvent(models.Model):
    """An event emitted in a committed transaction that the relay has not sent yet."""

    seq: models.BigAutoField[int, int] = models.BigAutoField(primary_key=True)
    id: models.CharField[str, str] = models.CharField(max_length=ID_LENGTH)
    aggregatetype: models.CharField[str, str] = models.CharField(max_length=TOPIC_LENGTH)
    aggregateid: models.CharField[str, str] = models.CharField(max_length=KEY_LENGTH)
    payload: models.BinaryField[bytes | None, bytes | None] = models.BinaryField(null=True)
    event: models.TextField[str | None, str | None] = models.TextField(null=True)
    bucket: models.SmallIntegerField[int, int] = models.SmallIntegerField()
    created_at: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    problem: models.TextField[str | None, str | None] = models.TextField(null=True)

    class Meta:
        app_label = "auditlane_outbox"
        db_table = TABLE
        ordering: ClassVar[list[str]] = ["seq"]

    def __str__(self) -> str:
        return f"{self.aggregateid} {self.id}"
