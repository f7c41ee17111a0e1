"""The chart, linted and rendered by the real helm for each values file, checked, and kept beside it.

    python -m tests.deploy.render HELM [VALIDATE]      writes deploy/helm/tests/rendered

``VALIDATE``: the kubernetes-validate of an environment that has it; without it no schema is asked. Tests see
what is kept here, so that they need no helm, and fail when the chart has changed since (``STAMP``).
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy" / "helm" / "scorer"
CASES = ROOT / "deploy" / "helm" / "tests"
RENDERED = CASES / "rendered"
STAMP = RENDERED / "sources.sha256"
KUBERNETES = "1.33"
"""The version that the chart is rendered for; what it makes has to suit these:"""
VERSIONS = ("1.27", "1.33", "1.37")
OPERATORS = ("keda.sh/", "monitoring.coreos.com/")
"""What is not Kubernetes' own has no schema here; tests/deploy/test_chart.py looks at it."""
SHOWN_ELSEWHERE = "(a file of the repository, put in when the chart is rendered)"


def sources() -> str:
    """A digest of all that a rendering follows from, but for files that the chart only passes on."""
    digest = hashlib.sha256(KUBERNETES.encode())
    files = [path for path in CHART.rglob("*") if path.is_file() and "files" not in path.parts]
    for path in sorted([*files, *CASES.glob("*.yaml"), *CASES.glob("refused/*.yaml")]):
        if path.name != "README.md":
            digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def case_files() -> list[Path]:
    return sorted(CASES.glob("*.yaml"))


def kept(document: dict[str, Any]) -> dict[str, Any] | None:
    """Without the text of rules; nothing at all of alerts and dashboards. Those have tests of their own."""
    if document["kind"] == "PrometheusRule":
        return None
    if document["kind"] == "ConfigMap":
        if document["metadata"]["labels"]["app.kubernetes.io/component"] == "dashboards":
            return None
        return {**document, "data": dict.fromkeys(document["data"], SHOWN_ELSEWHERE)}
    return document


def passed_on(documents: list[dict[str, Any]], values: dict[str, Any]) -> list[str]:
    """What of the repository's files should be in a rendering, and is not as it is there."""
    wrong = []
    given = values.get("rules", {}).get("text")
    rules = given or (ROOT / "rules" / "default.yaml").read_text()
    dashboards = {path.name: path.read_text() for path in (CHART / "files" / "grafana").glob("*.json")}
    alerts = [
        yaml.safe_load(path.read_text()) for path in (CHART / "files" / "prometheus").glob("rules*.yaml")
    ]
    for document in documents:
        if document["kind"] == "ConfigMap":
            for name, text in document["data"].items():
                wanted = rules if name == "rules.yaml" else dashboards.pop(name, "")
                if text.strip() != wanted.strip():
                    wrong.append(name)
        elif document["kind"] == "PrometheusRule":
            if document["spec"] not in alerts:
                wrong.append(document["metadata"]["name"])
            else:
                alerts.remove(document["spec"])
    monitoring = values.get("monitoring", {})
    if monitoring.get("dashboards", {}).get("enabled"):
        wrong += dashboards
    if monitoring.get("rules", {}).get("enabled") and alerts:
        wrong.append("alerts")
    return wrong


def _run(command: list[str | Path]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def main(helm: str, validate: str | None = None) -> None:
    RENDERED.mkdir(exist_ok=True)
    for old in RENDERED.glob("*.yaml"):
        old.unlink()
    for case in case_files():
        _run([helm, "lint", "--strict", "--quiet", CHART, "--values", case])
        flags = ["--namespace", "leads", "--kube-version", KUBERNETES, "--values"]
        text = _run([helm, "template", "scorer", CHART, *flags, case])
        documents = [document for document in yaml.safe_load_all(text) if document]
        if wrong := passed_on(documents, yaml.safe_load(case.read_text())):
            sys.exit(f"{case.name}: not as in the repository: {', '.join(wrong)}")
        if validate is not None:
            _validate(validate, documents)
        documents.sort(key=lambda one: (one["kind"], one["metadata"]["name"]))
        shown = [one for one in map(kept, documents) if one is not None]
        written = yaml.safe_dump_all(shown, sort_keys=False, width=110, allow_unicode=True)
        (RENDERED / case.name).write_text(written)
        print(f"{case.name}: {len(documents)} objects")  # noqa: T201 - a tool
    for case in sorted((CASES / "refused").glob("*.yaml")):
        _refused(helm, case)
    STAMP.write_text(sources() + "\n")


def _refused(helm: str, case: Path) -> None:
    """Its first line is a comment: what helm is to say about the values below."""
    wanted = case.read_text().partition("\n")[0].removeprefix("# ")
    command = [helm, "template", "scorer", CHART, "--kube-version", KUBERNETES, "--values", case]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0 or wanted not in done.stderr:
        sys.exit(f"{case.name}: not refused with {wanted!r}\n{done.stderr}")
    print(f"{case.name}: refused")  # noqa: T201 - a tool


def _validate(validate: str, documents: list[dict[str, Any]]) -> None:
    known = [one for one in documents if not one["apiVersion"].startswith(OPERATORS)]
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump_all(known, file)
        file.flush()
        for version in VERSIONS:
            _run([validate, "--strict", "-k", version, file.name])


if __name__ == "__main__":
    main(*sys.argv[1:])
