"""The functions of pinn_ntk that a run visits for one coefficient, loss and option: `python scripts/walk.py [--write]`.

A run of the command on eight points is traced, from its words to its report, and one marked value is followed: the
entry A[0][1] of a problem's text, R_S of one step, `optimizer.step_size`.

A hop is a function of the package that holds the value: in an argument when it is called, in a local or in what it
returns when it ends. It holds it itself (depth 0: as a number, within a text, in a tensor), or inside of a container,
an object's attribute or a function's closure (depth 1), or inside of one that is in another (depth 2). A function
that passes a whole problem or record on, in which the value lies deeper, is no hop. One line a hop, in the order in
which functions first hold the value: number, least depth, file and function, and the name under which they hold it.
Comprehensions are counted with the function around them, and a run before the traced one does the lazy imports.

The output is committed as benchmarks/walk.txt, so that hops can be counted before and after a change of the house.
"""

import argparse
import io
import os
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType, FunctionType, MappingProxyType, MethodType
from typing import Any

import numpy as np
from omegaconf import DictConfig, ListConfig, OmegaConf
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "benchmarks" / "walk.txt"
os.environ |= {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
sys.path.insert(0, str(ROOT))

COEFFICIENT, OPTION = 0.123456789, 0.234567891
"""Numbers that nothing else has."""
PROBLEM = f"""kind: text
domain: {{kind: box, low: [0, 0], high: [1, 1]}}
operator: {{A: [["2 + x", "{COEFFICIENT} + 0*x"], ["{COEFFICIENT} + 0*x", 2]]}}
exact: "sin(pi*x)*sin(pi*y)"
boundary: soft
points: 8
boundary_points: 8
weight: {{interior: 0.5, boundary: 0.5}}
test_points: 16
"""
"""A[0][1] is no constant, and yet the mark wherever it is evaluated; the weights leave rows as they are, of scale 1."""
WORDS = (
    "problem=mine", "network.width=16", "optimizer.steps=6", "tracker.count=4", "theory.forecast_draws=50",
    "device=cpu", "report=quiet", "checkpoint=null",
)  # fmt: skip
STEP = 3
"""Whose loss is followed."""
WATCHED = ("SecondOrderOperator.rows", "Problem.system", "Outcome.summary")
"""Evaluations that are counted."""
_NO_FUNCTIONS = ("<module>", "<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")
_MANY = 4096  # entries of a container or an array that are looked at
_CLOSE = 1e-12
DEEPEST = 2


@dataclass(frozen=True)
class Mark:
    """A value that is followed.

    Attributes:
        value: a number that nothing else has.
    """

    value: float

    def within(self, thing: object, depth: int) -> bool:
        """Whether the value is in there, at most so many containers, attributes and closures deep."""
        if isinstance(thing, (bool, int, bytes, type(None), type)):
            return False
        if isinstance(thing, float):
            return abs(thing - self.value) <= _CLOSE * abs(self.value)
        if isinstance(thing, str):
            return repr(self.value) in thing
        if isinstance(thing, (Tensor, np.ndarray)):
            return self._in_array(thing)
        return depth > 0 and any(self.within(part, depth - 1) for part in _parts(thing))

    def _in_array(self, array: Any) -> bool:
        try:
            values = array.detach().cpu().numpy() if isinstance(array, Tensor) else array
            return values.size <= _MANY and bool(np.isclose(values, self.value, rtol=_CLOSE, atol=0.0).any())
        except Exception:  # tensors inside of transforms have no values, arrays of texts no distance
            return False


def _parts(thing: object) -> Iterator[object]:
    """What a container, an object or a function is made of; nothing of it is evaluated."""
    if isinstance(thing, (DictConfig, ListConfig)):
        thing = OmegaConf.to_container(thing, resolve=False)
    if isinstance(thing, (dict, MappingProxyType)):
        yield from [*thing][:_MANY]
        yield from [*thing.values()][:_MANY]
    elif isinstance(thing, (list, tuple, set, frozenset)):
        yield from [*thing][:_MANY]
    elif isinstance(thing, FunctionType):
        for cell in thing.__closure__ or ():
            yield from _content(cell)
    elif isinstance(thing, MethodType):
        yield thing.__self__
    else:
        attributes = getattr(thing, "__dict__", None)
        yield from [*attributes.values()] if isinstance(attributes, dict) else ()


def _content(cell: Any) -> Iterator[object]:
    try:
        yield cell.cell_contents
    except ValueError:  # of a variable that has no value yet
        return


@dataclass(frozen=True)
class Hop:
    """How a function holds the value: the least depth, and the name under which it does."""

    depth: int
    how: str


@dataclass
class Walk:
    """What a traced call visits.

    Attributes:
        folder: whose functions count.
        mark: the value that is followed; None for none.
        calls: function → how often it was called.
        hops: function → how it holds the value, in the order in which functions first do.
    """

    folder: Path
    mark: Mark | None = None
    calls: Counter[CodeType] = field(default_factory=Counter)
    hops: dict[CodeType, Hop] = field(default_factory=dict)

    def trace(self, call: Callable[[], object]) -> "Walk":
        """The same walk, after the call."""
        prefix = f"{self.folder}{os.sep}"

        def heard(frame: FrameType, event: str, thing: object) -> None:
            code = frame.f_code
            if (
                event in ("call", "return")
                and code.co_filename.startswith(prefix)
                and code.co_name not in _NO_FUNCTIONS
            ):
                self.calls[code] += event == "call"
                if self.mark is not None and (code not in self.hops or self.hops[code].depth):
                    self._look(self.mark, frame, event, thing)

        threading.setprofile(heard)
        sys.setprofile(heard)
        try:
            call()
        finally:
            sys.setprofile(None)
            threading.setprofile(None)  # type: ignore[arg-type]
        return self

    def _look(self, mark: Mark, frame: FrameType, event: str, returned: object) -> None:
        code, values = frame.f_code, frame.f_locals
        outer = (
            code.co_freevars if event == "call" else ()
        )  # of a function inside a function: its closure is an argument
        arguments = (*code.co_varnames[: code.co_argcount + code.co_kwonlyargcount], *outer)
        held = [(f"{'argument' if name in arguments else 'local'} {name}", value) for name, value in values.items()]
        for how, value in [*held, *([("returned", returned)] if event == "return" else [])]:
            best = self.hops[code].depth if code in self.hops else DEEPEST + 1
            while best and mark.within(value, best - 1):
                best -= 1
                self.hops[code] = Hop(best, how)

    def name(self, code: CodeType) -> str:
        """FILE:FUNCTION."""
        return f"{Path(code.co_filename).relative_to(self.folder.parent)}:{code.co_qualname}"

    def lines(self, title: str) -> list[str]:
        """One line a hop, and how many there are by depth."""
        found = [
            f"{k:>4}  {hop.depth}  {self.name(code)} ({hop.how})" for k, (code, hop) in enumerate(self.hops.items(), 1)
        ]
        return [title, *found, *(f"hops: {self.counted(depth)} to depth {depth}" for depth in range(DEEPEST + 1)), ""]

    def counted(self, depth: int) -> str:
        """'N functions in M files' that hold the value at most that deep."""
        codes = [code for code, hop in self.hops.items() if hop.depth <= depth]
        return f"{len(codes)} functions in {len({code.co_filename for code in codes})} files"

    def totals(self) -> list[str]:
        """How many functions and files there were, and how often those that are watched were called."""
        files = {code.co_filename for code in self.calls}
        counts = {name: sum(n for code, n in self.calls.items() if code.co_qualname == name) for name in WATCHED}
        return [
            f"one run visits {len(self.calls)} functions in {len(files)} files",
            *(f"{name}: evaluated {many} times" for name, many in counts.items()),
        ]


def command(words: Sequence[str]) -> float:
    """Run `pinn-ntk` in an empty folder that holds the problem; returns R_S of the step.

    Raises:
        SystemExit: the command ends with another code than 0.
    """
    from pinn_ntk.app.cli import main

    told = io.StringIO()
    with tempfile.TemporaryDirectory() as place, chdir(place), redirect_stdout(told), redirect_stderr(told):
        (Path("my_conf") / "problem").mkdir(parents=True)
        Path("my_conf/problem/mine.yaml").write_text(PROBLEM, encoding="utf-8")
        code = main(["--config-dir", "my_conf", *WORDS, "output=run", *words])
        if code:
            raise SystemExit(f"walk: pinn-ntk ended with code {code}: {told.getvalue()}")
        return float(loss_of(Path("run")))


def loss_of(run: Path) -> float:
    """R_S of the step, as the run's files have it."""
    import h5py

    with h5py.File(run / "arrays.nc") as file:
        return float(file["loss"][STEP])


def report() -> str:
    """Everything that is printed."""
    package, option = ROOT / "pinn_ntk", [f"optimizer.step_size={OPTION}"]
    loss = command([])  # and the imports that wait for a first run
    walks = (
        ("coefficient: A[0][1] of a problem as text", COEFFICIENT, []),
        (f"loss: R_S of step {STEP}", loss, []),
        ("option: optimizer.step_size", OPTION, option),
    )
    lines = ["A run of pinn-ntk on eight points and eight of the boundary (scripts/walk.py)", ""]
    for title, value, words in walks:
        lines += Walk(package, Mark(value)).trace(lambda words=words: command(words)).lines(title)  # type: ignore[misc]
    lines += Walk(package).trace(lambda: command([])).totals()
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write benchmarks/walk.txt")
    given = parser.parse_args()
    text = report()
    if given.write:
        FILE.write_text(text, encoding="utf-8")
    print(text, end="")


if __name__ == "__main__":
    main()
