"""Creates the outbox table."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="OutboxEvent",
            fields=[
                ("seq", models.BigAutoField(primary_key=True, serialize=False)),
                ("id", models.CharField(max_length=36)),
                ("aggregatetype", models.CharField(max_length=249)),
                ("aggregateid", models.CharField(max_length=120)),
                ("payload", models.BinaryField(null=True)),
                ("event", models.TextField(null=True)),
                ("bucket", models.SmallIntegerField()),
                ("created_at", models.DateTimeField()),
                ("problem", models.TextField(null=True)),
            ],
            options={"db_table": "auditlane_outbox", "ordering": ["seq"]},
        ),
    ]
