"""What a signal model is asked to predict and how it is trained: everything that decides its predictions.

Two specifications give the same predictions on the same rows exactly where they are equal, so a specification is saved
with every version. A retraining of a default model starts from the code's specification, that of another model from its
champion's or, without one, its challenger's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from quant_assets.foundation.errors import ConfigurationError
from quant_assets.foundation.walk_forward import WalkForward

__all__ = ["CALIBRATIONS", "DEFAULT_MODELS", "BoostingParameters", "LabelRule", "ModelSpec"]

CALIBRATIONS = ("platt", "isotonic")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")


@dataclass(frozen=True, slots=True)
class LabelRule:
    """The event that a model predicts: the return over the next bars exceeds a threshold.

    Parameters
    ----------
    horizon_days : int
        Bars of the symbol after the session; 1 is the next session.
    threshold : float
        Return, as a fraction, that has to be exceeded.
    """

    horizon_days: int
    threshold: float

    def __post_init__(self) -> None:
        if not 1 <= self.horizon_days <= 252:
            raise ConfigurationError(f"horizon_days is {self.horizon_days}; choose 1 to 252 sessions")
        if not -0.9 <= self.threshold <= 0.9:
            raise ConfigurationError(f"threshold is {self.threshold}; write it as a fraction, such as 0.02 for 2 %")

    @property
    def has_downside(self) -> bool:
        """Whether missing the event is bad news: not exceeding zero is a fall, not rising over 2 % is nothing."""
        return self.threshold <= 0.0

    @property
    def words(self) -> str:
        """The event in words."""
        sessions = "the next session" if self.horizon_days == 1 else f"the next {self.horizon_days} sessions"
        return f"a return over {self.threshold:.1%} in {sessions}"


@dataclass(frozen=True, slots=True)
class BoostingParameters:
    """Parameters of LightGBM, by meaning.

    The defaults are deliberately small and slow. On the packaged history the skill of ``jump`` stays between 8.1 and
    8.4 % for 4 to 16 leaves, 100 to 400 rows in a leaf, 25 to 50 % of the features per tree and 31 to 255 bins, so
    nothing hangs on them; 63 bins cost a third less time than 255.
    """

    rounds: int = 200
    learning_rate: float = 0.03
    leaves: int = 8
    min_rows_in_leaf: int = 200
    feature_share: float = 0.3
    row_share: float = 0.7
    l2: float = 10.0
    bins: int = 63

    def __post_init__(self) -> None:
        if not STAGE_ROUNDS <= self.rounds <= 5000:
            raise ConfigurationError(f"rounds is {self.rounds}; choose {STAGE_ROUNDS} to 5000")


STAGE_ROUNDS = 5
"""Early stopping looks at every fifth round: neighbouring rounds of a slow learner differ by nothing."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One named model.

    Parameters
    ----------
    name : str
        Lower-case letters, digits and underscores.
    label : LabelRule
    split : WalkForward
    boosting : BoostingParameters
    calibration : str
        One of ``CALIBRATIONS``.
    inner_folds : int
        Folds that only choose rounds and calibrate; the folds after them are reported.
    tuning_trials : int
        Trials of the parameter search inside each training part; 0 for none.
    lookback_sessions : int, optional
        Only the newest so many sessions are used; all by default.
    symbols : tuple of str
        Only these are trained on; all where empty. Every symbol is scored.
    seed : int
    """

    name: str
    label: LabelRule
    split: WalkForward = field(default_factory=WalkForward)
    boosting: BoostingParameters = field(default_factory=BoostingParameters)
    calibration: str = "platt"
    inner_folds: int = 4
    tuning_trials: int = 0
    lookback_sessions: int | None = None
    symbols: tuple[str, ...] = ()
    seed: int = 7

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigurationError(
                f"model name {self.name!r} is not usable; use lower-case letters, digits and underscores"
            )
        if self.calibration not in CALIBRATIONS:
            raise ConfigurationError(f"calibration {self.calibration!r} is unknown; choose one of {CALIBRATIONS}")
        if self.inner_folds < 1 or self.tuning_trials < 0:
            raise ConfigurationError("inner_folds must be at least 1 and tuning_trials 0 or more")
        if self.lookback_sessions is not None and self.lookback_sessions < self.split.min_train_sessions:
            raise ConfigurationError(
                f"lookback_sessions is {self.lookback_sessions}; the first training part alone needs "
                f"{self.split.min_train_sessions}"
            )

    @property
    def is_narrowed_default(self) -> bool:
        """Whether it trains a default model on chosen symbols or sessions, which nobody does but by choice."""
        usual = {spec.name: (spec.symbols, spec.lookback_sessions) for spec in DEFAULT_MODELS}
        return self.name in usual and (self.symbols, self.lookback_sessions) != usual[self.name]

    def to_json(self) -> dict[str, Any]:
        """Plain values that :meth:`from_json` takes back."""
        return asdict(self) | {"symbols": list(self.symbols)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ModelSpec:
        """The specification that :meth:`to_json` wrote."""
        parts = {
            "label": LabelRule(**values["label"]),
            "split": WalkForward(**values["split"]),
            "boosting": BoostingParameters(**values["boosting"]),
            "symbols": tuple(values["symbols"]),
        }
        return cls(**{**values, **parts})

    def with_changes(self, **changes: Any) -> ModelSpec:
        """A copy with other fields; those that are None are left as they are."""
        return replace(self, **{name: value for name, value in changes.items() if value is not None})


DEFAULT_MODELS: tuple[ModelSpec, ...] = (
    ModelSpec("direction", LabelRule(horizon_days=5, threshold=0.0)),
    ModelSpec("jump", LabelRule(horizon_days=1, threshold=0.02)),
)
"""``direction``: higher after five sessions. ``jump``: the next session rises over 2 %."""
