"""Tests for asynq_exporter.web.records."""

from pathlib import Path

import pytest

from asynq_exporter.core.records import WebhookRefunds
from asynq_exporter.settings import Settings, SettingsError, StartupError, resolve
from asynq_exporter.web import records


def settings_of(**environment: str) -> Settings:
    """Settings out of the environment."""
    return resolve(environment=environment).settings


async def test_embedded_records_need_nothing(tmp_path: Path) -> None:
    """The file and its tables are made."""
    settings = settings_of(ASYNQ_DATABASE_URL=f"sqlite:///{tmp_path}/records.db")
    async with records.opened(settings) as store:
        assert store.gives_refunds
        assert await store.get("a") is None
    assert records.refunds(settings) is None


async def test_database_that_is_away_is_a_failed_start(tmp_path: Path) -> None:
    """With its address."""
    settings = settings_of(ASYNQ_DATABASE_URL=f"sqlite:///{tmp_path}/no/folder/records.db")
    with pytest.raises(StartupError, match=r"no/folder/records\.db: the database failed"):
        async with records.opened(settings):
            pass


async def test_refunds_are_made_by_a_webhook(tmp_path: Path) -> None:
    """Then the ledger makes none."""
    secret = tmp_path / "secret"
    secret.write_text("0123456789abcdef\n")
    settings = settings_of(
        ASYNQ_DATABASE_URL=f"sqlite:///{tmp_path}/records.db",
        ASYNQ_RECORDS_WEBHOOK_URL="https://me:hunter2@pay.internal/refunds",
        ASYNQ_RECORDS_WEBHOOK_SECRET_FILE=str(secret),
    )
    async with records.opened(settings) as store:
        assert not store.gives_refunds
    assert isinstance(records.refunds(settings), WebhookRefunds)
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    ("url", "secret", "why"),
    [
        ("https://pay.internal/refunds", None, "secret-file: .*no such file"),
        ("https://pay.internal/refunds", "short", "16 bytes or more"),
        ("pay.internal", "0123456789abcdef", "begins with http"),
    ],
)
def test_webhook_that_cannot_work_is_refused(tmp_path: Path, url: str, secret: str | None, why: str) -> None:
    """At the start, not at the first refund."""
    path = tmp_path / "secret"
    if secret:
        path.write_text(secret)
    settings = settings_of(ASYNQ_RECORDS_WEBHOOK_URL=url, ASYNQ_RECORDS_WEBHOOK_SECRET_FILE=str(path))
    with pytest.raises(SettingsError, match=f"(?i){why}"):
        records.refunds(settings)


@pytest.mark.parametrize("name", ["ASYNQ_RECORDS_WEBHOOK_URL", "ASYNQ_RECORDS_WEBHOOK_SECRET_FILE"])
def test_webhook_needs_address_and_secret(name: str) -> None:
    """One without the other is a mistake."""
    with pytest.raises(SettingsError, match=f"^{name}: .* go together"):
        settings_of(**{name: "https://pay.internal"})
