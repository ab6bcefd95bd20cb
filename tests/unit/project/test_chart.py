"""Tests that the Helm chart renders the resources described in docs/operate/kubernetes.md, and rejects values that
cannot work.
"""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Iterator
from functools import lru_cache
from math import ceil
from pathlib import Path
from typing import Any

import pytest
import yaml
from tools import KubernetesSchemas, built, helm

from auditlane.runtime import settings
from auditlane.store.preflight import WINDOW_SECONDS
from auditlane.worker.service import parts_per_second

ROOT = Path(__file__).parents[3]
CHART = ROOT / "deploy" / "helm" / "auditlane"
CASES = ("minimal", "production", "everything")
CUSTOM = {"ScaledObject", "PodMonitor", "PrometheusRule"}  # kinds defined by operators
Manifest = dict[str, Any]
every_case = pytest.mark.parametrize("case", CASES)


def run(*arguments: str, values: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([helm(), *arguments], input=values, capture_output=True, text=True, check=False)


@lru_cache(maxsize=64)
def _rendered(case: str, values: str) -> tuple[int, str, str]:
    given = ["--values", str(CHART / "ci" / f"{case}-values.yaml"), "--values", "-"]
    done = run("template", "audit", str(CHART), *given, values=values)
    return done.returncode, done.stdout, done.stderr


def render(case: str = "minimal", **values: Any) -> list[Manifest]:
    """Return the manifests for a values file in `ci` and these additional values."""
    code, out, error = _rendered(case, json.dumps(values))
    assert code == 0, error
    return [one for one in yaml.safe_load_all(out) if one]


def refused(case: str = "minimal", **values: Any) -> str:
    code, _, error = _rendered(case, json.dumps(values))
    assert code != 0
    return error


def find(manifests: list[Manifest], kind: str, component: str = "") -> Manifest:
    [found] = [one for one in manifests if one["kind"] == kind and (not component or _component(one) == component)]
    return found


def _component(manifest: Manifest) -> str:
    return str(manifest["metadata"].get("labels", {}).get("app.kubernetes.io/component", ""))


def pods(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    for one in manifests:
        if one["kind"] in ("Deployment", "Job"):
            yield _component(one), one["spec"]["template"]["spec"]
        elif one["kind"] == "CronJob":
            yield _component(one), one["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def container(pod: Manifest) -> Manifest:
    [found] = pod["containers"]
    return dict(found)


def env(pod: Manifest) -> dict[str, str]:
    return {one["name"]: one.get("value", "") for one in container(pod)["env"]}


@every_case
def test_lint_is_strict(case: str) -> None:
    done = run("lint", "--strict", "--values", str(CHART / "ci" / f"{case}-values.yaml"), str(CHART))
    assert done.returncode == 0, done.stdout + done.stderr


@every_case
@pytest.mark.parametrize("version", ["1.30", "1.37"])
def test_kubernetes_knows_every_field(case: str, version: str) -> None:
    schemas = KubernetesSchemas(version)
    unknown = set()
    for manifest in render(case):
        problems = schemas.problems(manifest)
        assert not problems, (manifest["kind"], manifest["metadata"]["name"], problems)
        unknown |= {manifest["kind"]} if problems is None else set()
    assert unknown <= CUSTOM


# kube-score's rules that the chart breaks on purpose; docs/operate/kubernetes.md has the reasons.
NOT_RATED = (
    "--ignore-container-cpu-limit",  # a throttled worker misses its polls
    "--ignore-test=container-image-pull-policy",  # images have a version or a digest, never `latest`
    "--ignore-test=container-ephemeral-storage-request-and-limit",  # each emptyDir has a limit of its own
)


@every_case
def test_kube_score_finds_nothing_critical(case: str, tmp_path: Path) -> None:
    # `everything` removes the user id, as OpenShift requires, which assigns one.
    also = ["--ignore-test=container-security-context-user-group-id"] if case == "everything" else []
    (tmp_path / "manifests.yaml").write_text(yaml.safe_dump_all(render(case)))
    score = [built("kube-score", "kube-score"), "score", *NOT_RATED, *also]
    command = [*score, "--output-format", "ci", str(tmp_path / "manifests.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "[OK]" in done.stdout, done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith("[CRITICAL]")] == []


def test_the_schemas_find_a_mistake() -> None:
    schemas = KubernetesSchemas("1.37")
    manifest = find(render(), "Deployment", "worker")
    manifest["spec"]["template"]["spec"]["terminationGraceSeconds"] = 3
    assert "terminationGraceSeconds" in str(schemas.problems(manifest))


def test_each_component_is_a_workload_of_its_own_with_one_process() -> None:
    manifests = render("production")
    assert {_component(one): one["kind"] for one in manifests if one["kind"] in ("Deployment", "Job", "CronJob")} == {
        "worker": "Deployment",
        "ingest": "Deployment",
        "query": "Deployment",
        "init": "Job",
        "verify": "CronJob",
    }
    assert not [one for one in manifests if one["kind"] == "StatefulSet"]
    arguments = {component: container(pod)["args"] for component, pod in pods(manifests)}
    assert arguments == {
        "worker": ["worker"],
        "ingest": ["serve", "--roles", "ingest"],
        "query": ["serve", "--roles", "query"],
        "init": ["init", "--cluster", "main"],
        "verify": ["verify", "--json"],
    }


@pytest.mark.parametrize("drain", [20, 45])
def test_pods_have_more_time_to_stop_than_the_process_takes(drain: int) -> None:
    values = {name: {"drainSeconds": drain} for name in ("worker", "ingest", "query")}
    for component, pod in pods(render(**values)):
        if component != "init":
            assert env(pod)["AUDITLANE_SHUTDOWN_TIMEOUT_S"] == str(drain)
            before = container(pod).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            assert before == (0 if component == "worker" else 5)
            assert pod["terminationGracePeriodSeconds"] >= before + drain + 10


def test_updates_replace_one_worker_at_a_time() -> None:
    manifests = render()
    worker = find(manifests, "Deployment", "worker")["spec"]
    assert worker["minReadySeconds"] == 10
    assert worker["strategy"]["rollingUpdate"] == {"maxUnavailable": 1, "maxSurge": 0}
    serve = find(manifests, "Deployment", "query")["spec"]["strategy"]["rollingUpdate"]
    assert serve == {"maxUnavailable": 0, "maxSurge": 1}


@every_case
def test_every_component_has_probes_on_its_port(case: str) -> None:
    for component, pod in pods(render(case)):
        one = container(pod)
        if component in ("init", "verify"):
            assert "livenessProbe" not in one
            continue
        [port] = one["ports"]
        assert str(port["containerPort"]) in env(pod).values()
        for name in ("startupProbe", "livenessProbe", "readinessProbe"):
            path = "/health/ready" if name == "readinessProbe" else "/health/live"
            assert one[name]["httpGet"] == {"path": path, "port": "http"}
        live = one["livenessProbe"]
        assert live["periodSeconds"] * live["failureThreshold"] == 60
        host = "SERVE_HOST" if component != "worker" else "WORKER_HOST"
        assert env(pod)[f"AUDITLANE_{host}"] in ("0.0.0.0", "::")


def test_keda_scales_by_the_lag_of_each_topic() -> None:
    scaled = find(render("production", kafka={"dedicatedTopics": ["acme"]}), "ScaledObject")["spec"]
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (2, 12)
    assert "idleReplicaCount" not in scaled
    down = scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
    assert down["stabilizationWindowSeconds"] == 900
    assert down["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 300}]
    cpu, *lag = scaled["triggers"]
    assert cpu["type"] == "cpu"
    assert [one["type"] for one in lag] == ["kafka", "kafka"]
    assert [one["metadata"]["topic"] for one in lag] == ["audit.events", "audit.events.acme"]
    for one in lag:
        metadata = one["metadata"]
        assert metadata["lagThreshold"] == "200000"
        assert metadata["excludePersistentLag"] == "true"
        assert metadata["limitToPartitionsWithLag"] == "false"
        assert metadata["offsetResetPolicy"] == "earliest"
        assert metadata["consumerGroup"] == "auditlane-worker"
        assert metadata["bootstrapServers"] == "audit-kafka-bootstrap.kafka.svc:9093"
        assert one["authenticationRef"] == {"name": "auditlane-kafka"}


@every_case
def test_a_scaled_deployment_has_one_scaler_and_no_count_of_its_own(case: str) -> None:
    manifests = render(case)
    scalers = [one["spec"]["scaleTargetRef"]["name"] for one in manifests if one["kind"] in ("HorizontalPodAutoscaler",
               "ScaledObject")]  # fmt: skip
    assert len(scalers) == len(set(scalers))
    for one in manifests:
        if one["kind"] == "Deployment":
            assert ("replicas" in one["spec"]) is (one["metadata"]["name"] not in scalers)


@pytest.mark.parametrize(
    "worker",
    [
        {"replicas": 3},
        {"replicas": 2, "autoscaling": {"mode": "hpa", "maxReplicas": 16}, "partsPerSecond": 4},
        {"autoscaling": {"mode": "keda", "maxReplicas": 7}, "latePartsPerSecond": 2},
    ],
)
def test_the_budget_of_parts_is_shared_by_the_largest_number_of_workers(
    worker: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    manifests = render(worker=worker)
    [pod] = [pod for component, pod in pods(manifests) if component == "worker"]
    most = worker.get("autoscaling", {}).get("maxReplicas") or worker["replicas"]
    given = env(pod)
    assert given["AUDITLANE_WORKER_PROCESSES_TOTAL"] == str(most)
    assert float(given["AUDITLANE_INSERT_PARTS_PER_SECOND"]) * most == pytest.approx(
        worker.get("partsPerSecond", 8), rel=0.001
    )
    _set(monkeypatch, {name: value for name, value in given.items() if "_FILE" not in name})
    needed = ceil(parts_per_second(settings.load()) * most * WINDOW_SECONDS)
    assert render(worker=worker, clickhouse={"deduplicationWindow": needed + 1})
    error = refused(worker=worker, clickhouse={"deduplicationWindow": needed - 1})
    assert "clickhouse.deduplicationWindow: the workers can create" in error


def _set(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"worker": {"replicas": 49}}, "the topic has 48 partitions"),
        ({"worker": {"autoscaling": {"mode": "keda", "maxReplicas": 49}}}, "the topic has 48 partitions"),
        ({"worker": {"partsPerSecond": 0.1}}, "worker.partsPerSecond: 0.1 for up to 2 workers"),
        ({"worker": {"autoscaling": {"mode": "hpa", "minReplicas": 9, "maxReplicas": 3}}}, "minReplicas is above"),
        ({"worker": {"autoscaling": {"mode": "keda", "minReplicas": 0}}}, "minReplicas"),
        ({"query": {"replicas": 2}}, "exports.existingClaim: 2 replicas of query share"),
        ({"exports": {"existingClaim": "a", "s3": {"url": "s3://a-b"}}}, "set either s3.url or existingClaim"),
        ({"exports": {"s3": {"url": "s3://a-b", "accessKey": "x"}}}, "accessKey and existingSecret belong together"),
        ({"exports": {"s3": {"url": "https://a-b"}}}, "exports/s3/url"),
        ({"settings": {"EXPORT_S3_SECRET_KEY": "x"}}, "settings: EXPORT_S3_SECRET_KEY is a secret"),
        ({"query": {"url": ""}}, "query.url: set the public https:// URL"),
        ({"query": {"url": "http://audit.example.com"}}, "query/url"),
        ({"kafka": {"extra": {"sasl.password": "x"}}}, "kafka.extra: sasl.password is a secret"),
        ({"kafka": {"extra": {"a": "b"}, "existingSecret": "x"}}, "set either extra or existingSecret"),
        ({"kafka": {"bootstrap": "kafka"}}, "kafka/bootstrap"),
        ({"kafka": {"rack": "a", "rackFromPodLabel": "b"}}, "set either rack or rackFromPodLabel"),
        ({"kafka": {"retentionHours": 24}}, "retentionHours"),
        ({"registry": {"passwordKey": "x"}}, "registry.existingSecret: passwordKey or tokenKey is set"),
        ({"registry": {"existingSecret": "x"}}, "neither passwordKey nor tokenKey"),
        ({"registry": {"existingSecret": "x", "passwordKey": "a", "tokenKey": "b"}}, "either passwordKey or tokenKey"),
        ({"registry": {"url": "http://user:password@registry"}}, "registry/url"),
        ({"clickhouse": {"serverUrls": ["http://a:8123"]}}, "clickhouse.cluster"),
        ({"clickhouse": {"password": "x"}}, "password"),
        ({"keys": {"existingSecret": ""}}, "keys/existingSecret"),
        ({"podMonitor": {"enabled": True}}, "networkPolicy.monitoring: podMonitor is enabled"),
        ({"ingest": {"ingress": {"enabled": True}}}, "ingest.ingress.host: is required"),
        (
            {name: {"ingress": {"enabled": True, "host": "a.example"}} for name in ("ingest", "query")},
            "ingest.ingress.host: must differ",
        ),
        (
            {"worker": {"extraEnv": [{"name": "AUDITLANE_CLICKHOUSE_PASSWORD", "value": "x"}]}},
            "AUDITLANE_CLICKHOUSE_PASSWORD is a secret",
        ),
        (
            {"worker": {"extraEnv": [{"name": "AUDITLANE_WORKER_PROCESSES_TOTAL", "value": "1"}]}},
            "follows from other values",
        ),
        ({"settings": {"REGISTRY_TOKEN": "x"}}, "settings: REGISTRY_TOKEN is a secret"),
        ({"settings": {"SHUTDOWN_TIMEOUT_S": 5}}, "follows from other values"),
        ({"settings": {"oidc_issuer": "https://a"}}, "oidc_issuer"),
        ({"wroker": {}}, "wroker"),
    ],
)
def test_values_that_cannot_work_are_refused_with_a_sentence(values: dict[str, Any], words: str) -> None:
    error = refused(**values)
    assert words in error.replace(".", "/") or words in error, error


def test_required_values_are_named() -> None:
    done = run("template", "audit", str(CHART))
    assert done.returncode != 0
    for name in ("kafka", "registry", "clickhouse", "keys"):
        assert f"/{name}" in done.stderr, name


@every_case
def test_helm_test_runs_the_doctor_as_each_component(case: str) -> None:
    manifests = render(case)
    tests = {one["metadata"]["name"]: one for one in manifests if one["kind"] == "Pod"}
    assert {name.partition("-test-")[2] for name in tests} == {"ingest", "init", "query", "worker"}
    workloads = dict(pods(manifests))
    for name, one in tests.items():
        component, pod = name.rpartition("-")[2], one["spec"]
        assert one["metadata"]["annotations"]["helm.sh/hook"] == "test"
        account = component if component in ("init", "worker") else "serve"
        assert container(pod)["args"] == ["doctor", "--component", account]
        several = {"AUDITLANE_CLICKHOUSE_URL"} if component == "init" else set()  # `init` runs once for each server
        assert env(pod).keys() == env(workloads[component]).keys()
        assert {key for key, value in env(pod).items() if env(workloads[component])[key] != value} <= several
        assert container(pod)["securityContext"] == container(workloads[component])["securityContext"]
        assert container(pod)["volumeMounts"] == container(workloads[component])["volumeMounts"]
        assert pod["securityContext"] == workloads[component]["securityContext"]
        assert not [volume for volume in pod["volumes"] if "persistentVolumeClaim" in volume]


@every_case
def test_memory_is_limited_and_cpu_is_not(case: str) -> None:
    for _, pod in pods(render(case)):
        resources = container(pod)["resources"]
        assert set(resources["limits"]) == {"memory"}
        assert set(resources["requests"]) == {"cpu", "memory"}


@every_case
def test_pods_meet_the_restricted_standard(case: str) -> None:
    for component, pod in pods(render(case)):
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False  # AUDITLANE_WORKER_PORT would be a URL
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        if case != "everything":
            assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == 10001
        assert container(pod)["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & pod.keys(), component
        assert not [one for one in pod["volumes"] if "hostPath" in one]


@every_case
def test_every_workload_survives_a_drain(case: str) -> None:
    manifests = render(case)
    for component in ("worker", "ingest", "query"):
        budget = find(manifests, "PodDisruptionBudget", component)["spec"]
        deployment = find(manifests, "Deployment", component)["spec"]
        assert budget["maxUnavailable"] == 1
        assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
        assert budget["selector"] == deployment["selector"]
        spread = deployment["template"]["spec"]["topologySpreadConstraints"]
        assert [one["topologyKey"] for one in spread] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
        assert {one["whenUnsatisfiable"] for one in spread} == {"ScheduleAnyway"}


def test_the_network_is_closed_except_for_what_is_listed() -> None:
    manifests = render("production")
    policies = {_component(one): one["spec"] for one in manifests if one["kind"] == "NetworkPolicy"}
    deny = policies[""]
    assert deny["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in deny
    assert deny["podSelector"]["matchLabels"] == {
        "app.kubernetes.io/name": "auditlane",
        "app.kubernetes.io/instance": "audit",
    }
    ports = [port["port"] for rule in deny["egress"] for port in rule["ports"]]
    assert ports == [53, 53, 9093, 8081, 8443, 443]  # the last one is the bucket's
    peers = {name: len(spec["ingress"][0]["from"]) for name, spec in policies.items() if name}
    assert peers == {"worker": 1, "ingest": 2, "query": 2}
    everything = render("everything")
    [deny] = [one["spec"] for one in everything if one["kind"] == "NetworkPolicy" and not _component(one)]
    ports = [port["port"] for rule in deny["egress"] for port in rule["ports"]]
    assert ports == [53, 53, 9092, 9094, 19092, 8081, 8123, 8443, 4318]
    assert not [one for one in render(networkPolicy={"enabled": False}) if one["kind"] == "NetworkPolicy"]


@every_case
def test_secrets_are_files_of_existing_secrets_mounted_as_folders(case: str) -> None:
    manifests = render(case)
    assert not [one for one in manifests if one["kind"] == "Secret"]
    assert [one["metadata"]["name"] for one in manifests if one["kind"] == "ConfigMap"] == (
        ["audit-extra"] if case == "everything" else []
    )
    for component, pod in pods(manifests):
        assert "subPath" not in json.dumps(pod)
        assert not [name for name in env(pod) if name.endswith(("_PASSWORD", "_TOKEN"))]
        mounted = {one["name"]: one["mountPath"] for one in container(pod)["volumeMounts"]}
        secrets = {one["name"]: one["secret"] for one in pod["volumes"] if "secret" in one}
        assert {one["defaultMode"] for one in secrets.values()} == {0o440}
        for name, value in env(pod).items():
            if name.endswith("_FILE"):
                folder, _, file = value.rpartition("/")
                [volume] = [name for name, path in mounted.items() if path == folder]
                assert file in [item["path"] for item in secrets[volume]["items"]], (component, name)
        if component in ("worker", "init", "verify"):
            assert len(secrets["keys"]["items"]) == 1, "only serve needs the keys of clients and tokens"


def test_each_component_has_an_account_of_its_own() -> None:
    for component, pod in pods(render("production")):
        account = {"ingest": "serve", "query": "serve", "verify": "init"}.get(component, component)
        assert env(pod)["AUDITLANE_CLICKHOUSE_USER"] == f"auditlane-{account}"
        keys = {one["name"]: one["secret"]["items"][0]["key"] for one in pod["volumes"] if "secret" in one}
        assert (keys["clickhouse"], keys["kafka"]) == (f"{account}-password", f"{account}.json")


@every_case
def test_every_variable_is_a_setting_and_the_process_accepts_them(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {settings.variable(name) for name in settings.Settings.model_fields}
    known |= {settings.variable(name) + "_FILE" for name in settings.SECRETS}
    for component, pod in pods(render(case)):
        with monkeypatch.context() as patch:
            for name, value in env(pod).items():
                assert name in known or name == "HOME", name
                if value.startswith(("/etc/auditlane/ca", "/run/secrets")):
                    value = str(tmp_path / value.replace("/", "-"))
                    Path(value).write_text('{"security.protocol": "SSL"}' if name.endswith("EXTRA_FILE") else "secret")
                patch.setenv(name, value)
            read = settings.load()
            assert read.worker_processes_total >= 1
            if component == "query" and case == "production":
                assert read.query_max_rows_read == 1_000_000_000


def test_one_replica_may_keep_exports_in_a_temporary_folder() -> None:
    def volume(manifests: list[Manifest]) -> Manifest:
        [pod] = [pod for component, pod in pods(manifests) if component == "query"]
        [found] = [one for one in pod["volumes"] if one["name"] == "exports"]
        return dict(found)

    assert volume(render()) == {"name": "exports", "emptyDir": {"sizeLimit": "10Gi"}}
    assert volume(render("everything"))["persistentVolumeClaim"] == {"claimName": "exports"}


def test_exports_in_a_bucket_need_no_volume() -> None:
    def query(**s3: str) -> Manifest:
        bucket = {"url": "s3://audit/exports", "accessKey": "", "existingSecret": "", **s3}
        manifests = render("production", exports={"s3": bucket})
        [found] = [pod for component, pod in pods(manifests) if component == "query"]
        return found

    pod = query(endpoint="https://storage.example:9000", region="eu")
    assert env(pod)["AUDITLANE_EXPORT_URL"] == "s3://audit/exports"
    assert "AUDITLANE_EXPORT_DIR" not in env(pod)
    assert not [one for one in pod["volumes"] if one["name"] == "exports"]
    pod = query(accessKey="id", existingSecret="bucket")
    assert env(pod)["AUDITLANE_EXPORT_S3_ACCESS_KEY"] == "id"
    [volume] = [one for one in pod["volumes"] if one["name"] == "exports"]
    assert volume["secret"]["items"] == [{"key": "secret-key", "path": "secret-key"}]
    [mount] = [one for one in container(pod)["volumeMounts"] if one["name"] == "exports"]
    assert env(pod)["AUDITLANE_EXPORT_S3_SECRET_KEY_FILE"] == mount["mountPath"] + "/secret-key"
    manifests = render("production", exports={"s3": {"endpoint": "http://s:9"}})
    [deny] = [one["spec"] for one in manifests if one["kind"] == "NetworkPolicy" and not _component(one)]
    assert 9 in [port["port"] for rule in deny["egress"] for port in rule["ports"]]


def test_the_spool_of_ingest_has_a_volume_if_it_has_a_size() -> None:
    def found(**values: Any) -> tuple[list[Any], dict[str, str]]:
        [pod] = [pod for component, pod in pods(render(**values)) if component == "ingest"]
        return [one for one in pod["volumes"] if one["name"] == "spool"], env(pod)

    volumes, variables = found()
    assert (volumes, "AUDITLANE_INGEST_SPOOL_BYTES" in variables) == ([], False)
    volumes, variables = found(ingest={"spool": {"bytes": 1 << 31, "sizeLimit": "3Gi"}})
    assert volumes == [{"name": "spool", "emptyDir": {"sizeLimit": "3Gi"}}]
    assert variables["AUDITLANE_INGEST_SPOOL_BYTES"] == str(1 << 31)
    assert variables["AUDITLANE_INGEST_SPOOL_DIR"] == "/var/lib/auditlane/spool"


def test_init_is_a_job_of_its_own_for_each_change() -> None:
    def name(case: str = "minimal", **values: Any) -> str:
        return str(find(render(case, **values), "Job")["metadata"]["name"])

    assert name() == name(query={"drainSeconds": 30})
    assert len({name(), name(image={"tag": "2"}), name(kafka={"partitions": 96}), name(init={"strict": True})}) == 4
    assert "annotations" not in find(render(), "Job")["metadata"]
    assert find(render(init={"hook": True}), "Job")["metadata"]["annotations"]["helm.sh/hook"] == (
        "pre-install,pre-upgrade"
    )
    jobs = [one for one in render("everything") if one["kind"] == "Job"]
    assert len({one["metadata"]["name"] for one in jobs}) == 3
    given = [container(one["spec"]["template"]["spec"]) for one in jobs]
    assert [one["args"] for one in given] == [["init", "--cluster", "main", "--strict"]] * 3
    urls = {entry["value"] for one in given for entry in one["env"] if entry["name"] == "AUDITLANE_CLICKHOUSE_URL"}
    assert urls == {"http://shard-0:8123", "http://shard-1:8123", "http://shard-2:8123"}


def test_a_worker_waits_for_the_tables_itself() -> None:
    [pod] = [pod for component, pod in pods(render()) if component == "worker"]
    assert float(env(pod)["AUDITLANE_WAIT_FOR_STORE_S"]) >= 600


def test_the_zone_of_a_pod_is_its_rack() -> None:
    for _, pod in pods(render("production")):
        [rack] = [one for one in container(pod)["env"] if one["name"] == "AUDITLANE_KAFKA_RACK"]
        assert rack["valueFrom"]["fieldRef"] == {"fieldPath": "metadata.labels['topology.kubernetes.io/zone']"}


def test_prometheus_gets_the_rules_and_job_names_of_deploy_observe() -> None:
    manifests = render("production")
    rules = {one["metadata"]["name"]: one["spec"] for one in manifests if one["kind"] == "PrometheusRule"}
    [[verify]] = [[rule for group in rules.pop("audit-auditlane-verify")["groups"] for rule in group["rules"]]]
    files = {path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / "deploy/observe/rules").glob("*.yaml")}
    integrity = files.pop("integrity")  # no exporter reads the file of metrics that they need
    assert rules == {f"audit-auditlane-{name}": spec for name, spec in files.items()}
    assert verify["alert"] in {rule["alert"] for group in integrity["groups"] for rule in group["rules"]}
    name = find(manifests, "CronJob")["metadata"]["name"]
    assert verify["expr"].count(f'{{namespace="default", cronjob="{name}"}}') == 2
    without = render("production", verify={"enabled": False})
    assert "audit-auditlane-verify" not in {one["metadata"]["name"] for one in without}
    jobs = {
        relabelling["replacement"]
        for one in manifests
        if one["kind"] == "PodMonitor"
        for endpoint in one["spec"]["podMetricsEndpoints"]
        for relabelling in endpoint["relabelings"]
    }
    example = yaml.safe_load((ROOT / "deploy/observe/prometheus.yml").read_text())["scrape_configs"]
    assert jobs <= {one["job_name"] for one in example}


def test_images_and_extra_objects() -> None:
    images = {component: container(pod)["image"] for component, pod in pods(render("everything"))}
    assert images["ingest"] == "images.example/audit/serve:1.2.3"
    assert images["worker"].startswith("images.example/audit/worker@sha256:")
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == chart["version"] == version
    assert container(next(pod for _, pod in pods(render())))["image"].endswith(f":{version}")


def test_the_notes_name_the_next_command() -> None:
    values = ["--values", str(CHART / "ci" / "minimal-values.yaml")]
    done = run("install", "audit", str(CHART), "--dry-run=client", *values)
    if done.returncode:
        assert "Kubernetes cluster unreachable" in done.stderr, done.stderr
        pytest.skip("this Helm prints the notes only with a cluster")
    notes = done.stdout.partition("NOTES:")[2]
    assert "kubectl --namespace default logs" in notes
    assert "helm test audit --namespace default" in notes
