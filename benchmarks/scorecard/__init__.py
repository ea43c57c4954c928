"""The goals of the design beside what was measured: a module per room, each with its ``ROWS``."""
