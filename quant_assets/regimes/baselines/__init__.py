"""What the hidden Markov model has to beat, under the same causal protocol.

A baseline is a function ``(past, seed) -> labeller``: it is fitted on the feature rows before a refit date, and its
labeller gives named probabilities for later rows, from rows up to each. Adding one is one file and one line here.
"""

from quant_assets.regimes.baselines.gaussian_mixture import gaussian_mixture
from quant_assets.regimes.baselines.markov_switching import markov_switching
from quant_assets.regimes.baselines.pca_kmeans import pca_kmeans
from quant_assets.regimes.baselines.protocol import Baseline, Labeller, label_baseline
from quant_assets.regimes.baselines.two_rule_threshold import two_rule_threshold

__all__ = ["BASELINES", "Baseline", "Labeller", "label_baseline"]

BASELINES: dict[str, Baseline] = {
    "gaussian_mixture": gaussian_mixture,
    "pca_kmeans": pca_kmeans,
    "threshold": two_rule_threshold,
    "markov_switching": markov_switching,
}
