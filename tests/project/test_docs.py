"""Documentation can fail: generated pages equal their source, links lead somewhere, numbers stand once."""

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from tools import generate_docs, translation
from tools.generate_docs import CHINESE, DOCS, ROOT

from asynq_exporter import __version__
from asynq_exporter.settings import OPTIONS

#: The pages of the documentation, and all pages for people.
DOCUMENTATION = sorted(DOCS.glob("*.md"))
PAGES = sorted([*ROOT.glob("*.md"), *DOCUMENTATION, *(ROOT / "bench").glob("*.md")])

#: Made, and so are their heads.
MADE = sorted([*DOCUMENTATION, generate_docs.MAN_PAGE])

#: Files beside the documentation that speak of the version.
VERSIONED = [
    ROOT / name
    for name in (
        "Dockerfile",
        "docker-compose.yml",
        "deploy/kubernetes/README.md",
        "deploy/kubernetes/README.zh-CN.md",
        "deploy/kubernetes/exporter/deployment.yaml",
    )
]

LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#]*)(?:#([^)]*))?\)")


def short(path: Path) -> str:
    """A page in the name of a test."""
    return str(path.relative_to(ROOT))


@pytest.fixture(scope="module")
def made() -> Mapping[Path, str]:
    """What `make docs` writes; fails where a sentence has no Chinese, or a Chinese one no English."""
    return generate_docs.pages()


@pytest.mark.parametrize("page", MADE, ids=short)
def test_page_is_current(made: Mapping[Path, str], page: Path) -> None:
    """`make docs` writes exactly what is committed."""
    assert made[page] == page.read_text("utf-8")


def test_no_page_is_missing(made: Mapping[Path, str]) -> None:
    """Every page that is made is there."""
    assert set(made) <= set(MADE)


@pytest.mark.parametrize("page", [*DOCUMENTATION, ROOT / "README.md"], ids=short)
def test_page_is_there_in_both_languages(page: Path) -> None:
    """Each page has its counterpart, under its name, with as many parts, rows, examples, pictures."""
    names = generate_docs.chinese_of(page.name), generate_docs.english_of(page.name)
    chinese, english = ((page.parent / name).read_text("utf-8") for name in names)

    for part in (r"^#", r"^\|", r"^```", r"^!\["):
        assert len(re.findall(part, english, re.M)) == len(re.findall(part, chinese, re.M)), part


@pytest.mark.parametrize("page", [page for page in PAGES if page.name.endswith(CHINESE)], ids=short)
def test_commands_are_the_same_in_both_languages(page: Path) -> None:
    """Who copies from the Chinese page does what the English one does; comments aside."""
    english = page.parent / generate_docs.english_of(page.name)
    command = re.compile(
        r"^((?:ACL|asynq-exporter(?! \d)|docker|jsonnet|make|git|\S*pip|psql) .*?) *(?:#.*)?$", re.M
    )

    assert command.findall(english.read_text("utf-8")) == [
        found.replace(CHINESE, ".md") for found in command.findall(page.read_text("utf-8"))
    ]


@pytest.mark.parametrize("page", [*MADE, *VERSIONED], ids=short)
def test_page_says_which_version_it_belongs_to(page: Path) -> None:
    """The one of the package, and no other is spoken of."""
    named = set(re.findall(r"asynq\\?-exporter[ :](\d+\.\d+\.\d+\S*?)[\s.\"]", page.read_text("utf-8")))

    assert {__version__} == named


@pytest.mark.parametrize("page", [page for page in PAGES if page.name.endswith(CHINESE)], ids=short)
def test_chinese_page_links_to_chinese_pages(page: Path) -> None:
    """Where there are some; the way back to English stands on top."""
    back = generate_docs.english_of(page.name)
    targets = [target for target, _ in LINK.findall(page.read_text("utf-8")) if target not in ("", back)]

    assert [] == [
        target
        for target in targets
        if target.endswith(".md")
        and not target.endswith(CHINESE)
        and (page.parent / generate_docs.chinese_of(target)).exists()
    ]


def test_translation_misses_a_text() -> None:
    """A sentence that was changed in English has no Chinese any more, and the old one is stale."""
    chinese = translation.Translation({"Title": "标题", "What it was.": "旧。", "flag": "参数", "`": "x"})

    assert "# 标题\n\nWhat it is.\n\n| 参数 | `--x` | 12 |\n|---|---|---|\n" == chinese.page(
        "# Title\n\nWhat\nit is.\n\n| flag | `--x` | 12 |\n|---|---|---|\n"
    )
    with pytest.raises(translation.TranslationError, match=r"\['What it is\.'\].*\['What it was\.', '`'\]"):
        chinese.check()


def test_translation_leaves_examples() -> None:
    """What stands between fences is the same in every language."""
    example = "```\nasynq-exporter serve   # a comment\n| no | table |\n```\n"
    chinese = translation.Translation({})

    assert example == chinese.page(example)
    chinese.check()


def test_every_option_is_documented() -> None:
    """Flag and environment name of each option are on the page."""
    text = (ROOT / "docs" / "configuration.md").read_text("utf-8")

    assert [] == [o.name for o in OPTIONS.values() if f"`{o.environment}`" not in text]


@pytest.mark.parametrize("page", PAGES, ids=short)
def test_relative_links_lead_somewhere(page: Path) -> None:
    """A link to a file of the repository names one that exists, and in a page a heading that it has."""
    for target, anchor in LINK.findall(page.read_text("utf-8")):
        other = page.parent / target if target else page

        assert other.exists(), target
        if anchor:
            assert anchor in anchors(other), f"{target}#{anchor}"


@pytest.mark.parametrize("picture", sorted((DOCS / "images").iterdir()), ids=short)
def test_picture_is_small_told_and_used(picture: Path) -> None:
    """Each is shown on a page of its language, with words for those who do not see it."""
    told = {
        (page.parent / target).resolve()
        for page in PAGES
        for text, target in re.findall(r"^!\[(.{20,})\]\((.*)\)$", page.read_text("utf-8"), re.M)
        if page.name.endswith(CHINESE) or ".zh." not in target
    }

    assert picture in told
    assert picture.stat().st_size < 150_000


def anchors(page: Path) -> set[str]:
    """Headings as a link names them."""
    titles = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_make_lists_its_targets() -> None:
    """`make` without a target says what there is."""
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)

    for target in ("demo", "test", "lint", "bundle", "bench", "docs"):
        assert f"make {target}" in done.stdout


def test_core_is_importable_alone() -> None:
    """Who embeds the core pays for redis and protobuf only."""
    code = "import asynq_exporter.core, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    loaded = set(done.stdout.split())
    assert not loaded & {"aiohttp", "prometheus_client", "click", "pydantic", "yaml", "structlog", "jinja2"}


@pytest.mark.parametrize(
    ("pattern", "allowed"),
    [
        (r"\"asynq:", {"core/keys.py"}),
        (r"\btime\.time\(|datetime\.now\(", {"core/clock.py"}),
        (r"\bos\.environ|\bsys\.argv", {"cli/configured.py", "cli/doctor.py"}),
    ],
    ids=["key names", "wall clock", "argv and environ"],
)
def test_each_has_its_one_place(pattern: str, allowed: set[str]) -> None:
    """Key names, the clock, argv and environ are spelled in one module each."""
    package = ROOT / "exporter" / "asynq_exporter"
    found = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if re.search(pattern, re.sub(r"\"\"\".*?\"\"\"|#.*", "", path.read_text("utf-8"), flags=re.DOTALL))
    }

    assert set() == {path for path in found if path not in allowed}
