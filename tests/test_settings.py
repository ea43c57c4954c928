from __future__ import annotations

import re
from pathlib import Path

import pytest

from quant_assets.foundation.errors import ConfigurationError
from quant_assets.settings import Settings, load_settings, load_universe

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def universe(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "universe.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_need_no_environment():
    """Without any variable the settings name the embedded source and the folder data."""
    settings = load_settings()
    assert settings.is_embedded
    assert settings.quant_home == Path("data")
    assert settings.calls_per_minute is None


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("ALPHA_VANTAGE_PLAN", "gold", "requests per minute"),
        ("ALPHA_VANTAGE_PLAN", "0", "requests per minute"),
        ("ALPHA_VANTAGE_BASE_URL", "ftp://x/query", "ALPHA_VANTAGE_BASE_URL"),
        ("ALPHA_VANTAGE_API_KEY", "demo", "demo key"),
    ],
)
def test_wrong_setting_is_one_sentence(monkeypatch, name, value, named):
    """A wrong variable is refused with its name and what it takes."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=named) as error:
        load_settings()
    assert "\n" not in str(error.value)


def test_secrets_are_never_shown(monkeypatch):
    """The key does not appear in the representation of the settings."""
    monkeypatch.setenv("ALPHA_VANTAGE_API_KEY", "TOPSECRET123")
    assert "TOPSECRET123" not in repr(load_settings())


def test_env_example_lists_every_setting_and_nothing_else():
    """The example file and the settings class name the same variables."""
    listed = re.findall(r"^#?\s?([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(name.upper() for name in Settings.model_fields)


def test_shipped_universe_is_valid():
    """The universe file of the repository loads and has a market and a portfolio."""
    shipped = load_universe(ROOT / "universe.yaml")
    assert shipped.market in shipped.names
    assert shipped.portfolio is not None


SYMBOL = "{symbol: %s, name: X, asset_class: equity}"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("symbols: []\n", "line 1, symbols"),
        ("", "symbols"),
        ("- 1\n", "symbols"),
        ("symbols:\n  - " + SYMBOL % "ibm", "line 2, symbols.0.symbol.*'IBM'"),
        ("symbols:\n  - " + SYMBOL % "BRK.B", "line 2.*'BRK-B'"),
        ("symbols:\n  - " + SYMBOL % "'A B'", "line 2.*not a symbol"),
        (f"symbols:\n  - {SYMBOL % 'IBM'}\n  - {SYMBOL % 'IBM'}", "'IBM' is listed twice"),
        ("symbols:\n  - {symbol: IBM, name: X, asset_class: bond}", "line 2, symbols.0.asset_class"),
        ("symbols:\n  - {symbol: IBM, name: X}", "asset_class"),
        ("symbols:\n  - %s\nmarket: SPY" % (SYMBOL % "IBM"), "market 'SPY' is not among"),
        ("symbols:\n  - %s\nportfolio: {value: 1, shares: {IBM: 1}}" % (SYMBOL % "IBM"), "line 3, portfolio"),
        ("symbols:\n  - %s\nportfolio: {cash: 1, shares: {GE: 1}}" % (SYMBOL % "IBM"), "'GE'"),
        ("symbols:\n  - %s\nextra: 1" % (SYMBOL % "IBM"), "line 3, extra"),
        ("symbols:\n  - {symbol: IBM\n", "line"),
        ("symbols: [\n", "mend the YAML"),
    ],
)
def test_wrong_universe_names_line_and_field(tmp_path, text, named):
    """Every mistake in the universe file is one sentence naming the file, the line and the field."""
    path = universe(tmp_path, text)
    with pytest.raises(ConfigurationError, match=named) as error:
        load_universe(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_universe_says_what_to_do(tmp_path):
    """A universe file that does not exist is named together with the variable that points at it."""
    with pytest.raises(ConfigurationError, match="QUANT_UNIVERSE"):
        load_universe(tmp_path / "none.yaml")
