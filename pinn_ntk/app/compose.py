"""Hydra's composition, with its errors in our words, and the guard that keeps files from running code."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import yaml
from hydra import version as hydra_version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from pinn_ntk.app.faults import BadInputError, Fault
from pinn_ntk.app.no_code import check_no_code, check_no_search
from pinn_ntk.app.schema import defaults
from pinn_ntk.arguments import nearest
from pinn_ntk.networks.library import NETWORKS
from pinn_ntk.problem.library import PROBLEMS
from pinn_ntk.training.methods import METHODS

CONFIG = "config"
_PACKAGE = Path(__file__).resolve().parents[1]
_PACKAGES = {
    "hydra/launcher/joblib": "hydra-joblib-launcher",
    "hydra/launcher/submitit_local": "hydra-submitit-launcher",
    "hydra/launcher/submitit_slurm": "hydra-submitit-launcher",
}


def conf_dir() -> Path:
    """The configuration that is shipped: inside the package in a wheel, beside it in a checkout."""
    return next(
        (p for p in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if (p / f"{CONFIG}.yaml").is_file()),
        _PACKAGE / "conf",
    )


def group_options(config_dir: str | None = None) -> dict[str, list[str]]:
    """The groups with their options, a person's own among them."""
    folders = [conf_dir(), *([Path(config_dir)] if config_dir else [])]
    options: dict[str, set[str]] = {}
    for folder in folders:
        for path in folder.glob("*/*.yaml"):
            if not path.parent.name.startswith((".", "hydra")) and not path.name.startswith("_"):
                options.setdefault(path.parent.name, set()).add(path.stem)
    return {group: sorted(names) for group, names in sorted(options.items())}


class GuardedLoader(ConfigLoaderImpl):
    """Hydra's loader, through which every configuration passes, those of a sweep's jobs too;
    none that would run code gets out.
    """

    _last: tuple[object, DictConfig] | None = None

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        """The composed configuration. What was composed last is handed out once more,
        so that a run is not composed twice.

        Raises:
            BadInputError: it would make Hydra import or call something.
        """
        asked = (config_name, tuple(overrides), run_mode)
        before, self._last = self._last, None
        if before is not None and before[0] == asked:
            return before[1]
        cfg = super().load_configuration(config_name, overrides, run_mode, from_shell, validate_sweep_overrides)
        check_no_code(cfg, overrides)
        check_kinds(cfg, overrides)
        complete(cfg)
        self._last = asked, cfg
        return cfg

    def _process_config_searchpath(
        self, config_name: str | None, parsed_overrides: list[Override], repo: CachingConfigRepository
    ) -> None:
        loaded = None if config_name is None else repo.load_config(config_path=config_name)
        if loaded is not None and isinstance(loaded.config, DictConfig):
            check_no_search(loaded.config, parsed_overrides)


def check_kinds(cfg: DictConfig, overrides: Sequence[str]) -> None:
    """Refuse a kind that is typed beside the choice of another one.

    Args:
        cfg: composed.
        overrides: what was typed.

    Raises:
        BadInputError: optimizer=sgd optimizer.kind=adam.
    """
    faults = []
    for group in ("problem", "optimizer", "network"):
        option, kind = str(OmegaConf.select(cfg, f"hydra.runtime.choices.{group}")), f"{group}.kind="
        typed = [word.lstrip("+").removeprefix(kind) for word in overrides if word.lstrip("+").startswith(kind)]
        if typed and "${" not in typed[-1] and option in (*PROBLEMS, *METHODS, *NETWORKS) and typed[-1] != option:
            faults.append(Fault(kind.rstrip("="), f"got {typed[-1]} beside {group}={option}; give one of the two"))
    if faults:
        raise BadInputError(*faults)


def complete(cfg: DictConfig) -> None:
    """Write into a configuration what its signatures take where it says nothing, so that a person can see every value.

    Args:
        cfg: composed; a group that is no mapping, or of a kind that is not known here, is left as it is.
    """
    plain = cast(dict[str, Any], OmegaConf.to_container(cfg, resolve=False))
    for group, node in plain.items():
        if isinstance(node, dict) and "${" in str(node.get("kind")):
            with suppress(OmegaConfBaseException):  # a reference that leads nowhere is told with all others
                node["kind"] = OmegaConf.select(cfg, f"{group}.kind")
    with open_dict(cfg):
        for group, values in defaults(plain).items():
            node = OmegaConf.select(cfg, group) if group else cfg
            for name, value in values.items() if isinstance(node, DictConfig) else ():
                if name not in node:
                    node[name] = value


def loader(config_dir: str | None) -> GuardedLoader:
    """The shipped configuration, and a person's own folder after it.

    Raises:
        BadInputError: no such folder.
    """
    search = create_config_search_path(str(conf_dir()))
    if config_dir is not None:
        if not Path(config_dir).is_dir():
            raise BadInputError(
                Fault(
                    "--config-dir",
                    f"got {config_dir!r}, expected a folder with groups, such as {config_dir}/problem/mine.yaml",
                )
            )
        search.prepend(
            "command-line", f"file://{os.path.abspath(config_dir)}", SearchPathQuery(provider="schema", path=None)
        )
    return GuardedLoader(search)


@contextmanager
def session(config_dir: str | None) -> Iterator[Hydra]:
    """Hydra with that configuration, installed as the one that jobs find.

    Raises:
        BadInputError: no such folder.
    """
    hydra_version.setbase("1.3")
    found = loader(config_dir)
    GlobalHydra.instance().clear()
    try:
        hydra = Hydra("pinn_ntk", found)
        GlobalHydra.instance().initialize(hydra)
        yield hydra
    finally:
        GlobalHydra.instance().clear()


def moded(overrides: Sequence[str], mode: RunMode) -> list[str]:
    """The overrides of a run or a sweep, which the words of a person do not turn into the other."""
    return [*overrides, f"hydra.mode={mode.name}"]


def compose(hydra: Hydra, overrides: Sequence[str], multirun: bool, config_dir: str | None) -> DictConfig:
    """The composed configuration, with its `hydra` node.

    Raises:
        BadInputError: files or overrides that cannot be composed, or that would make Hydra run code.
    """
    mode = RunMode.MULTIRUN if multirun else RunMode.RUN
    with translated(config_dir):
        cfg = hydra.compose_config(CONFIG, moded(overrides, mode), mode, with_log_configuration=False, from_shell=False)
    _check_files(cfg, config_dir)
    return cfg


@contextmanager
def translated(config_dir: str | None) -> Iterator[None]:
    """Errors of YAML, OmegaConf and Hydra as bad input, with file and line where they are known."""
    try:
        yield
    except (
        HydraException,
        OmegaConfBaseException,
        yaml.YAMLError,
        UnicodeDecodeError,
        RecursionError,
        ValueError,
    ) as error:
        raise BadInputError(_fault(error, config_dir)) from error


def _fault(error: BaseException, config_dir: str | None) -> Fault:
    chain = list(_chain(error))
    for e in chain:
        if isinstance(e, yaml.MarkedYAMLError) and e.problem_mark is not None:
            mark = e.problem_mark
            what = "a tab" if "'\\t'" in str(e.problem) else e.problem
            return Fault(
                f"{mark.name}, line {mark.line + 1}, column {mark.column + 1}",
                f"{what}; expected plain YAML, indented by spaces",
            )
        if isinstance(e, yaml.reader.ReaderError):
            return Fault(
                str(e.name),
                f"the character at position {e.position} is not allowed in YAML ({e.reason}); save the file as "
                "plain UTF-8 text",
            )
        if isinstance(e, UnicodeDecodeError):
            return Fault(_undecodable(config_dir), f"not UTF-8 ({e.reason} at byte {e.start}); save the file as UTF-8")
        if isinstance(e, MissingConfigException) and e.missing_cfg_file:
            group, _, option = e.missing_cfg_file.rpartition("/")
            if e.missing_cfg_file in _PACKAGES:
                package = _PACKAGES[e.missing_cfg_file]
                return Fault(group, f"{option!r} needs a package that is not installed: pip install {package}")
            listed = f"; expected one of {', '.join(e.options)}{nearest(option, e.options)}" if e.options else ""
            return Fault(group or option, f"no configuration named {option!r}{listed}")
        if isinstance(e, RecursionError):
            return Fault("", "the configuration is nested too deeply or refers to itself")
        if isinstance(e, ValueError) and "integer string conversion" in str(e):
            return Fault("", "a whole number of thousands of digits; expected numbers up to 1e308")
    for e in chain:
        if isinstance(e, OmegaConfBaseException) and e.full_key:
            return Fault(str(e.full_key), _sentence(e))
    return Fault("", _sentence(chain[0]) or _sentence(chain[-1]))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _sentence(error: BaseException) -> str:
    """The first lines of an error that say something to a person."""
    lines = [line.strip() for line in str(error).splitlines()]
    return "; ".join(
        line
        for line in lines
        if line and not line.startswith(("full_key", "object_type", "reference_type", "See https"))
    )


def _undecodable(config_dir: str | None) -> str:
    for path in sorted(Path(config_dir or ".").rglob("*.yaml")):
        try:
            path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            return str(path)
        except OSError:
            continue
    return "a configuration file"


def _check_files(cfg: DictConfig, config_dir: str | None) -> None:
    """A file that is empty, or a list, would silently leave its group without keys."""
    chosen = OmegaConf.to_container(cfg.hydra.runtime.choices)
    if config_dir is None or not isinstance(chosen, Mapping):
        return
    paths = [Path(config_dir) / str(group) / f"{option}.yaml" for group, option in chosen.items()]
    read = {path: yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader) for path in paths if path.is_file()}
    faults = [
        Fault(
            str(path),
            f"{'the file is empty' if node is None else f'got a {type(node).__name__}'}; expected keys, such as "
            "kind: text",
        )
        for path, node in read.items()
        if not isinstance(node, Mapping)
    ]
    if faults:
        raise BadInputError(*faults)


def resolved(cfg: DictConfig) -> dict[str, Any]:
    """The configuration as plain values, interpolations replaced.

    Raises:
        BadInputError: every interpolation that leads nowhere or to itself, and every value that is missing (`???`).
    """
    faults = [
        fault
        for key in _dynamic(OmegaConf.to_container(cfg, resolve=False), "")
        if (fault := _resolution_fault(cfg, key))
    ]
    if faults:
        raise BadInputError(*faults)
    plain = _as_typed(OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True))
    return {str(k): v for k, v in plain.items()} if isinstance(plain, dict) else {}


def _as_typed(node: Any) -> Any:
    """The same with `on:` as a key again, which YAML 1.1 reads as True."""
    if isinstance(node, dict):
        return {
            ("on" if key is True else "off" if key is False else key): _as_typed(value) for key, value in node.items()
        }
    return [_as_typed(value) for value in node] if isinstance(node, list) else node


def _dynamic(node: Any, path: str) -> Iterator[str]:
    """The keys of values that are interpolated or missing."""
    if isinstance(node, str) and ("${" in node or node == "???"):
        yield path
    items = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, list) else ()
    for name, value in items:
        yield from _dynamic(value, f"{path}.{name}" if path else str(name))


def _resolution_fault(cfg: DictConfig, key: str) -> Fault | None:
    try:
        OmegaConf.select(cfg, key, throw_on_resolution_failure=True, throw_on_missing=True)
    except RecursionError:
        return Fault(key, "refers to itself; expected a value or a reference to another key")
    except OmegaConfBaseException as error:
        return Fault(key, f"{_sentence(error)}; expected a value or ${{another.key}}")
    return None
