"""docker-compose.yml: whatever it names exists, and every container is held as tightly as it says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.named import (
    ROOT,
    default_port,
    missing,
    problems_of_command,
    problems_of_variables,
    yaml_of,
)

COMPOSE: dict[str, Any] = yaml_of(ROOT / "docker-compose.yml")[0]
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: one for name, one in SERVICES.items() if one["image"] == "scorer"}
VALIDATOR = ROOT / ".cache" / "compose" / "validator"
DATA = "/var/lib/scorer"
SECRETS = "/run/scorer"


def mounts(service: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """Source, target, whether it can be written."""
    parts = [volume.split(":") for volume in service.get("volumes", [])]
    return [(part[0], part[1], part[2:] != ["ro"]) for part in parts]


def environment(service: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in service.get("environment", {}).items()}


@pytest.mark.parametrize("name", OURS)
def test_its_command_can_be_given(name: str) -> None:
    assert problems_of_command(OURS[name]["command"]) == []


@pytest.mark.parametrize("name", OURS)
def test_its_health_is_asked_of_a_port_that_is_served(name: str) -> None:
    health = OURS[name].get("healthcheck")
    if health is None:
        assert OURS[name]["command"][0] not in {"worker", "collector"}
        return
    assert health["test"][:2] == ["CMD", "scorer"]
    assert problems_of_command(health["test"][2:]) == []
    port = {"worker": "metrics_port", "collector": "collector_metrics_port"}[OURS[name]["command"][0]]
    assert health["test"][-1] == f"http://127.0.0.1:{default_port(port)}/readyz"


@pytest.mark.parametrize("name", OURS)
def test_its_variables_are_settings(name: str) -> None:
    assert problems_of_variables(environment(OURS[name])) == []


def test_a_misspelt_variable_or_option_is_noticed() -> None:
    assert problems_of_variables({"SCORER_BOOTSTRP": "kafka:9092"})
    assert problems_of_variables({"SCORER_METRICS_PORT": "many"})
    assert problems_of_command(["worker", "--instanse", "a"])
    assert problems_of_command(["topics", "aply"])
    assert problems_of_command(["rules", "apply"])
    assert problems_of_command(["topics"])


@pytest.mark.parametrize("name", SERVICES)
def test_what_it_mounts_is_there(name: str) -> None:
    for source, target, _ in mounts(SERVICES[name]):
        if source.startswith("./"):
            assert missing([source]) == []
        else:
            assert source in COMPOSE["volumes"]
        assert target.startswith("/")


def test_every_volume_is_used() -> None:
    used = {source for service in SERVICES.values() for source, _, _ in mounts(service)}
    assert set(COMPOSE["volumes"]) <= used


@pytest.mark.parametrize("name", OURS)
def test_files_that_it_is_told_of_are_mounted(name: str) -> None:
    service = OURS[name]
    places = [target for _, target, _ in mounts(service)]
    named = [word for word in service["command"] if word.startswith("/")]
    named += [value for value in environment(service).values() if value.startswith("/")]
    for path in named:
        assert any(path == place or path.startswith(f"{place}/") for place in places), path


def test_the_rule_file_is_the_one_in_the_checkout() -> None:
    (source, target, writable), *_ = mounts(SERVICES["rules"])
    file = next(word for word in SERVICES["rules"]["command"] if word.endswith(".yaml"))
    assert (ROOT / source / Path(file).relative_to(target)).is_file()
    assert not writable


def test_secrets_are_made_by_one_and_read_by_the_others() -> None:
    writers = [
        name
        for name, service in SERVICES.items()
        for source, _, writable in mounts(service)
        if source == "secrets" and writable
    ]
    assert writers == ["keys"]
    for service in OURS.values():
        settings = environment(service)
        assert "SCORER_LEAD_SECRET" not in settings
        assert settings.get("SCORER_LEAD_SECRET_FILE", f"{SECRETS}/lead-secret") == f"{SECRETS}/lead-secret"
    # Whoever makes or reads lead ids has the same secret.
    for name in ("worker-1", "worker-2", "collector", "traffic"):
        assert "SCORER_LEAD_SECRET_FILE" in environment(SERVICES[name])


def test_no_value_is_a_secret() -> None:
    for name, service in SERVICES.items():
        for variable, value in environment(service).items():
            if re.search("PASSWORD|SECRET|TOKEN", variable):
                assert variable.endswith("_FILE") or value == "true", f"{name}: {variable}"


@pytest.mark.parametrize("name", SERVICES)
def test_it_may_do_as_little_as_possible(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    user = service["user"].partition(":")[0]
    assert user.isdecimal()
    assert int(user) > 0


@pytest.mark.parametrize("name", SERVICES)
def test_it_is_reached_from_this_machine_only(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port)


@pytest.mark.parametrize("name", SERVICES)
def test_its_image_is_pinned(name: str) -> None:
    service = SERVICES[name]
    if service["image"] == "scorer":
        assert service["build"] == "."
    else:
        assert re.fullmatch(r"[a-z]+/[a-z]+:v?\d+\.\d+\.\d+", service["image"])


@pytest.mark.parametrize("name", SERVICES)
def test_what_it_waits_for_can_come_about(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        needed = SERVICES[other]
        if how["condition"] == "service_healthy":
            assert "healthcheck" in needed
        elif how["condition"] == "service_completed_successfully":
            assert "restart" not in needed
        assert set(needed.get("profiles", [])) <= set(SERVICES[name].get("profiles", []))


def test_whatever_runs_for_good_comes_back() -> None:
    once = {"keys", "topics", "rules"}
    assert {name for name, service in SERVICES.items() if "restart" not in service} == once


def test_workers_keep_their_names_and_their_state_apart() -> None:
    workers = {name: one for name, one in OURS.items() if one["command"][0] == "worker"}
    assert len(workers) == 2
    for name, service in workers.items():
        assert environment(service)["SCORER_INSTANCE"] == name
        assert (
            environment(service)["SCORER_ADVERTISED_URL"] == f"http://{name}:{default_port('metrics_port')}"
        )
        assert (name, DATA, True) in mounts(service)


def test_prometheus_asks_everybody_who_has_metrics_and_knows_the_rules() -> None:
    folder = ROOT / "deploy" / "compose"
    config: Any = yaml_of(folder / "prometheus.yml")[0]
    asked = {
        target
        for job in config["scrape_configs"]
        for one in job["static_configs"]
        for target in one["targets"]
    }
    ports = {
        "worker": default_port("metrics_port"),
        "collector": default_port("collector_metrics_port"),
    }
    served = {
        f"{name}:{ports[one['command'][0]]}" for name, one in OURS.items() if one["command"][0] in ports
    }
    assert asked == served
    places = {target: source for source, target, _ in mounts(SERVICES["prometheus"])}
    for pattern in config["rule_files"]:
        assert places[str(Path(pattern).parent)] == "./deploy/prometheus"
    rules = {path for path in (ROOT / "deploy" / "prometheus").glob("*.yaml") if "groups" in yaml_of(path)[0]}
    patterns = [Path(pattern).name for pattern in config["rule_files"]]
    assert rules <= {path for pattern in patterns for path in (ROOT / "deploy" / "prometheus").glob(pattern)}
    assert any(
        word == "--config.file=/etc/prometheus/prometheus.yml" for word in SERVICES["prometheus"]["command"]
    )


def test_grafana_finds_prometheus_and_the_dashboards() -> None:
    folder = ROOT / "deploy" / "grafana" / "provisioning"
    source: Any = yaml_of(folder / "datasources" / "prometheus.yaml")[0]
    assert source["datasources"][0]["url"] == "http://prometheus:9090"
    provider: Any = yaml_of(folder / "dashboards" / "scorer.yaml")[0]
    places = {target: place for place, target, _ in mounts(SERVICES["grafana"])}
    assert places[provider["providers"][0]["options"]["path"]] == "./deploy/grafana/dashboards"
    assert places["/etc/grafana/provisioning"] == "./deploy/grafana/provisioning"


@pytest.mark.skipif(not VALIDATOR.exists(), reason="make compose builds the specification's own reader")
@pytest.mark.parametrize("profiles", ["", "traffic,insights"])
def test_the_specification_accepts_it(profiles: str) -> None:
    done = subprocess.run(
        [VALIDATOR, ROOT / "docker-compose.yml", profiles], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
