from __future__ import annotations

import ast
import importlib
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = [ROOT / name for name in ("quant_assets", "resources", "jobs", "sensors")]
MODULES = sorted(path for folder in CODE for path in folder.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
MAX_LINES = 300
MAX_FUNCTION_LINES = 45
LONGER_MODULES = {
    # One compiled account: numba inlines what it can see in one file (docs/adr/0004).
    "quant_assets/backtests/kernel.py": 660,
}
"""Modules over the limit, with the length they may not exceed: the list may only shrink."""


def functions(path: Path) -> list[ast.FunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def body_lines(function: ast.FunctionDef) -> int:
    """Lines of a function without its docstring."""
    first = function.body[1] if ast.get_docstring(function) and len(function.body) > 1 else function.body[0]
    return (function.end_lineno or 0) - first.lineno + 1


def test_modules_fit_in_the_head():
    """No module exceeds 300 lines but the listed ones, which do not grow."""
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name: n for name, n in lengths.items() if n > LONGER_MODULES.get(name, MAX_LINES)} == {}


def test_functions_are_short():
    """No function body exceeds 45 lines."""
    long = {
        f"{path.relative_to(ROOT)}:{function.name}": body_lines(function)
        for path in MODULES
        for function in functions(path)
        if body_lines(function) > MAX_FUNCTION_LINES
    }
    assert long == {}


def test_every_test_says_what_it_pins_down():
    """Each test has a docstring of one sentence naming the behaviour."""
    silent = [
        f"{path.relative_to(ROOT)}:{function.name}"
        for path in TESTS
        for function in functions(path)
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]
    assert silent == []


def test_no_test_patches_our_own_code():
    """Tests use real parts: no mock library, and monkeypatch touches the environment and the folder only."""
    offenders = []
    for path in TESTS:
        text = path.read_text(encoding="utf-8")
        if "unittest.mock" in text.replace('"unittest.mock"', "") or "monkeypatch.setattr" in text.replace(
            '"monkeypatch.setattr"', ""
        ):
            offenders.append(str(path.relative_to(ROOT)))
    assert offenders == []


def test_nothing_imports_dagster_internals():
    """No module reaches into dagster._core."""
    assert [str(p.relative_to(ROOT)) for p in MODULES if "dagster._" in p.read_text(encoding="utf-8")] == []


@pytest.mark.parametrize("name", ["jobs", "resources", "sensors"])
def test_generic_package_names_are_ours(name):
    """The generic top-level names import this project's packages, whatever else is installed."""
    module = importlib.import_module(name)
    assert Path(module.__file__).is_relative_to(ROOT)


def test_every_package_is_installed():
    """Each folder with Python modules is in the explicit package list, so that a wheel holds it too."""
    listed = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    folders = {".".join(path.parent.relative_to(ROOT).parts) for path in MODULES}
    assert [name for name in sorted(folders) if f'"{name}"' not in listed] == []


def test_nothing_generated_is_tracked():
    """No database, model, notebook or price file is in the repository."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    suffixes = (".duckdb", ".sqlite", ".parquet", ".ipynb", ".pkl", ".csv", ".csv.gz", ".db", ".png", ".html")
    assert [name for name in tracked if name.endswith(suffixes)] == []
