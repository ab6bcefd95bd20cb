"""Tests that a Kubernetes API server admits what the Helm chart renders, in a namespace that enforces the pod security
standard `restricted`: `make envtest`.
"""

from __future__ import annotations

import copy
import itertools
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from fixtures.kubernetes import Kubernetes, documents
from tools import helm

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "auditlane"
CASES = sorted(path.name.removesuffix("-values.yaml") for path in (CHART / "ci").glob("*.yaml"))
Manifest = dict[str, Any]
pytestmark = pytest.mark.long
KNOWN = {"v1", "apps", "rbac.authorization.k8s.io", "keda.sh"}  # API groups that the server has
numbers = itertools.count(1)


def _values(case: str) -> str:
    return f"--values={CHART / 'ci' / f'{case}-values.yaml'}"


def _render(case: str) -> list[Manifest]:
    """Return the manifests for a file in the chart's `ci`, or those for use without Helm."""
    if case == "manifests":
        return documents((ROOT / "deploy" / "manifests" / "auditlane.yaml").read_text())
    command = [helm(), "template", "audit", str(CHART), _values(case)]
    return documents(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _pods(manifests: list[Manifest]) -> list[Manifest]:
    """Return the pods that Kubernetes' controllers would create for these manifests."""
    made = []
    for one in manifests:
        spec = one.get("spec", {})
        template = spec.get("jobTemplate", {}).get("spec", spec).get("template")
        if one["kind"] in ("Deployment", "Job", "CronJob"):
            metadata = template["metadata"] | {"name": f"{one['kind']}-{one['metadata']['name']}".lower()}
            made.append({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})
        elif one["kind"] == "Pod":
            made.append(one)
    return made


def _names(objects: list[Manifest]) -> set[tuple[str, str]]:
    return {(one["kind"], one["metadata"]["name"]) for one in objects}


def _versions(stored: list[Manifest]) -> dict[tuple[str, str], str]:
    """Return the version of each object. The server changes it only if a write changes the object."""
    return {(one["kind"], one["metadata"]["name"]): one["metadata"]["resourceVersion"] for one in stored}


def _namespace(kubernetes: Kubernetes, manifests: list[Manifest], name: str = "") -> str:
    """Create a namespace, by default a new one, with what these manifests expect in their cluster."""
    name = name or f"audit-{next(numbers)}"
    standard = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
    specs = [one["spec"] for one in _pods(manifests)]
    accounts = {"default", *(spec["serviceAccountName"] for spec in specs if "serviceAccountName" in spec)}
    priorities = {spec["priorityClassName"] for spec in specs if "priorityClassName" in spec}
    kubernetes.apply(
        [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": standard}},
            *(
                {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": one, "namespace": name}}
                for one in accounts
            ),
            *(
                {
                    "apiVersion": "scheduling.k8s.io/v1",
                    "kind": "PriorityClass",
                    "metadata": {"name": one},
                    "value": 1000,
                }
                for one in priorities
            ),
        ]
    )
    return name


@pytest.mark.parametrize("case", [*CASES, "manifests"])
def test_every_object_is_admitted_and_applying_it_again_changes_nothing(kubernetes: Kubernetes, case: str) -> None:
    manifests = _render(case)
    namespace = _namespace(kubernetes, manifests)
    stored = kubernetes.apply(manifests, namespace)
    assert _names(stored) == _names(manifests)
    assert {one["metadata"]["namespace"] for one in stored} == {namespace}
    assert _versions(kubernetes.apply(manifests, namespace)) == _versions(stored)


@pytest.mark.parametrize("case", [*CASES, "manifests"])
def test_every_pod_meets_the_standard_restricted(kubernetes: Kubernetes, case: str) -> None:
    """No controller creates pods here, so the test creates them from the templates. The server judges only pods."""
    manifests = _render(case)
    namespace = _namespace(kubernetes, manifests)
    pods = _pods(manifests)
    assert len(pods) > 3
    assert _names(kubernetes.apply(pods, namespace)) == _names(pods)


def _without(field: str) -> Callable[[Manifest], None]:
    def change(pod: Manifest) -> None:
        for security in (pod["securityContext"], pod["containers"][0]["securityContext"]):
            security.pop(field, None)

    return change


def _with_host_path(pod: Manifest) -> None:
    pod["volumes"].append({"name": "host", "hostPath": {"path": "/"}})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(_without("runAsNonRoot"), "runAsNonRoot != true", id="root"),
        pytest.param(_without("seccompProfile"), "seccompProfile", id="seccomp"),
        pytest.param(_without("capabilities"), "unrestricted capabilities", id="capabilities"),
        pytest.param(_without("allowPrivilegeEscalation"), "allowPrivilegeEscalation != false", id="escalation"),
        pytest.param(lambda pod: pod.update(hostNetwork=True), "host namespaces", id="host-network"),
        pytest.param(_with_host_path, "restricted volume types", id="host-path"),
    ],
)
def test_a_pod_below_the_standard_is_refused(
    kubernetes: Kubernetes, change: Callable[[Manifest], None], words: str
) -> None:
    manifests = _render("minimal")
    namespace = _namespace(kubernetes, manifests)
    good = next(one for one in _pods(manifests) if one["metadata"]["name"].endswith("-worker"))
    bad = copy.deepcopy(good)
    change(bad["spec"])
    create = ("create", f"--namespace={namespace}", "--filename=-")
    refused = kubernetes.try_to_run(*create, objects=[bad])
    assert refused.returncode != 0
    assert 'violates PodSecurity "restricted:' in refused.stderr
    assert words in refused.stderr
    assert kubernetes.run("get", "pods", f"--namespace={namespace}", "--output=name") == ""
    kubernetes.run(*create, objects=[good])  # only the change made the difference


@pytest.mark.parametrize(
    ("kind", "field", "value", "words"),
    [
        ("Deployment", "drainSeconds", 3, ".spec.drainSeconds: field not declared in schema"),
        ("ScaledObject", "maxReplicaCount", "many", "spec.maxReplicaCount"),
        ("PodMonitor", "podMetricsEndpoints", "http", "spec.podMetricsEndpoints"),
        ("PrometheusRule", "group", [], ".spec.group: field not declared in schema"),
    ],
)
def test_a_wrong_field_is_refused(kubernetes: Kubernetes, kind: str, field: str, value: Any, words: str) -> None:
    """This shows that the server validates each kind, so that the tests above prove something."""
    manifests = _render("production")
    namespace = _namespace(kubernetes, manifests)
    found = next(one for one in manifests if one["kind"] == kind)
    apply = ("apply", "--server-side", "--validate=strict", f"--namespace={namespace}", "--filename=-")
    refused = kubernetes.try_to_run(*apply, objects=[found | {"spec": found["spec"] | {field: value}}])
    assert refused.returncode != 0
    assert words in refused.stderr


def test_the_examples_without_other_operators_are_admitted(kubernetes: Kubernetes) -> None:
    files = sorted((ROOT / "deploy" / "examples").glob("*.yaml"))
    every = [one for file in files for one in documents(file.read_text())]
    known = [one for one in every if one["apiVersion"].partition("/")[0] in KNOWN]
    assert {"Deployment", "RoleBinding", "Service", "TriggerAuthentication"} <= {one["kind"] for one in known}
    for name in {one["metadata"]["namespace"] for one in known}:
        local = [one for one in known if one["metadata"]["namespace"] == name]
        objects = [*local, *_pods(local)]
        stored = kubernetes.apply(objects, _namespace(kubernetes, local, name))
        assert _names(stored) == _names(objects)
        assert _versions(kubernetes.apply(objects, name)) == _versions(stored)


@pytest.mark.parametrize("case", CASES)
def test_helm_installs_and_upgrades_the_chart(kubernetes: Kubernetes, case: str) -> None:
    """Without nodes, hooks would never end, so they are left out. The first test above applies them."""
    namespace = _namespace(kubernetes, _render(case))
    install = ("upgrade", "--install", "audit", str(CHART), _values(case), f"--namespace={namespace}", "--no-hooks")

    def stored() -> dict[tuple[str, str], str]:
        manifests = documents(kubernetes.run_helm("get", "manifest", "audit", f"--namespace={namespace}"))
        found = yaml.safe_load(
            kubernetes.run("get", "--filename=-", f"--namespace={namespace}", "--output=json", objects=manifests)
        )["items"]
        assert _names(found) == _names(manifests)
        return _versions(found)

    assert f"kubectl --namespace {namespace}" in kubernetes.run_helm(*install)
    first = stored()
    kubernetes.run_helm(*install)
    assert stored() == first
