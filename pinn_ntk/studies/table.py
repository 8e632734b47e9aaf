"""The table of studies. The arguments of a builder after the first are the keys `study.<name>` that a person may set."""

from collections.abc import Callable

from pinn_ntk.studies.study import Study

STUDIES: dict[str, Callable[..., Study]] = {}
