"""The page of the faults."""

from tools import faults_page

from tests.processes import ROOT


def test_page_is_made_of_the_suite() -> None:
    """docs/faults.md is what the suite says; `make docs` writes it."""
    assert faults_page.page() == (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
