"""A factory of experiments for studies: the shipped configuration with overrides, composed as the command does."""

from collections.abc import Callable, Mapping

import pytest

from pinn_ntk.app import ConfiguredFactory, Recomposer, group_options, load, read, resolved, rewrite
from pinn_ntk.studies import Factory


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
