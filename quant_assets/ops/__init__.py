"""What runs and people do to the system: operations store, publications, alert rows."""
