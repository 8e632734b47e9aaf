"""Training as a generator of states; trackers turn states into numbers."""
