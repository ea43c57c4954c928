"""A nightly quant research pipeline: one package ("room") per capability.

See ``docs/adr`` for the decisions behind the layout and ``definitions.py`` for the composition root.
"""
