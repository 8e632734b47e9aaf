"""A person's own Python: files named on the command line, each exporting tables of problems, operators, activations,
trackers, networks.
"""

import importlib.util
import logging
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from pinn_ntk.activations import ACTIVATIONS, Activation
from pinn_ntk.app.faults import BadInputError, Fault
from pinn_ntk.networks.library import NETWORKS
from pinn_ntk.operators.library import OPERATORS
from pinn_ntk.problem.library import PROBLEMS
from pinn_ntk.training.states import State
from pinn_ntk.training.trackers import Tracker, Value

Tables = Mapping[str, Mapping[str, Any]]
_BUILT_IN: Mapping[str, object] = {"PROBLEMS": PROBLEMS, "OPERATORS": OPERATORS, "ACTIVATIONS": ACTIVATIONS}
# what each table may hold, and the names that are taken
TABLES: dict[str, tuple[str, Mapping[str, object]]] = {
    "PROBLEMS": ("functions that return a Problem", {**PROBLEMS, "text": None}),
    "OPERATORS": ("functions that return a SecondOrderOperator", OPERATORS),
    "ACTIVATIONS": ("Activation records", ACTIVATIONS),
    "TRACKERS": ("functions state → numbers by name", {}),
    "NETWORKS": ("functions that return a TwoLayer or any torch.nn.Module", NETWORKS),
}


def load(files: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The tables of all files together.

    Raises:
        BadInputError: a file that is missing, fails to import, exports no table or something else in one, or a name
            that is taken.
    """
    tables: dict[str, dict[str, Any]] = {name: {} for name in TABLES}
    faults: list[Fault] = []
    for file in files:
        try:
            module = _imported(Path(file))
        except BadInputError as error:
            faults += error.faults
            continue
        exported = {name: getattr(module, name) for name in TABLES if hasattr(module, name)}
        # `from pinn_ntk import *` brings the package's own tables along
        exported = {name: found for name, found in exported.items() if found is not _BUILT_IN.get(name)}
        if not exported:
            faults.append(Fault(file, f"exports none of {', '.join(TABLES)}; expected at least one of these dicts"))
        for name, table in exported.items():
            wrong = _wrong(name, table, tables[name])
            faults += [Fault(f"{file}: {name}", w) for w in wrong]
            tables[name].update(table if not wrong else {})
    if faults:
        raise BadInputError(*faults)
    return tables


def _imported(path: Path) -> ModuleType:
    if not path.is_file():
        raise BadInputError(Fault("plugins", f"got {str(path)!r}, no such file (from {Path.cwd()})"))
    name = f"pinn_ntk_plugin_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise BadInputError(Fault("plugins", f"got {str(path)!r}, expected a Python file, its name ending in .py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look modules up by name
    try:
        spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        raise BadInputError(
            Fault(str(path), f"imports {error.name}, which is not installed; pip install {error.name}")
        ) from error
    except (
        Exception,
        SystemExit,
    ) as error:  # a script that ends the interpreter is no plugin, and must not end the command
        raise BadInputError(Fault(f"{path}{_line(error, path)}", f"raised {type(error).__name__}: {error}")) from error
    return module


def _line(error: BaseException, path: Path) -> str:
    """', line k' for the last line of that file in a traceback."""
    if isinstance(error, SyntaxError):
        return f", line {error.lineno}"
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path.absolute()
    ]
    return f", line {lines[-1]}" if lines else ""


def _wrong(name: str, table: object, present: Mapping[str, object]) -> list[str]:
    what, taken = TABLES[name]
    if not isinstance(table, Mapping):
        return [f"got a {type(table).__name__}, expected a dict from names to {what}"]
    kind: Any = Activation if name == "ACTIVATIONS" else Callable
    wrong = [
        f"{key!r}: got a {type(v).__name__}, expected {what}" for key, v in table.items() if not isinstance(v, kind)
    ]
    wrong += [f"got the name {key!r}, expected text" for key in table if not isinstance(key, str)]
    return wrong + [f"{key!r} is taken; choose another name" for key in table if key in taken or key in present]


def tracker(name: str, ask: Tracker) -> Tracker:
    """A person's tracker that cannot stop a run: its first failure is a warning, and it is not asked again."""
    failed = False

    def track(state: State) -> Mapping[str, Value]:
        nonlocal failed
        if failed:
            return {}
        try:
            return {str(key): value for key, value in ask(state).items()}
        except Exception as error:
            failed = True
            logging.getLogger("pinn_ntk").warning(
                "tracker %s: %s: %s; it is not asked again", name, type(error).__name__, error
            )
            return {}

    return track
