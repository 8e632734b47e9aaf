"""Studies: many runs that answer one question, as one document."""
