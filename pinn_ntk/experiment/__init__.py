"""Prediction, training and comparison wired into records; no configuration system is known here."""
