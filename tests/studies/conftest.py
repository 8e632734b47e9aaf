"""A factory of experiments for studies: the shipped configuration with overrides, composed as the command does."""

from collections.abc import Callable, Mapping

import pytest

from pinn_ntk.app.cli import Recomposer
from pinn_ntk.app.command_line import read, rewrite
from pinn_ntk.app.compose import group_options, resolved
from pinn_ntk.app.plugins import load
from pinn_ntk.app.study import ConfiguredFactory
from pinn_ntk.studies.study import Factory


@pytest.fixture
def factory() -> Callable[..., Factory]:
    """Words of a command line → the factory that a study of that command would get."""

    def make(*words: str) -> Factory:
        request, groups, plugins = read(words), group_options(None), load(())
        lines, faults = rewrite(request, groups, plugins)
        assert not faults, faults
        recompose = Recomposer(request, groups, plugins, tuple(lines))
        base: Mapping[str, object] = resolved(recompose({}))
        return ConfiguredFactory(base, plugins, recompose)

    return make
