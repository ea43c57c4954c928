"""One module per ``quant`` command: what the thin command line calls."""
