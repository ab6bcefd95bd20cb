"""Tests the compose file. Every variable and command in it exists, versions are pinned, and containers are confined."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from fixtures import containers
from tools import wheel

from auditlane.cli import app as cli
from auditlane.cli.subcommands import find
from auditlane.runtime import settings

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deploy" / "compose"
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: one for name, one in SERVICES.items() if one["image"].startswith("auditlane-")}
OBSERVE = {"prometheus", "alertmanager", "grafana"}
# Accepted findings of compose-lint, which ClickHouse's program requires.
ACCEPTED = {("clickhouse", "CL-0011"), ("clickhouse", "CL-0029")}
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def interpolated(text: str) -> str:
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def test_the_parts_and_the_profile_are_there() -> None:
    assert set(OURS) == {"keys", "init", "worker", "ingest", "query"}
    assert set(SERVICES) == set(OURS) | {"kafka", "registry", "clickhouse"} | OBSERVE
    assert {name for name, one in SERVICES.items() if "observe" in one.get("profiles", ())} == OBSERVE


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_variable_is_a_setting_and_the_process_accepts_them(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {settings.variable(field) for field in settings.Settings.model_fields}
    known |= {settings.variable(field) + "_FILE" for field in settings.SECRETS}
    (tmp_path / "secret").write_text("secret")
    for variable, value in OURS[name]["environment"].items():
        assert variable in known
        secret = value.startswith("/run/secrets/")
        monkeypatch.setenv(variable, str(tmp_path / "secret") if secret else interpolated(value))
        assert not secret or value.removeprefix("/run/secrets/") in OURS[name]["secrets"]
    read = settings.load()
    assert read.clickhouse_password.get_secret_value() == "secret"
    assert read.worker_processes_total == 1


@pytest.mark.parametrize("name", sorted(OURS))
def test_commands_and_their_options_exist(name: str) -> None:
    first, *rest = OURS[name]["command"]
    subcommand = find(first)
    assert subcommand
    command: Any = cli.load(subcommand)
    while children := getattr(command, "commands", None):
        command, rest = children[rest[0]], rest[1:]
    _, surplus, _ = command.make_parser(typer.Context(command, info_name=first)).parse_args(args=list(rest))
    assert not surplus
    extra = "serve" if "serve" in OURS[name]["image"] else "worker"
    assert extra in subcommand.extra


def test_versions_are_pinned_and_come_from_no_named_host() -> None:
    for name, one in SERVICES.items():
        image, _, tag = interpolated(one["image"]).partition(":")
        assert re.fullmatch(r"v?\d+(\.\d+)+", tag), name
        assert "." not in image.partition("/")[0], name
    assert {interpolated(one["image"]).partition(":")[2] for one in OURS.values()} == {VERSION}
    assert SERVICES["kafka"]["image"] == containers.KAFKA_IMAGE
    assert SERVICES["clickhouse"]["image"] == containers.CLICKHOUSE_IMAGE
    assert SERVICES["registry"]["image"] == containers.REGISTRY_IMAGE


def test_ports_are_published_on_this_machine_only_and_once() -> None:
    published = [port for one in SERVICES.values() for port in one.get("ports", ())]
    assert all(port.startswith("127.0.0.1:") for port in published)
    hosts = [port.split(":")[1] for port in published]
    assert len(hosts) == len(set(hosts))
    # The inner network has no route to the outside, so a published port requires the other network.
    for one in SERVICES.values():
        assert "ports" not in one or "edge" in one["networks"]
    assert COMPOSE["networks"]["parts"] == {"internal": True}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_containers_are_confined(name: str) -> None:
    one = SERVICES[name]
    assert one["cap_drop"] == ["ALL"]
    assert one["security_opt"] == ["no-new-privileges:true"]
    assert one["mem_limit"]
    assert one["logging"]["options"]["max-size"]
    if name in OURS | dict.fromkeys(OBSERVE):
        assert one["read_only"] is True


def test_volumes_networks_secrets_and_dependencies_exist() -> None:
    for name, one in SERVICES.items():
        for volume in one.get("volumes", ()):
            source, _, target = volume.partition(":")
            if source.startswith("."):
                assert (FOLDER / source).exists(), volume
                assert target.endswith(":ro"), volume
            else:
                assert source in COMPOSE["volumes"]
        assert set(one.get("networks", ())) <= set(COMPOSE["networks"]), name
        assert set(one.get("secrets", ())) <= set(COMPOSE["secrets"]), name
        for other, condition in one.get("depends_on", {}).items():
            expected = "service_completed_successfully" if other == "keys" else "service_healthy"
            assert condition == {"condition": expected}, name
            assert expected != "service_healthy" or "healthcheck" in SERVICES[other]
    assert "init" not in [other for one in SERVICES.values() for other in one.get("depends_on", {})]


def test_only_query_changes_the_files_of_keys_and_the_worker_stops_in_time() -> None:
    writes = [name for name, one in OURS.items() if "keys:/etc/auditlane/keys" in one["volumes"]]
    assert writes == ["keys", "query"]
    drain = settings.Settings.model_fields["shutdown_timeout_s"].default
    for name in ("worker", "ingest", "query"):
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) >= drain + 10


def test_init_names_a_cluster_that_the_server_has() -> None:
    command = OURS["init"]["command"]
    cluster = command[command.index("--cluster") + 1]
    config = (FOLDER / "clickhouse" / "keeper.xml").read_text()
    assert f"<{cluster}>" in config.partition("<remote_servers>")[2]
    for name in ("keeper_server", "zookeeper", "shard", "replica"):
        assert f"<{name}>" in config


def test_prometheus_scrapes_with_the_job_names_that_the_rules_expect() -> None:
    example = yaml.safe_load((ROOT / "deploy/observe/prometheus.yml").read_text())
    own = yaml.safe_load((FOLDER / "observe/prometheus.yml").read_text())
    assert {one["job_name"] for one in own["scrape_configs"]} <= {one["job_name"] for one in example["scrape_configs"]}
    assert own["rule_files"] == example["rule_files"]
    targets = [target for one in own["scrape_configs"] for group in one.get("static_configs", ())
               for target in group["targets"]]  # fmt: skip
    names = {target.partition(":")[0] for target in targets}
    names |= {
        name for one in own["scrape_configs"] for group in one.get("dns_sd_configs", ()) for name in group["names"]
    }
    assert names == {"worker", "ingest", "query"}


def test_compose_lint_finds_nothing_severe() -> None:
    with wheel("compose-lint") as found:
        path = str(found.filename)
    command = [sys.executable, "-m", "compose_lint", "check", "--format", "json", str(FOLDER / "compose.yaml")]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": path}, cwd=FOLDER, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    findings = [one for report in _reports(json.loads(done.stdout)) for one in report]
    assert findings
    severe = {(one["service"], one["rule_id"]) for one in findings if one["severity"].lower() in ("high", "critical")}
    assert severe <= ACCEPTED


def _reports(document: Any) -> list[list[dict[str, Any]]]:
    return [document["findings"]] if "findings" in document else [one["findings"] for one in document["files"]]


def test_the_script_passes_on_what_it_documents() -> None:
    script = (FOLDER / "up.sh").read_text()
    assert subprocess.run(["sh", "-n", str(FOLDER / "up.sh")], check=False).returncode == 0
    for name in COMPOSE["secrets"]:
        assert COMPOSE["secrets"][name]["file"] == f"./secrets/{name}"
        assert name in script
    [line] = [line for line in script.splitlines() if "auditlane keys create" in line]
    words = shlex.split(shlex.split(line)[1])
    assert words[words.index("auditlane") + 1] == "keys"
