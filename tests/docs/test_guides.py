from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(language: str) -> list[tuple[str, str]]:
    pattern = re.compile(rf"```{language}\n(.*?)```", re.DOTALL)
    return [(path.name, block) for path in GUIDES for block in pattern.findall(path.read_text(encoding="utf-8"))]


def statements() -> list[tuple[str, str]]:
    return [(name, one.strip()) for name, block in blocks("sql") for one in block.split(";\n") if one.strip()]


@pytest.mark.xdist_group("guides")  # the other process would only wait for the home
@pytest.mark.parametrize(("name", "sql"), statements(), ids=lambda value: value[:60])
def test_sql_of_the_guides_runs(filled, name, sql):
    """Every SQL statement of the guides runs on a published database."""
    filled.read(sql.rstrip(";"))


def test_make_targets_of_the_readme_exist():
    """Each make command that the documents name is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {match for path in GUIDES for match in re.findall(r"make ([a-z]+)\b", _code(path))}
    assert named
    assert named <= targets


def test_quant_commands_of_the_documents_exist():
    """Each quant command that the documents name is known to the command line."""
    named = {
        match
        for path in GUIDES
        for match in re.findall(r"quant ((?:replay |events |models |alerts )?[a-z-]+)", _code(path))
    }
    for command in sorted(named):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "quant_assets.cli", *command.split(), "--help"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (command, done.stderr)


def test_links_between_documents_lead_somewhere():
    """Relative links of the documents name existing files."""
    for path in GUIDES:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), (path.name, target)


def test_generated_documents_are_current():
    """The data dictionary and the README's graph are what the code says."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "docs/generate.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _code(path: Path) -> str:
    """The code of a document: fenced shell blocks and inline code."""
    text = path.read_text(encoding="utf-8")
    return "\n".join([*re.findall(r"```sh\n(.*?)```", text, re.DOTALL), *re.findall(r"`([^`\n]+)`", text)])
