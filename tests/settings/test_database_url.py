"""Tests for asynq_exporter.settings.database_url."""

import pytest

from asynq_exporter.settings import SettingsError, resolve
from asynq_exporter.settings.database_url import DatabaseUrl

SHOWN = [
    ("sqlite:///records.db", "sqlite:///records.db"),
    ("sqlite:////var/lib/asynq/records.db", "sqlite:////var/lib/asynq/records.db"),
    ("postgresql://db.internal/records", "postgresql://db.internal/records"),
    ("postgres://me:hunter2@db:5432/records", "postgres://***@db:5432/records"),
    (
        "postgresql://me:hunter%402@[::1]:5432/r?sslmode=require",
        "postgresql://***@[::1]:5432/r?sslmode=require",
    ),
    ("postgresql:///records?host=/run/postgresql", "postgresql:///records?host=/run/postgresql"),
    ("postgresql://db/records?password=hunter2&user=me", "postgresql://db/records?password=***&user=me"),
]

REFUSED = [
    ("mysql://me:hunter2@db/records", "not the address of a database"),
    ("records.db", "not the address of a database"),
    ("sqlite:records.db", "not the address of a database"),
    ("sqlite://", "names no file"),
    ("sqlite:///:memory:", "names no file"),
    ("sqlite://records.db", "names no file"),
    ("postgresql://db", "names no database"),
    ("postgresql://me:hunter2@db:port/records", "not a URL"),
    ("postgresql://me:hunter2#x@db/records", "not a URL"),
    ("postgresql://me:hunter2/x@db/records", "not a URL"),
    ("postgresql://me/hunter2@db/records", "ambiguous"),
    ("postgresql://db/records#part", "ambiguous"),
    ("postgresql://db/records\n", "control characters"),
]


@pytest.mark.parametrize(("text", "shown"), SHOWN)
def test_an_address_is_shown_without_its_password(text: str, shown: str) -> None:
    """In its text and its repr; whoever connects gets the whole."""
    url = DatabaseUrl.parse(text)

    assert shown == str(url)
    assert f"DatabaseUrl({shown!r})" == repr(url)
    assert text == url.reveal()


@pytest.mark.parametrize(("text", "why"), REFUSED)
def test_what_is_no_address_is_refused_without_its_password(text: str, why: str) -> None:
    """With where it was given, and what to write."""
    with pytest.raises(SettingsError, match=why) as caught:
        resolve(environment={"ASYNQ_DATABASE_URL": text})

    assert str(caught.value).startswith("ASYNQ_DATABASE_URL: ")
    assert "hunter2" not in str(caught.value)


def test_records_are_in_a_file_unless_the_environment_says_otherwise() -> None:
    """SQLite needs nothing; the variable has the name of the guide."""
    assert "sqlite:///asynq-records.db" == str(resolve().settings.records_database_url)
    settings = resolve(environment={"ASYNQ_DATABASE_URL": "postgresql://u:hunter2@db/r"}).settings
    assert "postgresql://u:hunter2@db/r" == settings.records_database_url.reveal()
    assert "hunter2" not in repr(settings)
