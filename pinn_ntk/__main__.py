"""`python -m pinn_ntk`, and the entry point of `pinn-ntk`."""

import sys

from pinn_ntk.app.cli import main

if __name__ == "__main__":
    sys.exit(main())
