"""Secrets, certificates and who may see them: settings of the connections."""

from pathlib import Path

import pytest

from config.settings import load_settings
from tests.unit.test_settings import FILES, HORSE, SASL, refusal


def test_secrets_do_not_show() -> None:
    settings = load_settings({**SASL, "CALLWATCH_REDIS": "redis://joe:tiger@store:6379/0?password=again"})
    assert (settings.kafka_password, settings.redis) == ("hunter2", "redis://joe:tiger@store:6379/0?password=again")
    for shown in (repr(settings), str(settings), f"{settings}", str(settings.__rich_repr__())):
        assert not any(secret in shown for secret in ("hunter2", "marie", "joe", "tiger", "again"))
        assert "redis://***@store:6379/0" in shown
    assert HORSE not in repr(load_settings({"CALLWATCH_REDIS_PASSWORD": HORSE}))


@pytest.mark.parametrize("address", ["redis://:ti/ger@store:6379/0", "redis:tiger@store", "rediss://:a@tiger@h:port"])
def test_a_wrong_address_does_not_show_its_password(address: str) -> None:
    message = refusal({"CALLWATCH_REDIS": address})
    assert "ger@" not in message
    assert "***@" in message


def test_a_secret_is_read_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{HORSE}\r\n")
    assert load_settings({"CALLWATCH_REDIS_PASSWORD_FILE": str(file)}).redis_password == HORSE


@pytest.mark.parametrize(("content", "reason"), [(None, "No such file"), (b"\n", "is empty"), (b"\xff", "not UTF-8")])
def test_a_secrets_file_that_holds_none_is_refused(tmp_path: Path, content: bytes | None, reason: str) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    message = refusal({"CALLWATCH_KAFKA_PASSWORD_FILE": str(file)})
    assert message.startswith(f'CALLWATCH_KAFKA_PASSWORD_FILE: "{file}"')
    assert reason in message


def test_a_secret_is_given_once(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("hunter2")
    both = {"CALLWATCH_REDIS_PASSWORD": "a", "CALLWATCH_REDIS_PASSWORD_FILE": str(file)}
    assert "both set" in refusal(both)
    message = refusal({"CALLWATCH_REDIS": "redis://:b@h:1/0", "CALLWATCH_REDIS_PASSWORD": "a"})
    assert message == "CALLWATCH_REDIS_PASSWORD: CALLWATCH_REDIS has a password too; give it once"


def test_a_redis_user_may_have_its_password_elsewhere() -> None:
    settings = load_settings({"CALLWATCH_REDIS": "redis://joe@h:1/0", "CALLWATCH_REDIS_PASSWORD": HORSE})
    assert settings.redis_password == HORSE


@pytest.mark.parametrize("missing", ["CALLWATCH_KAFKA_USERNAME", "CALLWATCH_KAFKA_PASSWORD"])
def test_sasl_needs_user_and_password(missing: str) -> None:
    assert load_settings(SASL).kafka_sasl_mechanism == "PLAIN"
    message = refusal({name: value for name, value in SASL.items() if name != missing})
    assert message == f"{missing}: not set; CALLWATCH_KAFKA_SECURITY=sasl_ssl needs it"


def test_credentials_that_would_go_unused_are_refused() -> None:
    assert refusal({"CALLWATCH_KAFKA_PASSWORD": "hunter2"}) == (
        "CALLWATCH_KAFKA_PASSWORD: CALLWATCH_KAFKA_SECURITY=plaintext has no use for it; set sasl_ssl"
    )


@pytest.mark.parametrize("name", FILES)
def test_certificates_need_an_encrypted_connection(tmp_path: Path, name: str) -> None:
    file = tmp_path / "x.pem"
    file.touch()
    encrypted = {**dict.fromkeys(FILES, str(file)), "CALLWATCH_KAFKA_SECURITY": "ssl"}
    assert load_settings(encrypted).kafka_key_file == file
    assert refusal({name: str(file)}).startswith(f"{name}: CALLWATCH_KAFKA_SECURITY=plaintext has no use")


def test_a_key_needs_its_certificate(tmp_path: Path) -> None:
    file = tmp_path / "x.pem"
    file.touch()
    message = refusal({"CALLWATCH_KAFKA_SECURITY": "ssl", "CALLWATCH_KAFKA_KEY_FILE": str(file)})
    assert "CALLWATCH_KAFKA_CERT_FILE" in message
