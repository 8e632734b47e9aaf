"""What the lecture proves and the lazy limit predicts, as formulas on plain numbers and matrices;
nothing here has seen a run.
"""
