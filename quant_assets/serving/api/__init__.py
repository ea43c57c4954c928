"""The read-only HTTP API over the readers' database."""
