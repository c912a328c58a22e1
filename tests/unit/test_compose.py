"""docker-compose.yml, as far as it can be proven where no container engine runs."""

import json
import re
import subprocess
from pathlib import Path
from shutil import which
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from agents.cli import cli
from config.settings import VARIABLES
from tests.harness.jars import kafka_version
from tests.harness.server import missing

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((Path(__file__).parent / "data" / "compose-spec.json").read_text(encoding="utf-8"))
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def load(path: Path) -> Any:
    return YAML(typ="safe").load(path)


COMPOSE = load(ROOT / "docker-compose.yml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def test_compose_file_is_valid_by_the_specification() -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    assert [error.message for error in validator.iter_errors(COMPOSE)] == []


def test_the_schema_refuses_what_the_specification_does_not_know() -> None:
    broken = {"services": {"board": {"image": "callwatch", "port": ["8080:8080"]}}}
    with pytest.raises(jsonschema.ValidationError, match="port"):
        jsonschema.Draft202012Validator(SCHEMA).validate(broken)


def test_all_parts_are_there() -> None:
    assert set(SERVICES) == {
        *("kafka", "redis", "topics", "worker", "board", "simulator"),
        *("prometheus", "alertmanager", "grafana"),
    }


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_on_loopback_only(name: str) -> None:
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in SERVICES[name].get("ports", []))


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_is_there_and_read_only_or_a_named_volume(name: str) -> None:
    for mount in SERVICES[name].get("volumes", []):
        source, _, rest = mount.partition(":")
        if source.startswith("."):
            assert (ROOT / source).exists(), f"{source} is not in the repository"
            assert rest.endswith(":ro")
        else:
            assert source in COMPOSE["volumes"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_for_what_the_other_can_tell(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        health = SERVICES[other].get("healthcheck", {})
        checked = "test" in health or ("build" in SERVICES[other] and not health.get("disable"))
        if how["condition"] == "service_healthy":
            assert checked, f"{name} waits for the health of {other}, which has no health check"
        else:
            assert how["condition"] == "service_completed_successfully"
            assert SERVICES[other]["restart"].startswith("on-failure")


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_pinned_by_tag(name: str) -> None:
    if "build" not in SERVICES[name]:
        assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+[\w.-]*", SERVICES[name]["image"])


def test_only_the_demo_simulates() -> None:
    assert [name for name, service in SERVICES.items() if service.get("profiles")] == ["simulator"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_runs_locked(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", SERVICES)
def test_no_container_is_given_more_than_its_own_network_and_files(name: str) -> None:
    service = SERVICES[name]
    more = {"privileged", "cap_add", "network_mode", "pid", "ipc", "userns_mode", "devices", "group_add"}
    assert not more & set(service)
    assert service.get("user", "") not in ("root", "0", 0)
    assert not [mount for mount in service.get("volumes", []) if mount.startswith("/")]


def test_the_image_runs_as_a_user_without_rights_that_owns_nothing_in_it() -> None:
    run = DOCKERFILE.rpartition("\nFROM ")[2]
    users = re.findall(r"^USER (\S+)$", run, re.MULTILINE)
    assert users == ["10001"]
    assert "useradd --system --uid 10001 --home-dir /nonexistent" in run
    assert "--chown" not in run
    assert run.index("\nUSER ") < run.index("\nENTRYPOINT ")


@pytest.mark.parametrize("name", [name for name, service in SERVICES.items() if "build" in service])
def test_callwatch_is_given_settings_and_commands_that_exist(name: str) -> None:
    assert set(SERVICES[name]["environment"]) <= {variable.name for variable in VARIABLES}
    assert SERVICES[name]["command"][0] in cli.commands


def test_secrets_are_files_of_one_folder_and_each_is_used() -> None:
    files = [secret["file"] for secret in COMPOSE["secrets"].values()]
    assert all(file.startswith("./secrets/") for file in files)
    # A container whose root cannot be written takes a secret from a file alone.
    assert {name for service in SERVICES.values() for name in service.get("secrets", [])} == set(COMPOSE["secrets"])


def test_prometheus_shows_the_token_that_it_is_given() -> None:
    job = load(ROOT / "config" / "prometheus" / "prometheus.yml")["scrape_configs"][0]
    (secret,) = SERVICES["prometheus"]["secrets"]
    assert job["authorization"]["credentials_file"] == f"/run/secrets/{secret}"
    (secret,) = SERVICES["board"]["secrets"]
    assert SERVICES["board"]["environment"]["CALLWATCH_TOKENS_FILE"] == f"/run/secrets/{secret}"


def test_workers_can_be_many() -> None:
    worker = SERVICES["worker"]
    assert not {"container_name", "ports", "hostname"} & set(worker)


def test_redis_password_stands_in_no_command_line() -> None:
    assert "${" not in "".join(SERVICES["redis"]["command"])


def test_passwords_come_from_env_and_the_example_names_them_all_without_values() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{(\w+)", COMPOSE_TEXT)) == set(re.findall(r"^(\w+)=$", example, re.MULTILINE))
    # Without a value of its own each is required: a stack with an empty password must not start.
    assert re.findall(r"\$\{\w+(?!\w|:\?)", COMPOSE_TEXT) == []


def test_kafka_is_the_version_that_the_tests_run() -> None:
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{kafka_version()}"


def test_the_image_copies_what_is_there_and_its_uv_is_the_locks() -> None:
    for sources in re.findall(r"^COPY (?!--)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        assert all((ROOT / source).exists() for source in sources.split())
    pinned = re.search(r"^uv==(\S+)", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE)
    assert pinned is not None
    assert f"uv=={pinned[1]}\n" in DOCKERFILE


@pytest.mark.alerts
@pytest.mark.parametrize(
    ("tool", "arguments", "file"),
    [
        ("promtool", ("check", "config", "--syntax-only"), "config/prometheus/prometheus.yml"),
        ("amtool", ("check-config",), "config/alertmanager/alertmanager.yml"),
    ],
)
def test_monitoring_is_configured_as_its_own_tool_wants_it(tool: str, arguments: tuple[str, ...], file: str) -> None:
    if which(tool) is None:
        missing(f"no {tool} on the path")
    checked = subprocess.run([tool, *arguments, str(ROOT / file)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_prometheus_scrapes_and_notifies_services_that_are_there() -> None:
    config = load(ROOT / "config" / "prometheus" / "prometheus.yml")
    groups = [*config["alerting"]["alertmanagers"], *config["scrape_configs"]]
    targets = {target for group in groups for static in group["static_configs"] for target in static["targets"]}
    assert targets == {"alertmanager:9093", "board:8080", "localhost:9090"}


def test_grafana_finds_its_data_source_and_its_dashboards() -> None:
    provisioning = ROOT / "config" / "grafana" / "provisioning"
    (source,) = load(provisioning / "datasources" / "prometheus.yml")["datasources"]
    (provider,) = load(provisioning / "dashboards" / "callwatch.yml")["providers"]
    (inside,) = (m.split(":")[1] for m in SERVICES["grafana"]["volumes"] if m.startswith("./config/grafana/"))
    assert source["url"] == "http://prometheus:9090"
    assert SERVICES["grafana"]["environment"]["GF_PATHS_PROVISIONING"] == inside
    assert provider["options"]["path"] == f"{inside}/dashboards"
