"""A seeded synthetic market whose truth is known: regimes, planted anomalies, events, listing intervals.

Every random number comes from a stream of its own, named by the seed, a purpose and the number of the symbol, and is
drawn in the order of time. So a longer history starts with the shorter one, and a symbol does not depend on how many
others there are.
"""
