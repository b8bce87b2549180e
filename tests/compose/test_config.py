"""compose.yaml as Compose resolves it: the contract's services and ports, loopback only, pinned images, and a bank-api
that is confined."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PRIVATE = ROOT / ".lab/compose/docker"  # where `run` puts Compose when the machine has none

PORTS = {"lab21-bank-api": [("8000", 8000)], "lab21-postgres": [("5432", 5432)], "lab21-prometheus": [("9090", 9090)],
         "lab21-grafana": [("3001", 3000)], "lab21-jaeger": [("16686", 16686)], "lab21-shop": [("8001", 8000)],
         "lab21-proxy": [("6432", 6432), ("6433", 6433)]}
PROFILES = {"lab21-k6": ["k6"], "lab21-proxy": ["proxy"], "lab21-shop": ["proxy"]}
OWN_HEALTH = ["lab21-bank-api", "lab21-shop"]  # their images bring a health check


def compose(*arguments):
    """The output of `docker compose ...` at the root; None where there is no Compose."""
    if shutil.which("docker") is None:
        return None
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    for configuration in ({}, {"DOCKER_CONFIG": str(PRIVATE)}):
        outcome = subprocess.run(["docker", "compose", "version"], capture_output=True, env={**kept, **configuration})
        if outcome.returncode == 0:
            outcome = subprocess.run(["docker", "compose", *arguments], cwd=ROOT, capture_output=True, text=True,
                                     env={**kept, **configuration}, timeout=60)
            assert outcome.returncode == 0, outcome.stderr
            assert outcome.stderr == ""
            return outcome.stdout
    return None


@pytest.fixture(scope="module")
def services():
    text = compose("--profile", "k6", "--profile", "proxy", "config", "--format", "json")
    if text is None:
        pytest.skip("Docker Compose is not installed")
    return json.loads(text)["services"]


def test_the_services_and_ports_of_the_contract_on_loopback_only(services):
    assert set(services) == {*PORTS, "lab21-k6"}
    for name, service in services.items():
        published = [(port["host_ip"], port["published"], port["target"]) for port in service.get("ports", [])]
        assert published == [("127.0.0.1", *pair) for pair in PORTS.get(name, [])], name


def test_images_are_pinned_to_a_version(services):
    for name, service in services.items():
        if "build" not in service:
            assert re.fullmatch(r"[a-z0-9/-]+:v?\d+(\.\d+)+", service["image"]), name


def test_plain_up_leaves_k6_and_the_proxy_out(services):
    assert {name: service["profiles"] for name, service in services.items() if "profiles" in service} == PROFILES


def test_who_is_waited_for_can_be_healthy(services):
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            assert how["condition"] == "service_healthy", name
            assert "healthcheck" in services[other] or other in OWN_HEALTH, other
    assert all("healthcheck" in services[name] for name in PORTS if name not in OWN_HEALTH)


def test_the_bank_is_confined_and_has_time_to_stop(services):
    bank = services["lab21-bank-api"]
    assert bank["read_only"] is True
    assert bank["cap_drop"] == ["ALL"] and "cap_add" not in bank
    assert bank["security_opt"] == ["no-new-privileges:true"]
    assert bank["stop_grace_period"] == "10m20s"  # SHUTDOWN_TIMEOUT_MS goes to 600 s
    assert "SHUTDOWN_TIMEOUT_MS" in bank["environment"]


def test_volumes_are_named_and_mounts_read_only(services):
    for name, service in services.items():
        for mount in service.get("volumes", []):
            if mount["type"] == "bind":
                assert mount["read_only"] is True and pathlib.Path(mount["source"]).is_relative_to(ROOT), name
            else:
                assert mount["type"] == "volume" and mount["source"], name


def test_k6_finds_the_scripts_and_the_bank(services):
    (mount,) = services["lab21-k6"]["volumes"]
    assert (mount["source"], mount["target"]) == (str(ROOT / "loadtest"), "/scripts")
    assert services["lab21-k6"]["environment"]["BASE_URL"] == "http://lab21-bank-api:8000"
    assert services["lab21-bank-api"]["environment"]["BANK_API_ALLOWED_HOSTS"] == "lab21-bank-api"


def test_the_shop_reaches_the_database_through_the_proxy_only(services):
    assert services["lab21-shop"]["environment"]["DATABASE_URL"].endswith("@lab21-proxy:6432/bank")
    command = services["lab21-proxy"]["command"]
    assert services["lab21-proxy"]["entrypoint"] == ["race-proxy"] and "--force" in command
    assert services["lab21-proxy"]["environment"]["RACE_PROXY_ALLOWED_HOSTS"] == "lab21-proxy"
    assert command[command.index("--http") + 1] == "0.0.0.0:6433"
    assert command[command.index("--upstream") + 1].endswith("@lab21-postgres:5432/bank")
    assert services["lab21-proxy"]["image"] == services["lab21-bank-api"]["image"]
