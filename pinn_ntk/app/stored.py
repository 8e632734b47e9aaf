"""The configuration of a run that is over, read from its folder as plain values: nothing in it can run code."""

from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from pinn_ntk.app.compose import resolved, translated
from pinn_ntk.app.faults import BadInputError, Fault
from pinn_ntk.app.no_code import targets

_CONFIG, _HYDRA = ".hydra/config.yaml", ".hydra/hydra.yaml"


def stored_config(run: Path) -> dict[str, Any]:
    """The configuration that a run was made with.

    Args:
        run: its folder.

    Raises:
        BadInputError: no folder of a run, or a file in it that is damaged or names code.
    """
    path = run / _CONFIG
    if not path.is_file():
        raise BadInputError(Fault("RUN", f"got {str(run)!r}, expected the folder of a run, which holds {_CONFIG}"))
    with translated(str(path.parent)):
        cfg = OmegaConf.load(path)
    if not isinstance(cfg, DictConfig):
        raise BadInputError(Fault(str(path), f"got a {type(cfg).__name__}, expected keys, such as problem:"))
    foreign = [*targets(OmegaConf.to_container(cfg, resolve=False))]
    if foreign:
        raise BadInputError(
            *(
                Fault(key, f"got {value!r} in {path}; _target_ is not used here and nothing was imported")
                for key, value in foreign
            )
        )
    config = resolved(cfg)
    missing = [name for name in ("problem", "seed") if name not in config]
    if missing:
        raise BadInputError(
            *(Fault(name, f"missing in {path}; expected the configuration of a run") for name in missing)
        )
    return config


def started_in(run: Path) -> Path:
    """The folder that relative paths of the configuration start from: the run's, where it is still there,
    else the present one.
    """
    try:
        node = yaml.safe_load((run / _HYDRA).read_text(encoding="utf-8"))
        place = Path(node["hydra"]["runtime"]["cwd"])
    except (OSError, UnicodeError, yaml.YAMLError, KeyError, TypeError):
        return Path.cwd()
    return place if place.is_dir() else Path.cwd()


def plugin_copies(run: Path) -> list[Path]:
    """A person's own Python that the run kept copies of."""
    return sorted((run / ".hydra").glob("*.py"))
