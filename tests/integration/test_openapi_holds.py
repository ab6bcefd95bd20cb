"""Tests the running service against its OpenAPI document, from which schemathesis derives valid and invalid
requests.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from querying import event, store
from serving import Served

from auditlane.contract import subjects, topics
from auditlane.contract.registry_client import registry_client
from auditlane.runtime.settings import load

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_headers_conformance,response_schema_conformance,missing_required_header"
)
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "3")


@pytest.fixture(scope="module")
def served(clickhouse, kafka, registry, tmp_path_factory) -> Iterator[Served]:
    with store(clickhouse) as table:
        table.add([event(number, metadata={"region": "eu"}, fields={"total": "3"}) for number in range(50)])
        settings = load(kafka_bootstrap=kafka, registry_url=registry, topic=f"{table.database}.events",
                        dead_letter_topic=f"{table.database}.dead")  # fmt: skip
        topics.ensure(settings)
        contracts = registry_client(settings)
        subjects.ensure_base_subject(contracts, settings.topic)
        contracts.close()
        all_settings = settings.model_dump(exclude_unset=True) | {
            "clickhouse_url": clickhouse,
            "clickhouse_database": table.database,
            "export_dir": tmp_path_factory.mktemp("exports"),
        }
        with Served(tmp_path_factory.mktemp("openapi"), **all_settings) as served:
            yield served


@pytest.mark.parametrize(
    ("who", "phases", "examples"),
    [
        pytest.param("nobody", "fuzzing", "1", marks=pytest.mark.long),
        ("a viewer", "fuzzing", "1"),
        pytest.param("a client of the environment", "fuzzing", "1", marks=pytest.mark.long),
        pytest.param("a client of the environment", "coverage,fuzzing", EXAMPLES, marks=pytest.mark.long),
    ],
)
def test_responses_match_the_document(served, tmp_path, who, phases, examples):
    headers = {
        "nobody": [],
        "a viewer": [f"Authorization: Bearer {served.viewer_token('acme')}"],
        "a client of the environment": [
            f"Authorization: Bearer {served.client_token('admin')}",
            "Auditlane-Tenant: acme",
        ],
    }[who]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{served.url}/openapi.json"),
            *("--checks", CHECKS, "--phases", phases, "--max-examples", examples, "--seed", "1"),
            *("--no-shrink", "--continue-on-failure"),
            *("--exclude-path", "/v1/events/stream"),  # the stream never ends, and has separate tests
            *("--request-timeout", "30", "--suppress-health-check", "all", "--warnings", "off", "--no-color"),
            *(part for header in headers for part in ("--header", header)),
        ],
        cwd=tmp_path,
        env=dict(os.environ)
        | {"SCHEMATHESIS_HOOKS": "openapi_bodies", "PYTHONPATH": str(Path(__file__).parents[1] / "support")},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
