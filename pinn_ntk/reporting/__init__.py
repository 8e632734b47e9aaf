"""Records of runs: the summary, the files of a run's folder, pictures and one self-contained page."""
