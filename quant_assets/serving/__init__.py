"""Publishing the readers' database."""
