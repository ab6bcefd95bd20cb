"""Tests the deployments without the chart: plain manifests, systemd units, and examples for operators.

The examples were checked by hand against the operators' definitions. These tests compare them with the code.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tools import KubernetesSchemas, helm

from auditlane.contract import acls, topics
from auditlane.runtime import settings
from auditlane.runtime.settings import load
from auditlane.store import roles

DEPLOY = Path(__file__).parents[3] / "deploy"
EXAMPLES, SYSTEMD, MANIFESTS = DEPLOY / "examples", DEPLOY / "systemd", DEPLOY / "manifests"
COMPONENTS = {"init": "init", "worker": "worker", "serve": "query"}  # with their ClickHouse roles
NAMES = {"topic": "audit.events", "dead_letters": "audit.dead-letters", "group": "auditlane-worker"}


def documents(name: str, kind: str) -> list[dict[str, Any]]:
    found = yaml.safe_load_all((EXAMPLES / name).read_text())
    return [one for one in found if one["kind"] == kind]


def test_the_plain_manifests_are_those_of_the_chart() -> None:
    spec = importlib.util.spec_from_file_location("render", MANIFESTS / "render.py")
    assert spec
    assert spec.loader
    render = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(render)
    written = render.OUTPUT.read_text()
    assert written == render.rendered(helm()), "run python deploy/manifests/render.py"
    assert "helm" not in written.partition("\n")[2].lower()
    schemas = KubernetesSchemas("1.37")
    for manifest in yaml.safe_load_all(written):
        assert schemas.problems(manifest) == [], manifest["metadata"]["name"]
    assert yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text())["resources"] == [render.OUTPUT.name]


def test_strimzi_makes_the_topics_and_accounts_of_auditlane() -> None:
    wanted = {topic.name: topic for topic in topics.wanted(load(topic_partitions=48, topic_replication_factor=3))}
    made = {one["metadata"]["name"]: one["spec"] for one in documents("strimzi.yaml", "KafkaTopic")}
    assert made.keys() == wanted.keys()
    for name, topic in wanted.items():
        spec = made[name]
        config = {option: str(value) for option, value in spec["config"].items()}
        assert topics.differences(topic, topics.Topic(name, spec["partitions"], spec["replicas"], config)) == []
    users = {one["metadata"]["name"]: one["spec"] for one in documents("strimzi.yaml", "KafkaUser")}
    assert users.keys() == {f"auditlane-{name}" for name in (*COMPONENTS, "producer", "keda")}
    assert {tuple(one["operations"]) for one in users["auditlane-keda"]["authorization"]["acls"]} == {("Describe",)}
    for component in (*COMPONENTS, "producer"):
        given = [
            acls.Allowed(
                one["resource"]["type"],
                one["resource"].get("name", acls.CLUSTER),
                tuple(one["operations"]),
                one["resource"].get("patternType") == "prefix",
            )
            for one in users[f"auditlane-{component}"]["authorization"]["acls"]
        ]
        assert given == list(acls.allowed(component, **NAMES))


def test_the_accounts_of_clickhouse_have_the_grants_of_their_roles() -> None:
    [altinity] = documents("clickhouse-altinity.yaml", "ClickHouseInstallation")
    [official] = documents("clickhouse-official.yaml", "ClickHouseCluster")
    users = altinity["spec"]["configuration"]["users"]
    own = official["spec"]["settings"]["extraUsersConfig"]["users"]
    variables = {one["name"]: one["valueFrom"]["secretKeyRef"] for one in official["spec"]["containerTemplate"]["env"]}
    for component, role in COMPONENTS.items():
        granted = [f"GRANT {grant}" for grant in roles.grants(role, "audit")]
        name = f"auditlane-{component}"
        assert users[f"{name}/grants/query"] == granted
        assert users[f"{name}/k8s_secret_password"] == f"auditlane-clickhouse/{component}-password"
        assert [one["query"] for one in own[name]["grants"]] == granted
        secret = variables[own[name]["password"]["@from_env"]]
        assert secret == {"name": "auditlane-clickhouse", "key": f"{component}-password"}


PRODUCTION = yaml.safe_load((DEPLOY / "helm/auditlane/ci/production-values.yaml").read_text())


def test_external_secrets_make_the_secrets_that_the_chart_mounts() -> None:
    values = yaml.safe_load((DEPLOY / "helm/auditlane/values.yaml").read_text())
    found = documents("external-secrets.yaml", "ExternalSecret")
    made = {one["spec"]["target"]["name"]: one["spec"] for one in found if one["metadata"]["namespace"] == "audit"}
    [login] = documents("keda.yaml", "TriggerAuthentication")
    assert login["metadata"]["name"] == PRODUCTION["keda"]["authenticationRef"]
    [keda] = {one["name"] for one in login["spec"]["secretTargetRef"]}
    assert made[keda]["target"]["template"]["data"].keys() == {one["key"] for one in login["spec"]["secretTargetRef"]}
    parts = [PRODUCTION[part] for part in ("kafka", "registry", "clickhouse", "keys")]
    assert made.keys() == {one["existingSecret"] for one in (*parts, PRODUCTION["exports"]["s3"])} | {keda}
    template = made["auditlane-kafka"]["target"]["template"]["data"]
    assert sorted(template) == sorted(values["kafka"]["secretKeys"].values())
    for component in COMPONENTS:
        text = re.sub(r"\{\{ \.(\w+) \| toJson \}\}", r'"\1"', template[f"{component}.json"])
        options = json.loads(text)
        assert (options["sasl.username"], options["sasl.password"]) == (f"auditlane-{component}", component)
    files = (EXAMPLES / "external-secrets.yaml").read_text()
    for name in (*values["clickhouse"]["secretKeys"].values(), *values["keys"]["files"].values()):
        assert name in files
    [role] = documents("external-secrets.yaml", "Role")
    read = {one["remoteRef"]["key"] for spec in made.values() for one in spec.get("data", [])}
    assert set(role["rules"][0]["resourceNames"]) == read


def test_the_production_values_lead_to_the_services_of_the_examples() -> None:
    [kafka] = documents("strimzi.yaml", "Kafka")
    name, namespace = kafka["metadata"]["name"], kafka["metadata"]["namespace"]
    [listener] = kafka["spec"]["kafka"]["listeners"]
    bootstrap = f"{name}-kafka-bootstrap.{namespace}.svc:{listener['port']}"
    assert PRODUCTION["kafka"]["bootstrap"] == bootstrap
    certified = {one["spec"]["secretName"]: one["spec"] for one in documents("cert-manager.yaml", "Certificate")}
    [deployment] = documents("registry.yaml", "Deployment")
    [service] = documents("registry.yaml", "Service")
    [user] = documents("registry.yaml", "KafkaUser")
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    variables = {one["name"]: one.get("value") for one in container["env"]}
    assert variables["KARAPACE_BOOTSTRAP_URI"] == bootstrap
    assert variables["KARAPACE_SASL_PLAIN_USERNAME"] == user["metadata"]["name"]
    [port] = service["spec"]["ports"]
    assert port["port"] == container["ports"][0]["containerPort"]  # else, the network policy would not admit it
    host = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc"
    assert PRODUCTION["registry"]["url"] == f"https://{host}:{port['port']}"
    assert certified["registry-tls"]["dnsNames"] == [host]
    for manifest in (deployment, service):
        assert KubernetesSchemas("1.37").problems(manifest) == []
    [altinity] = documents("clickhouse-altinity.yaml", "ClickHouseInstallation")
    own = altinity["metadata"]["name"]
    [cluster] = altinity["spec"]["configuration"]["clusters"]
    replicas = range(cluster["layout"]["replicasCount"])
    hosts = [f"chi-{own}-{cluster['name']}-0-{replica}.clickhouse.svc.cluster.local" for replica in replicas]
    assert PRODUCTION["clickhouse"]["cluster"] == cluster["name"]
    assert PRODUCTION["clickhouse"]["serverUrls"] == [f"https://{host}:8443" for host in hosts]
    assert PRODUCTION["clickhouse"]["url"] == f"https://clickhouse-{own}.clickhouse.svc:8443"
    names = certified["clickhouse-tls"]["dnsNames"]
    assert {f"clickhouse-{own}.clickhouse.svc", "*.clickhouse.svc.cluster.local"} <= set(names)
    for role in ("ingest", "query"):
        ingress = PRODUCTION[role]["ingress"]
        assert certified[ingress["tlsSecret"]]["dnsNames"] == [ingress["host"]]


def environment(unit: Path, tmp_path: Path) -> dict[str, str]:
    """Return the variables that a unit sets, with files in place of its credentials."""
    text = unit.read_text()
    found: dict[str, str] = {}
    for name in re.findall(r"^EnvironmentFile=/etc/auditlane/(\S+)$", text, re.MULTILINE):
        for role in ("query", "ingest") if "%i" in name else ("",):
            lines = (SYSTEMD / name.replace("%i", role)).read_text().splitlines()
            found |= dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    found |= dict(re.findall(r"^Environment=(\w+)=(.*)$", text, re.MULTILINE))
    credentials = re.findall(r"^LoadCredential=([\w-]+):", text, re.MULTILINE)
    for name, value in found.items():
        if value.startswith("%d/"):
            assert value.removeprefix("%d/") in credentials, name
            path = tmp_path / value.removeprefix("%d/")
            path.write_text('{"sasl.username": "x"}' if name.endswith("EXTRA_FILE") else "secret")
            found[name] = str(path)
    return {name: value.replace("%i", "1") for name, value in found.items()}


UNITS = sorted(SYSTEMD.glob("*.service"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_the_variables_of_a_unit_are_settings(unit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {settings.variable(name) for name in settings.Settings.model_fields}
    known |= {settings.variable(name) + "_FILE" for name in settings.SECRETS}
    variables = environment(unit, tmp_path)
    assert variables.keys() <= known
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    read = load()
    text = unit.read_text()
    if "oneshot" not in text:
        stop = re.search(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)
        assert stop
        assert int(stop[1]) >= read.shutdown_timeout_s + 10


def test_systemd_accepts_the_units_and_finds_little_exposure(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is missing: install systemd")
    made = []
    for unit in UNITS:
        text = unit.read_text().replace("/opt/auditlane/bin/auditlane", shutil.which("true") or "/bin/true")
        (tmp_path / unit.name).write_text(text)
        made.append(tmp_path / unit.name.replace("@.", "@1."))
        made[-1].write_text(text)
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, made)], capture_output=True, text=True, check=False
    )
    if "Failed to" in verified.stderr and "bus" in verified.stderr:
        pytest.skip(f"systemd-analyze needs a message bus: {verified.stderr}")
    assert (verified.returncode, verified.stderr) == (0, "")
    for unit in made:
        command = ["systemd-analyze", "security", "--offline=yes", "--threshold=20", "--no-pager", str(unit)]
        judged = subprocess.run(command, capture_output=True, text=True, check=False)
        assert judged.returncode == 0, judged.stdout[-300:] + judged.stderr
