"""Threads that wait asleep, unless the environment says otherwise; imported first, because OpenMP reads it when torch is loaded.

By default OpenMP threads spin while they wait for one another. On a machine shared with other work, the spinning thread takes the
processor from the one that is waited for, and small steps become many times slower.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
