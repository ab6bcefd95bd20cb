"""Tests each cell of the permissions table on real services. Callers are admitted wherever the table admits them, and
nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from matrix import LET_IN, OURS, Matrix, is_answer, role_of_nobody
from querying import event, store
from serving import Served

from auditlane.contract import subjects, topics
from auditlane.contract.registry_client import registry_client
from auditlane.runtime.settings import load
from auditlane.server.auth.route_permissions import Whose


@pytest.fixture(scope="module")
def matrix(clickhouse, kafka, registry, tmp_path_factory) -> Iterator[Matrix]:
    with role_of_nobody(), store(clickhouse) as table:
        table.add([event(number, OURS) for number in range(20)])
        settings = load(kafka_bootstrap=kafka, registry_url=registry, topic=f"{table.database}.events",
                        dead_letter_topic=f"{table.database}.dead")  # fmt: skip
        topics.ensure(settings)
        contracts = registry_client(settings)
        subjects.ensure_base_subject(contracts, settings.topic)
        contracts.close()
        all_settings = settings.model_dump(exclude_unset=True) | {
            "clickhouse_url": clickhouse,
            "clickhouse_database": table.database,
            "frame_ancestors": "https://app.example",
            "test_events_per_minute": 1_000,
        }
        with Served(tmp_path_factory.mktemp("matrix"), **all_settings) as served:
            yield Matrix(served)


@pytest.mark.parametrize("whose", Whose)
def test_every_principal_in_the_matrix_is_admitted(matrix: Matrix, whose: Whose) -> None:
    count, wrong = 0, []
    for right, credential, expected in matrix.cells():
        if right.whose is whose and expected == LET_IN:
            count += 1
            status, code = matrix.send(right, credential)
            if not is_answer(status, code, expected):
                wrong.append(f"{right}, {credential}: {status} {code}")
    assert wrong == []
    assert count or whose in (Whose.key, Whose.code)
