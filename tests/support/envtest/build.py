"""Build the Kubernetes API server and etcd for `make envtest`, and copy the custom resource definitions that it uses.

The sources come from the Go module proxy: `go.mod` pins the versions, and `go.sum` the hashes. Kubernetes' own `go.mod`
refers to folders of its repository, so that `go install …@version` cannot build it. The programs are kept in the
virtual environment.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
TOOLS = Path(sys.prefix) / "tools"
PROGRAMS = {"etcd": "go.etcd.io/etcd/server/v3", "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver"}
# Modules, their hashes as in `go.sum`, and the files to take from them. Their programs are not built.
DEFINITIONS = (
    (
        "github.com/kedacore/keda/v2@v2.21.0",
        "h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps=",
        ("config/crd/bases/keda.sh_scaledobjects.yaml", "config/crd/bases/keda.sh_triggerauthentications.yaml"),
    ),
    (
        "github.com/prometheus-operator/prometheus-operator@v0.85.0",
        "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
        (
            "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
            "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
        ),
    ),
)


def build(go: str) -> None:
    """Build the programs, without inlining and debugging data, which would take longer."""
    listed = [go, "list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes"]
    version = subprocess.run(listed, cwd=HERE, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    told = f"-X k8s.io/component-base/version.gitVersion={version}"  # Helm compares it with the chart's `kubeVersion`
    for name, package in PROGRAMS.items():
        flags = ["-trimpath", f"-ldflags=-s -w {told}", "-gcflags=all=-dwarf=false -l"]
        command = [go, "build", *flags, "-o", str(TOOLS / "bin" / name), package]
        subprocess.run(command, cwd=HERE, env=os.environ | {"CGO_ENABLED": "0"}, check=True)


def copy_definitions(go: str) -> None:
    """Copy the custom resource definitions. Exits if a module differs from its hash."""
    folder = TOOLS / "definitions"
    folder.mkdir(parents=True, exist_ok=True)
    for module, expected, files in DEFINITIONS:
        command = [go, "mod", "download", "-json", module]
        done = subprocess.run(command, cwd=TOOLS, stdout=subprocess.PIPE, text=True, check=True)
        found = json.loads(done.stdout)
        if found["Sum"] != expected:
            sys.exit(f"{module} has the hash {found['Sum']}, not {expected}: do not use it.")
        for file in files:
            shutil.copyfile(Path(found["Dir"]) / file, folder / Path(file).name)


def main() -> None:
    """Build and copy everything."""
    if not (go := shutil.which("go")):
        sys.exit("Go is missing: install it, and put it on the PATH.")
    copy_definitions(go)
    build(go)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"`{' '.join(error.cmd)}` failed: see its output above.")
