"""Where prediction and measurement meet: statements with verdicts."""
