"""Settings from the environment and the universe file: everything a person configures, validated at the border.

Every variable is optional and listed in ``.env.example``. Nothing is read at import.
"""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from quant_assets.foundation.errors import ConfigurationError

__all__ = [
    "VENDOR_URL",
    "AssetClass",
    "Instrument",
    "Portfolio",
    "Settings",
    "Universe",
    "load_settings",
    "load_universe",
]

VENDOR_URL = "https://www.alphavantage.co/query"
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9-]{0,13}(\.(LON|TRT|TRV|DEX|FRK|BSE|SHH|SHZ))?")
_PLAN = re.compile(r"free|[1-9][0-9]{0,4}")


def _valid_symbol(symbol: str) -> str:
    if symbol != symbol.upper():
        raise ValueError(f"symbol {symbol!r} has lower-case letters; write {symbol.upper()!r}")
    if not _SYMBOL.fullmatch(symbol):
        if re.fullmatch(r"[A-Z0-9]+\.[A-Z]", symbol):
            dashed = symbol.replace(".", "-")
            raise ValueError(f"symbol {symbol!r} has a dot; the vendor writes share classes with a dash: {dashed!r}")
        raise ValueError(f"{symbol!r} is not a symbol; write capital letters, digits or a dash, such as 'BRK-B'")
    return symbol


Symbol = Annotated[str, AfterValidator(_valid_symbol)]


class AssetClass(StrEnum):
    """What kind of instrument a symbol is."""

    EQUITY = "equity"
    ETF = "etf"
    INDEX = "index"


class Instrument(BaseModel):
    """One line of the universe."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    symbol: Symbol
    name: str = Field(min_length=1)
    asset_class: AssetClass


class Portfolio(BaseModel):
    """Holdings: either cash and shares (negative is short) or a value and weights (the rest is cash)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cash: float | None = None
    shares: dict[Symbol, float] | None = None
    value: float | None = Field(default=None, gt=0)
    weights: dict[Symbol, float] | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        by_shares = self.shares is not None and self.value is None and self.weights is None
        by_weights = self.weights is not None and self.value is not None and self.cash is None and self.shares is None
        if not (by_shares or by_weights):
            raise ValueError("give either 'cash' and 'shares', or 'value' and 'weights'")
        return self

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols held, in the order of the file."""
        return tuple(self.shares or self.weights or ())


class Universe(BaseModel):
    """The instruments a home covers, the one that stands for the market, and the portfolio."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    symbols: tuple[Instrument, ...] = Field(min_length=1)
    market: Symbol | None = None
    portfolio: Portfolio | None = None
    dividend_adjustment: Literal["vendor", "crsp"] = "vendor"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = self.names
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"symbol {repeated[0]!r} is listed twice; remove one of the lines")
        if self.market is not None and self.market not in names:
            raise ValueError(f"market {self.market!r} is not among the symbols; add it to them or choose one of them")
        held = self.portfolio.symbols if self.portfolio else ()
        if unknown := [name for name in held if name not in names]:
            raise ValueError(f"the portfolio holds {unknown[0]!r}, which is not among the symbols; add it to them")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Symbols in the order of the file."""
        return tuple(instrument.symbol for instrument in self.symbols)

    def of_class(self, asset_class: AssetClass) -> tuple[str, ...]:
        """Symbols of one asset class."""
        return tuple(i.symbol for i in self.symbols if i.asset_class is asset_class)


class Settings(BaseSettings):
    """Environment variables, read once at the start of a process."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    quant_home: Path = Field(default=Path("data"), description="Folder of everything this installation writes.")
    quant_universe: Path = Field(default=Path("universe.yaml"), description="The universe file.")
    alpha_vantage_api_key: SecretStr | None = Field(
        default=None, description="Key of the price vendor; without one the embedded replay serves packaged history."
    )
    alpha_vantage_base_url: str = Field(
        default=VENDOR_URL,
        pattern=r"^https?://[^\s?#]+$",
        description="Endpoint of the vendor's protocol, /query included.",
    )
    alpha_vantage_plan: str = Field(default="free", description="free, or requests per minute such as 75 or 1200.")
    slack_bot_token: SecretStr | None = Field(default=None, description="Slack bot token for alerts.")
    slack_channel: str | None = Field(default=None, description="Slack channel for alerts.")
    slack_api_url: str = Field(default="https://slack.com/api/", description="Endpoint of Slack's web API.")
    alert_webhook_url: SecretStr | None = Field(default=None, description="URL that receives alerts as JSON.")
    mlflow_tracking_uri: str | None = Field(default=None, description="MLflow store; default SQLite in the home.")
    quant_api_tokens: SecretStr | None = Field(
        default=None, description="Bearer tokens of the read-only API, comma separated."
    )

    @model_validator(mode="after")
    def _known_plan(self) -> Self:
        if not _PLAN.fullmatch(self.alpha_vantage_plan):
            raise ValueError(
                f"ALPHA_VANTAGE_PLAN is {self.alpha_vantage_plan!r}; "
                "write 'free' or the plan's requests per minute, such as 75"
            )
        return self

    @property
    def home(self) -> Path:
        """``QUANT_HOME`` as an absolute path."""
        return self.quant_home.expanduser().resolve()

    @property
    def calls_per_minute(self) -> int | None:
        """Requests a minute of a premium plan; ``None`` on the free plan."""
        return None if self.alpha_vantage_plan == "free" else int(self.alpha_vantage_plan)

    @property
    def is_embedded(self) -> bool:
        """Whether prices come from the embedded replay: no key is set."""
        return self.alpha_vantage_api_key is None


def load_settings() -> Settings:
    """Read the environment and ``.env``.

    Raises
    ------
    ConfigurationError
        Naming the variable and what it takes.
    """
    try:
        settings = Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]).upper()
        raise ConfigurationError(f"{name + ': ' if name else ''}{_sentence(first['msg'])}.") from None
    key = settings.alpha_vantage_api_key
    if key is not None and key.get_secret_value().strip().lower() == "demo":
        raise ConfigurationError(
            "ALPHA_VANTAGE_API_KEY is the demo key, which answers a few sample URLs only; "
            "use a key of your own, or unset it to run on the embedded history."
        )
    return settings


def load_universe(path: Path) -> Universe:
    """Read and validate the universe file.

    Raises
    ------
    ConfigurationError
        One sentence naming the file, the line, the field and the fix.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"the universe file {path} cannot be read ({error.strerror}); create it or point QUANT_UNIVERSE at one."
        ) from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"the universe file {path} is not UTF-8 text; save it as UTF-8.") from None
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not valid YAML"
        raise ConfigurationError(f"{path}{where}: {problem}; mend the YAML.") from None
    if not isinstance(content, dict) or node is None:
        raise ConfigurationError(f"{path}: the file has no 'symbols' list; see universe.yaml in the repository.")
    try:
        return Universe.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        location = first["loc"]
        line = _line_of(node, location)
        name = ".".join(str(part) for part in location) or "universe"
        raise ConfigurationError(f"{path}, line {line}, {name}: {_sentence(first['msg'])}.") from None


def _sentence(message: str) -> str:
    return message.removeprefix("Value error, ").rstrip(".")


def _line_of(node: yaml.Node, location: tuple[Any, ...]) -> int:
    """Line (from 1) of the deepest part of ``location`` that exists in the file."""
    line = node.start_mark.line
    for part in location:
        if isinstance(node, yaml.MappingNode):
            match = next(((k, v) for k, v in node.value if k.value == str(part)), None)
            if match is None:
                break
            line, node = match[0].start_mark.line, match[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line
        else:
            break
    return line + 1
