"""Market regimes: causal hidden Markov models, state naming and alignment, baselines."""
