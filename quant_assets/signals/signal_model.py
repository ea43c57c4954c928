"""A trained model as it is kept and used: the booster, its calibration and everything it was fitted on.

A model is a folder of files: LightGBM's text, and JSON that a person can read. :class:`SignalModel` turns them into
predictions and refuses what it was not made for.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from quant_assets.foundation.errors import StorageError
from quant_assets.signals.base_rates import BaseRates
from quant_assets.signals.calibration import Calibrator, PlattMap, calibrator_from_json, sigmoid
from quant_assets.signals.drift_reference import DriftReference
from quant_assets.signals.gradient_boosting import booster_from_text, contributions, raw_scores
from quant_assets.signals.model_spec import ModelSpec
from quant_assets.signals.reasons import BIAS, CALIBRATION
from quant_assets.signals.training_table import feature_matrix, knows_enough

if TYPE_CHECKING:
    from lightgbm import Booster

__all__ = ["BOOSTER_FILE", "MANIFEST_FILE", "REFERENCE_FILE", "ModelCard", "Scores", "SignalModel", "card_from_json"]

Floats = npt.NDArray[np.float64]

BOOSTER_FILE, MANIFEST_FILE, REFERENCE_FILE = "model.txt", "model.json", "drift_reference.json"


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a model was fitted on and with.

    Parameters
    ----------
    model_version : str
        Such as ``jump-3``.
    spec : ModelSpec
    feature_version : int
    features : tuple of str
        In the booster's order.
    trained_from, trained_to : date
        First and last session of the training rows.
    known_on : date
        Session whose close the last label was known at; predictions for later sessions are out of sample.
    rows, rounds : int
    created_at : datetime
        By the source's clock.
    git_revision : str
    importance : dict of str to pair of float
        Feature -> share of the gain, and mean absolute contribution in log-odds.
    """

    model_version: str
    spec: ModelSpec
    feature_version: int
    features: tuple[str, ...] = field(repr=False)
    trained_from: dt.date
    trained_to: dt.date
    known_on: dt.date
    rows: int
    rounds: int
    created_at: dt.datetime
    git_revision: str
    importance: dict[str, tuple[float, float]] = field(repr=False)

    @property
    def model(self) -> str:
        """The named model that this is a version of."""
        return self.spec.name


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Predictions of some rows.

    Parameters
    ----------
    probability, base_rate, log_odds : array, shape (n,)
    parts : tuple of str
        Features, then the bias, then with isotonic calibration what it adds.
    contributions : array, shape (n, parts)
        Each row adds up to ``log_odds``.
    values : array of float32, shape (n, k)
        The features as the booster saw them.
    """

    probability: Floats = field(repr=False)
    base_rate: Floats = field(repr=False)
    log_odds: Floats = field(repr=False)
    parts: tuple[str, ...] = field(repr=False)
    contributions: Floats = field(repr=False)
    values: npt.NDArray[np.float32] = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class SignalModel:
    """A model that can score."""

    card: ModelCard
    booster: Booster = field(repr=False)
    calibrator: Calibrator = field(repr=False)
    rates: BaseRates = field(repr=False)
    reference: DriftReference = field(repr=False)

    def scorable(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows of which enough features are known, by the rule that its training rows were chosen by."""
        return frame.filter(pl.Series(knows_enough(feature_matrix(frame, self.card.features)), dtype=pl.Boolean))

    def score(self, frame: pl.DataFrame) -> Scores:
        """Predict rows of the feature store.

        Parameters
        ----------
        frame : DataFrame
            symbol and the model's features.

        Raises
        ------
        DataError
            Where a feature is missing: nothing is guessed.
        """
        matrix = feature_matrix(frame, self.card.features)
        parts = contributions(self.booster, matrix) if len(matrix) else np.zeros((0, matrix.shape[1] + 1))
        raw = parts.sum(axis=1)
        odds = self.calibrator.log_odds(raw)
        names = (*self.card.features, BIAS)
        if isinstance(self.calibrator, PlattMap):
            parts = parts * self.calibrator.slope
            parts[:, -1] += self.calibrator.intercept
        else:
            parts = np.column_stack([parts, odds - raw])
            names = (*names, CALIBRATION)
        symbols = np.array(frame["symbol"].to_list(), dtype=np.str_)
        return Scores(sigmoid(odds), self.rates.of(symbols), odds, names, parts, matrix)

    def probabilities(self, frame: pl.DataFrame) -> Floats:
        """Probabilities alone, without the cost of contributions."""
        matrix = feature_matrix(frame, self.card.features)
        if not len(matrix):
            return np.zeros(0)
        return sigmoid(self.calibrator.log_odds(raw_scores(self.booster, matrix)))

    def files(self) -> dict[str, bytes]:
        """The model as files by name."""
        text = self.booster.model_to_string().encode()
        card = asdict(self.card) | {
            "spec": self.card.spec.to_json(),
            "features": list(self.card.features),
            "calibration": self.calibrator.to_json(),
            "base_rates": asdict(self.rates),
            "booster_sha256": hashlib.sha256(text).hexdigest(),
        }
        return {
            BOOSTER_FILE: text,
            MANIFEST_FILE: _json(card),
            REFERENCE_FILE: _json(self.reference.to_json()),
        }

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> SignalModel:
        """The model that :meth:`files` wrote.

        Raises
        ------
        StorageError
            Where a file is missing or damaged.
        """
        try:
            card = json.loads(files[MANIFEST_FILE])
            text = files[BOOSTER_FILE]
            if hashlib.sha256(text).hexdigest() != card["booster_sha256"]:
                raise StorageError(f"{card['model_version']}: {BOOSTER_FILE} was changed after it was saved; {_ADVICE}")
            return cls(
                card=card_from_json(card),
                booster=booster_from_text(text.decode()),
                calibrator=calibrator_from_json(card["calibration"]),
                rates=BaseRates(**card["base_rates"]),
                reference=DriftReference.from_json(json.loads(files[REFERENCE_FILE])),
            )
        except (KeyError, TypeError, ValueError, UnicodeDecodeError) as error:
            raise StorageError(f"a stored model cannot be read ({type(error).__name__}: {error}); {_ADVICE}") from error


_ADVICE = "restore the folder from a backup, or roll back to another version."


def card_from_json(card: Mapping[str, Any]) -> ModelCard:
    """The card inside a manifest, without loading the booster."""
    return ModelCard(
        model_version=card["model_version"],
        spec=ModelSpec.from_json(card["spec"]),
        feature_version=card["feature_version"],
        features=tuple(card["features"]),
        trained_from=dt.date.fromisoformat(card["trained_from"]),
        trained_to=dt.date.fromisoformat(card["trained_to"]),
        known_on=dt.date.fromisoformat(card["known_on"]),
        rows=card["rows"],
        rounds=card["rounds"],
        created_at=dt.datetime.fromisoformat(card["created_at"]),
        git_revision=card["git_revision"],
        importance={name: (pair[0], pair[1]) for name, pair in card["importance"].items()},
    )


def _json(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values, indent=1, default=_plain, allow_nan=True).encode()


def _plain(value: object) -> str:
    if isinstance(value, dt.date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
