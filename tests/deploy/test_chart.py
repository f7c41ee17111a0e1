"""The Helm chart: its values, and what the real helm has made of it (`make helm` renders it anew)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from tests.deploy import render, values_page
from tests.deploy.named import ROOT, default_port, problems_of_command, problems_of_variables

CHART = render.CHART
SCHEMA = jsonschema_rs.validator_for(json.loads((CHART / "values.schema.json").read_text()))
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
CASES = {path.stem: path for path in render.case_files()}
MADE: dict[str, list[dict[str, Any]]] = {
    name: list(yaml.safe_load_all((render.RENDERED / path.name).read_text())) for name, path in CASES.items()
}
PORTS = {
    "worker": {"metrics": default_port("metrics_port")},
    "collector": {
        "http": default_port("collector_port"),
        "metrics": default_port("collector_metrics_port"),
    },
}
PODS = [
    pytest.param(case, made, id=f"{case}-{made['kind']}-{made['metadata']['name']}")
    for case, documents in MADE.items()
    for made in documents
    if made["kind"] in {"StatefulSet", "Deployment", "Job"}
]


def one(case: str, kind: str, name: str) -> dict[str, Any]:
    (found,) = [made for made in MADE[case] if (made["kind"], made["metadata"]["name"]) == (kind, name)]
    return found


def kinds(case: str) -> set[str]:
    return {made["kind"] for made in MADE[case]}


def pod_of(made: dict[str, Any]) -> dict[str, Any]:
    pod: dict[str, Any] = made["spec"]["template"]["spec"]
    return pod


def containers(made: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod_of(made).get("initContainers", []), *pod_of(made)["containers"]]


def plain_env(container: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in container.get("env", []) if "value" in one}


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
    elif isinstance(value, str):
        yield value


# -- the chart's own files ----------------------------------------------------------------------------


def test_what_is_kept_is_what_the_chart_makes_now() -> None:
    assert render.STAMP.read_text().strip() == render.sources(), "the chart has changed: make helm"
    assert {path.name for path in render.RENDERED.glob("*.yaml")} == {path.name for path in CASES.values()}


def test_the_page_of_values_is_the_one_of_these_values() -> None:
    page = (CHART / "README.md").read_text()
    assert page == values_page.page((CHART / "values.yaml").read_text()), "make chart-readme"
    assert page.count("\n| `") > 80


@pytest.mark.parametrize("case", [CHART / "values.yaml", *CASES.values()], ids=lambda path: path.stem)
def test_values_fit_their_schema(case: Path) -> None:
    SCHEMA.validate(yaml.safe_load(case.read_text()))


@pytest.mark.parametrize(
    "values",
    [
        {"kafka": {"bootstrap": "kafka"}},
        {"kafka": {"securityProtocol": "SASL"}},
        {"kafka": {"sasl": {"password": "hunter2"}}},
        {"worker": {"replica": 3}},
        {"worker": {"autoscaling": {"lag": 0}}},
        {"leadSecret": {"value": "hunter2"}},
        {"settings": {"lead_secret": "hunter2"}},
        {"settings": {"kafka_password": "hunter2"}},
        {"image": {"digest": "latest"}},
    ],
    ids=str,
)
def test_values_that_make_no_sense_or_are_secrets_are_refused(values: dict[str, Any]) -> None:
    assert not SCHEMA.is_valid(values)


def test_what_it_passes_on_is_the_repositorys_own() -> None:
    links = {path.name: path.resolve() for path in (CHART / "files").iterdir()}
    assert links == {
        "prometheus": ROOT / "deploy" / "prometheus",
        "grafana": ROOT / "deploy" / "grafana" / "dashboards",
        "default-rules.yaml": ROOT / "rules" / "default.yaml",
    }


def test_its_version_is_the_programs() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert f'__version__ = "{chart["appVersion"]}"' in (ROOT / "scorer" / "__init__.py").read_text()


# -- every pod ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("case", "made"), PODS)
def test_a_pod_is_held_by_the_restricted_profile(case: str, made: dict[str, Any]) -> None:
    pod = pod_of(made)
    held = pod["securityContext"]
    assert held["runAsNonRoot"] is True
    assert f"USER {held['runAsUser']}:{held['runAsGroup']}" in (ROOT / "Dockerfile").read_text()
    assert held["fsGroup"] == held["runAsGroup"]
    assert held["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    for container in containers(made):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in container["resources"]["limits"]
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}


@pytest.mark.parametrize(("case", "made"), PODS)
def test_names_of_services_are_not_taken_for_settings(case: str, made: dict[str, Any]) -> None:
    """Kubernetes would set SCORER_COLLECTOR_PORT=tcp://... for a service named scorer-collector."""
    assert pod_of(made)["enableServiceLinks"] is False


@pytest.mark.parametrize(("case", "made"), PODS)
def test_commands_and_variables_are_there(case: str, made: dict[str, Any]) -> None:
    for container in containers(made):
        assert "command" not in container  # the image's
        assert problems_of_command(container["args"]) == []
        environment = plain_env(container)
        environment.pop("SCORER_ADVERTISED_URL", None)  # has variables of Kubernetes' in it
        assert problems_of_variables(environment) == []
        named = [one["name"] for one in container.get("env", [])]
        assert len(set(named)) == len(named)


@pytest.mark.parametrize(("case", "made"), PODS)
def test_paths_are_mounted_and_mounts_have_volumes(case: str, made: dict[str, Any]) -> None:
    claims = [claim["metadata"]["name"] for claim in made["spec"].get("volumeClaimTemplates", [])]
    volumes = [volume["name"] for volume in pod_of(made)["volumes"]] + claims
    assert len(set(volumes)) == len(volumes)
    for container in containers(made):
        places = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
        assert {mount["name"] for mount in places.values()} <= set(volumes)
        values = [*plain_env(container).values(), *container["args"]]
        for path in (value for value in values if value.startswith("/")):
            assert any(path.startswith(f"{place}/") for place in places), path
        writable = {place for place, mount in places.items() if not mount.get("readOnly")}
        assert writable <= {"/var/lib/scorer", "/tmp"}  # noqa: S108 - the container's


@pytest.mark.parametrize(("case", "made"), PODS)
def test_files_of_secrets_are_those_that_variables_name(case: str, made: dict[str, Any]) -> None:
    (volume,) = [volume for volume in pod_of(made)["volumes"] if volume["name"] == "secrets"]
    there = {
        item["path"]
        for source in volume.get("projected", {}).get("sources", [])
        for item in source["secret"]["items"]
    }
    named = {
        Path(value).name
        for container in containers(made)
        for value in plain_env(container).values()
        if value.startswith("/run/scorer/")
    }
    assert named == there
    makes_leads = made["metadata"]["labels"]["app.kubernetes.io/component"] in {"worker", "collector"}
    assert ("lead-secret" in there) == makes_leads


@pytest.mark.parametrize("case", CASES)
def test_secrets_are_named_and_never_contained(case: str) -> None:
    assert "Secret" not in kinds(case)
    for made in MADE[case]:
        if made["kind"] in {"StatefulSet", "Deployment", "Job"}:
            for container in containers(made):
                for name in plain_env(container):
                    if re.search("SECRET|PASSWORD|USERNAME", name):
                        assert name.endswith("_FILE"), name


@pytest.mark.parametrize("case", CASES)
def test_every_selector_selects_what_it_is_for(case: str) -> None:
    pods = [
        made["spec"]["template"]["metadata"]["labels"]
        for made in MADE[case]
        if "template" in made.get("spec", {})
    ]

    def selects(selector: dict[str, str]) -> bool:
        return any(selector.items() <= labels.items() for labels in pods)

    for made in MADE[case]:
        spec = made.get("spec", {})
        if made["kind"] == "Service":
            assert selects(spec["selector"])
        elif made["kind"] == "NetworkPolicy":
            assert selects(spec["podSelector"]["matchLabels"])
        elif made["kind"] in {"PodDisruptionBudget", "StatefulSet", "Deployment"}:
            assert selects(spec["selector"]["matchLabels"])
        elif made["kind"] == "ServiceMonitor":
            services = [other for other in MADE[case] if other["kind"] == "Service"]
            wanted = spec["selector"]["matchLabels"].items()
            ports = [
                port["name"]
                for service in services
                if wanted <= service["metadata"]["labels"].items()
                for port in service["spec"]["ports"]
            ]
            assert ports.count(spec["endpoints"][0]["port"]) == 1


@pytest.mark.parametrize("case", CASES)
def test_ports_are_those_that_the_program_serves(case: str) -> None:
    for made in MADE[case]:
        component = made["metadata"]["labels"]["app.kubernetes.io/component"]
        if made["kind"] in {"StatefulSet", "Deployment"} and component in PORTS:
            (container,) = containers(made)
            assert {port["name"]: port["containerPort"] for port in container["ports"]} == PORTS[component]
        if made["kind"] == "Service" and component in PORTS:
            assert {port["targetPort"] for port in made["spec"]["ports"]} <= set(PORTS[component])


# -- workers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_a_worker_keeps_its_name_and_can_be_asked(case: str) -> None:
    made = one(case, "StatefulSet", "scorer-worker")
    (container,) = containers(made)
    fields = {
        entry["name"]: entry["valueFrom"]["fieldRef"]["fieldPath"]
        for entry in container["env"]
        if "fieldRef" in entry.get("valueFrom", {})
    }
    assert fields == {"POD_NAME": "metadata.name", "POD_NAMESPACE": "metadata.namespace"}
    environment = plain_env(container)
    assert environment["SCORER_INSTANCE"] == "$(POD_NAME)"
    service = one(case, "Service", made["spec"]["serviceName"])
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"] is True
    host = f"$(POD_NAME).{service['metadata']['name']}.$(POD_NAMESPACE).svc"
    assert environment["SCORER_ADVERTISED_URL"] == f"http://{host}:{default_port('metrics_port')}"
    # Kubernetes fills in only what stands before.
    order = [entry["name"] for entry in container["env"]]
    assert max(order.index(name) for name in fields) < order.index("SCORER_INSTANCE")


@pytest.mark.parametrize("case", CASES)
def test_a_worker_is_ready_once_restored_and_never_ended_for_restoring(case: str) -> None:
    made = one(case, "StatefulSet", "scorer-worker")
    (container,) = containers(made)
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics"}
    for probe in ("startupProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": "/livez", "port": "metrics"}
    started = container["startupProbe"]
    assert started["failureThreshold"] * started["periodSeconds"] >= 60
    assert made["spec"]["podManagementPolicy"] == "Parallel"
    assert pod_of(made)["terminationGracePeriodSeconds"] > 30
    assert {place["topologyKey"] for place in pod_of(made)["topologySpreadConstraints"]} == {
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    }


def test_state_is_on_a_volume_unless_it_should_not_be() -> None:
    kept = one("full", "StatefulSet", "scorer-worker")["spec"]
    (claim,) = kept["volumeClaimTemplates"]
    assert claim["spec"]["storageClassName"] == "fast"
    assert claim["spec"]["resources"]["requests"]["storage"] == "100Gi"
    assert "volumeClaimTemplates" not in one("plain", "StatefulSet", "scorer-worker")["spec"]


def test_never_more_workers_than_the_log_has_partitions() -> None:
    scaled = one("full", "ScaledObject", "scorer-worker")["spec"]
    assert scaled["maxReplicaCount"] == 64  # asked for were 200
    assert scaled["minReplicaCount"] == 4
    assert scaled["scaleTargetRef"]["name"] == "scorer-worker"
    assert "replicas" not in one("full", "StatefulSet", "scorer-worker")["spec"]
    topics = containers(one("full", "Job", "scorer-prepare"))[0]["args"]
    assert "--partitions=lead.log.v1=64" in topics


def test_it_grows_by_the_lag_of_both_groups_with_the_workers_own_access() -> None:
    triggers = {
        trigger["name"]: trigger
        for trigger in one("full", "ScaledObject", "scorer-worker")["spec"]["triggers"]
    }
    assert triggers["score"]["metadata"]["topic"] == "eu.lead.log.v1"
    assert {trigger["metadata"]["consumerGroup"] for trigger in triggers.values()} == {
        "eu.scorer-score",
        "eu.scorer-intake",
    }
    for trigger in triggers.values():
        assert trigger["type"] == "kafka"
        assert all(isinstance(value, str) for value in trigger["metadata"].values())
        assert trigger["metadata"]["sasl"] == "scram_sha512"
        assert trigger["metadata"]["tls"] == "enable"
        assert trigger["authenticationRef"] == {"name": "scorer-worker"}
    access = one("full", "TriggerAuthentication", "scorer-worker")["spec"]["secretTargetRef"]
    given = {entry["parameter"]: (entry["name"], entry["key"]) for entry in access}
    assert given["username"] == ("scorer-worker-kafka", "username")
    assert given["password"] == ("scorer-worker-kafka", "password")
    assert set(given) == {"username", "password", "ca", "cert", "key", "keyPassword"}


# -- Kafka, topics, rules -----------------------------------------------------------------------------


def test_each_component_has_its_own_access_to_kafka() -> None:
    users = {}
    for made in MADE["full"]:
        if made["kind"] in {"StatefulSet", "Deployment", "Job"}:
            for container in containers(made):
                for entry in container.get("env", []):
                    if entry["name"] == "SCORER_KAFKA_USERNAME":
                        users[made["metadata"]["name"]] = entry["valueFrom"]["secretKeyRef"]["name"]
    assert users == {
        "scorer-worker": "scorer-worker-kafka",
        "scorer-collector": "scorer-kafka",
        "scorer-prepare": "scorer-admin-kafka",
        "scorer-insights": "scorer-kafka",
    }


def test_over_tls_with_sasl_everything_is_said() -> None:
    environment = plain_env(containers(one("full", "Deployment", "scorer-collector"))[0])
    assert environment["SCORER_KAFKA_SECURITY_PROTOCOL"] == "sasl_ssl"
    assert environment["SCORER_KAFKA_SASL_MECHANISM"] == "SCRAM-SHA-512"
    assert environment["SCORER_KAFKA_PASSWORD_FILE"] == "/run/scorer/kafka-password"
    assert environment["SCORER_KAFKA_CA_FILE"] == "/run/scorer/kafka-ca.crt"
    assert environment["SCORER_KAFKA_CERT_FILE"] == "/run/scorer/kafka-tls.crt"
    assert environment["SCORER_KAFKA_KEY_FILE"] == "/run/scorer/kafka-tls.key"
    assert environment["SCORER_CHECKPOINT_INTERVAL"] == "2"


def test_topics_and_then_rules_come_before_anything_of_a_version_runs() -> None:
    job = one("least", "Job", "scorer-prepare")
    hooks = {"pre-install", "pre-upgrade"}
    assert set(job["metadata"]["annotations"]["helm.sh/hook"].split(",")) == hooks
    first, then = containers(job)
    assert first["args"][:2] == ["topics", "apply"]
    assert then["args"][:2] == ["rules", "apply"]
    assert then["args"][2] == "/etc/scorer/rules/rules.yaml"
    rules = one("least", "ConfigMap", "scorer-prepare")
    assert set(rules["data"]) == {"rules.yaml"}
    # What it needs is there before it, by the same hook; nothing of the release is yet.
    for made in (rules, one("least", "NetworkPolicy", "scorer-prepare")):
        annotations = made["metadata"]["annotations"]
        assert set(annotations["helm.sh/hook"].split(",")) == hooks
        assert int(annotations["helm.sh/hook-weight"]) < int(
            job["metadata"]["annotations"]["helm.sh/hook-weight"]
        )
    assert "serviceAccountName" not in pod_of(job)


# -- collector, network, monitoring ------------------------------------------------------------------


def test_the_collector_scales_on_cpu_and_leaves_without_a_refused_event() -> None:
    made = one("least", "Deployment", "scorer-collector")
    assert made["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    (container,) = containers(made)
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics"}
    for probe in ("startupProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": "/livez", "port": "metrics"}
    assert container["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "5"]
    scaler = one("least", "HorizontalPodAutoscaler", "scorer-collector")["spec"]
    assert scaler["scaleTargetRef"]["name"] == "scorer-collector"
    assert scaler["metrics"][0]["resource"]["name"] == "cpu"
    assert "replicas" not in made["spec"]


def test_budgets_let_one_go_at_a_time() -> None:
    for name in ("scorer-worker", "scorer-collector"):
        assert one("least", "PodDisruptionBudget", name)["spec"]["maxUnavailable"] == 1


def test_nobody_reaches_what_is_not_for_them() -> None:
    worker = one("full", "NetworkPolicy", "scorer-worker")["spec"]
    assert worker["policyTypes"] == ["Ingress", "Egress"]
    (entry,) = worker["ingress"]
    assert [port["port"] for port in entry["ports"]] == ["metrics"]
    assert {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}} in entry[
        "from"
    ]
    dns, kafka, others = worker["egress"]
    assert {port["port"] for port in dns["ports"]} == {53}
    assert kafka == {
        "ports": [{"port": 9096, "protocol": "TCP"}],
        "to": [{"ipBlock": {"cidr": "10.20.0.0/16"}}],
    }
    assert [port["port"] for port in others["ports"]] == ["metrics"]
    collector = one("full", "NetworkPolicy", "scorer-collector")["spec"]
    events, metrics = collector["ingress"]
    assert [port["port"] for port in events["ports"]] == ["http"]
    assert len(events["from"]) == 1
    assert [port["port"] for port in metrics["ports"]] == ["metrics"]
    assert one("full", "NetworkPolicy", "scorer-prepare")["spec"].get("ingress") is None


def test_what_is_off_is_not_there() -> None:
    assert kinds("plain") == {"Service", "ServiceAccount", "StatefulSet"}
    assert not {"ScaledObject", "ServiceMonitor", "PrometheusRule", "Ingress"} & kinds("least")


def test_prometheus_calls_the_jobs_as_compose_does() -> None:
    jobs = {
        made["spec"]["endpoints"][0]["relabelings"][0]["replacement"]
        for made in MADE["full"]
        if made["kind"] == "ServiceMonitor"
    }
    config = yaml.safe_load((ROOT / "deploy" / "compose" / "prometheus.yml").read_text())
    assert jobs == {job["job_name"] for job in config["scrape_configs"]}


def test_a_pod_in_which_a_word_is_wrong_is_noticed() -> None:
    (container,) = containers(one("least", "StatefulSet", "scorer-worker"))
    assert problems_of_command([*container["args"], "--fast"])
    assert problems_of_variables({"SCORER_BOOTSTRAPS": "kafka:9092"})
