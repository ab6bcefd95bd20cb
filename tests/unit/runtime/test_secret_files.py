"""Tests secrets in files: the content of the file, the errors, and that a secret must not be given both ways."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditlane.runtime import secret_files, settings
from auditlane.runtime.errors import ConfigError
from auditlane.sdk import ClientConfig

PASSWORD = "AUDITLANE_CLICKHOUSE_PASSWORD"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "password"
    monkeypatch.setenv(f"{PASSWORD}_FILE", str(path))
    return path


@pytest.mark.parametrize("written", ["hunter2", "hunter2\n", "hunter2\r\n"])
def test_a_newline_at_the_end_is_not_part_of_the_secret(file: Path, written: str) -> None:
    file.write_bytes(written.encode())
    assert settings.load().clickhouse_password.get_secret_value() == "hunter2"


def test_spaces_are_part_of_the_secret(file: Path) -> None:
    file.write_text(" hunter 2 \n\n")
    assert settings.load().clickhouse_password.get_secret_value() == " hunter 2 \n"


def test_every_unusable_file_is_named_with_its_variable(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_bytes(b"\xff\xfe secret")
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "large").write_text("x" * (secret_files.LARGEST + 1))
    monkeypatch.setenv("AUDITLANE_REGISTRY_PASSWORD_FILE", str(tmp_path / "missing"))
    monkeypatch.setenv("AUDITLANE_REGISTRY_TOKEN_FILE", str(tmp_path / "empty"))
    monkeypatch.setenv("AUDITLANE_KAFKA_EXTRA_FILE", str(tmp_path / "large"))
    with pytest.raises(ConfigError) as caught:
        settings.load()
    assert sorted(caught.value.message.splitlines()[1:]) == [
        f"  AUDITLANE_CLICKHOUSE_PASSWORD_FILE: {file} is not UTF-8 text",
        f"  AUDITLANE_KAFKA_EXTRA_FILE: {tmp_path / 'large'} is larger than 64 KiB",
        f"  AUDITLANE_REGISTRY_PASSWORD_FILE: {tmp_path / 'missing'} cannot be read: No such file or directory",
        f"  AUDITLANE_REGISTRY_TOKEN_FILE: {tmp_path / 'empty'} is empty",
    ]


def test_a_secret_that_is_set_in_both_ways_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("hunter2")
    monkeypatch.setenv(PASSWORD, "hunter3")
    with pytest.raises(ConfigError, match=f"{PASSWORD}_FILE: {PASSWORD} is set too; set only one") as caught:
        settings.load()
    assert "hunter" not in str(caught.value)
    monkeypatch.setenv(PASSWORD, "")
    assert settings.load().clickhouse_password.get_secret_value() == "hunter2"


def test_kafkas_options_come_from_a_file_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kafka.json").write_text('{"sasl.password": "hunter2"}\n')
    monkeypatch.setenv("AUDITLANE_KAFKA_EXTRA_FILE", str(tmp_path / "kafka.json"))
    assert settings.load().kafka_extra == {"sasl.password": "hunter2"}
    (tmp_path / "kafka.json").write_text("sasl.password=hunter2")
    with pytest.raises(ConfigError, match="AUDITLANE_KAFKA_EXTRA: must be a JSON object") as caught:
        settings.load()
    assert "hunter2" not in str(caught.value)


def test_the_sdk_reads_the_same_files(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hunter2\n")
    environ = {
        "AUDITLANE_KAFKA_BOOTSTRAP": "kafka:9092",
        "AUDITLANE_REGISTRY_URL": "https://registry.example",
        "AUDITLANE_REGISTRY_TOKEN_FILE": str(tmp_path / "token"),
    }
    assert ClientConfig.load(environ).registry_token == "hunter2"
    assert ClientConfig.load(environ, registry_token="other").registry_token == "other"
    with pytest.raises(ConfigError, match="AUDITLANE_REGISTRY_TOKEN is set too"):
        ClientConfig.load(environ | {"AUDITLANE_REGISTRY_TOKEN": "x"})


def test_every_secret_of_the_settings_may_come_from_a_file() -> None:
    assert set(settings.SECRETS) == {
        *("kafka_extra", "registry_password", "registry_token", "clickhouse_password"),
        *("export_s3_secret_key", "outbox_url"),
    }


def test_variables_for_a_child_replace_the_files_of_the_same_secrets() -> None:
    environ = {f"{PASSWORD}_FILE": "/run/a", "AUDITLANE_REGISTRY_TOKEN_FILE": "/run/b", "PATH": "/bin"}
    own = {PASSWORD: "x", "AUDITLANE_REGISTRY_TOKEN": ""}
    assert secret_files.without_conflicts(environ, own) == {
        "AUDITLANE_REGISTRY_TOKEN_FILE": "/run/b",
        "PATH": "/bin",
        **own,
    }


def test_a_port_that_kubernetes_set_for_a_service_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDITLANE_WORKER_PORT", "tcp://10.0.0.1:8481")
    with pytest.raises(ConfigError, match=r"AUDITLANE_WORKER_PORT: is 'tcp.*set enableServiceLinks: false"):
        settings.load()
