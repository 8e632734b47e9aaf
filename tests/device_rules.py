"""What a package that runs on a GPU keeps to, and how a test sees it.

Read in the source, by `source_faults`, as no run executes every line:
    a tensor that is made names its device and its precision, or is moved where it is made (`torch.rand(…).to(x)`);
    `.cpu()`, `.numpy()`, `.item()` and `.to("cpu")` stand where a comment says why.
Seen in a run on the pretended device, by `watched`, as the source does not tell a tensor from a number:
    every value that crosses to the CPU, float(t), bool(t), t.tolist() and a copy alike, does so where a comment says
    why;
    nothing is drawn by the device, whose random numbers are others;
    how often the device is waited for.
What mixes devices is an error of `pretended_gpu` itself, as on a GPU.

The comment is `# on the CPU: <why>` or `# read back: <why>`, in the statement or on the line above it.
"""

import ast
import linecache
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pretended_gpu

import pinn_ntk

PACKAGE = Path(pinn_ntk.__file__).parent
REASON = re.compile(r"#.*\b(on the CPU|read back): \S")
BY_NATURE = {
    "app": "a command reads and writes files, and prints",
    "geometry": "points are drawn in float64 on the CPU, the same on every device, and moved with the problem",
    "reference": "finite elements are scipy's, on the CPU",
    "reporting": "figures and files are made of numpy's arrays",
    "solving": "the solver is LAPACK's, in float64 on the CPU",
    "studies": "tables and figures are made of numpy's arrays",
}
"""Floors whose results end on the CPU, and why: there the comment is not asked for."""
FACTORIES = {
    *("arange", "as_tensor", "empty", "eye", "from_numpy", "full", "linspace", "logspace", "normal", "ones", "rand"),
    *("randint", "randn", "randperm", "tensor", "tril_indices", "triu_indices", "zeros"),
}
WHOLE = {"arange", "randperm", "tril_indices", "triu_indices"}
"""What makes whole numbers of whole numbers, whose precision is no question."""
MOVES = {"cpu", "item", "numpy"}


@dataclass(frozen=True)
class Crossing:
    """One value that Python or the CPU got of the device, by the innermost line of the package."""

    kind: str
    file: str
    line: int

    @property
    def why(self) -> bool:
        """Whether the source says why."""
        return self.file.split("/")[0] in BY_NATURE or _explained(PACKAGE / self.file, self.line)

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.kind}: {_lines(PACKAGE / self.file)[self.line - 1].strip()}"


@dataclass
class Watch:
    """What crossed so far."""

    crossings: Counter[Crossing] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        """How often the device was waited for."""
        return sum(self.crossings.values())

    @property
    def faults(self) -> list[str]:
        """Crossings without a reason, and draws by the device."""
        return sorted(str(c) for c in self.crossings if c.kind == pretended_gpu.DRAWN or not c.why)

    def told(self, kind: str, _: str) -> None:
        """A crossing, unless it is not the package that asked."""
        frame = sys._getframe(1)
        while frame is not None and _foreign(frame.f_code.co_filename):
            frame = frame.f_back
        if frame is not None and Path(frame.f_code.co_filename).is_relative_to(PACKAGE):
            file = Path(frame.f_code.co_filename).relative_to(PACKAGE).as_posix()
            self.crossings[Crossing(kind, file, frame.f_lineno)] += 1


@cache
def _foreign(file: str) -> bool:
    """Whether a file is a library's, or of the watch itself."""
    return "site-packages" in file or f"{os.sep}lib{os.sep}python" in file or file in (__file__, pretended_gpu.__file__)


@contextmanager
def watched() -> Iterator[Watch]:
    """A machine with a pretended GPU, and what crosses from it."""
    watch = Watch()
    pretended_gpu.listeners.append(watch.told)
    try:
        with pretended_gpu.pretended_gpu():
            yield watch
    finally:
        pretended_gpu.listeners.remove(watch.told)


@cache
def _lines(path: Path) -> list[str]:
    return [line.rstrip() for line in linecache.getlines(str(path))]


@cache
def _statements(path: Path) -> list[tuple[int, int]]:
    """First and last line of every statement, of a compound one its head."""
    return [_extent(node) for node in ast.walk(ast.parse("\n".join(_lines(path)))) if isinstance(node, ast.stmt)]


def _extent(node: ast.stmt) -> tuple[int, int]:
    body = getattr(node, "body", None)
    return node.lineno, body[0].lineno - 1 if body and body[0].lineno > node.lineno else node.end_lineno or node.lineno


def _explained(path: Path, line: int) -> bool:
    """Whether the statement around a line, or the comment above it, says why."""
    around = [(first, last) for first, last in _statements(path) if first <= line <= last]
    first, last = min(around, key=lambda extent: extent[1] - extent[0], default=(line, line))
    while first > 1 and _lines(path)[first - 2].lstrip().startswith("#"):
        first -= 1
    return any(REASON.search(text) for text in _lines(path)[first - 1 : last])


def source_faults(path: Path) -> list[str]:
    """What the source of a file of the package does not say."""
    tree = ast.parse("\n".join(_lines(path)))
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    nature = path.is_relative_to(PACKAGE) and path.relative_to(PACKAGE).parts[0] in BY_NATURE
    faults = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        silent = _moves(node) and not nature and not _raised(node, parents) and not _explained(path, node.lineno)
        array = nature and node.func.attr == "from_numpy"
        if silent or (_makes(node) and not array and not _named(node, parents) and not _explained(path, node.lineno)):
            faults.append(f"{path.name}:{node.lineno} {'moved' if silent else 'made'}: {ast.unparse(node)[:90]}")
    return faults


def _torch(node: ast.expr, names: set[str]) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in names and ast.unparse(node.value) == "torch"


def _makes(node: ast.Call) -> bool:
    return _torch(node.func, FACTORIES) or _torch(node.func, {"Generator"})


def _moves(node: ast.Call) -> bool:
    """Whether it moves a tensor to the CPU, by its name."""
    assert isinstance(node.func, ast.Attribute)
    return node.func.attr in MOVES or (
        node.func.attr == "to"
        and any(
            isinstance(v, ast.Constant) and v.value == "cpu" for v in (*node.args, *(k.value for k in node.keywords))
        )
    )


def _named(node: ast.Call, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether a factory says where and in which precision, or what it makes is moved at once."""
    assert isinstance(node.func, ast.Attribute)
    given, name = {k.arg for k in node.keywords}, node.func.attr
    if name == "Generator":
        return "device" in given
    whole = name in WHOLE and not any(
        isinstance(part, ast.Div) or (isinstance(part, ast.Constant) and isinstance(part.value, float))
        for argument in node.args
        for part in ast.walk(argument)
    )
    precise = "dtype" in given or whole or name == "from_numpy"  # an array has one
    return precise and ("device" in given or _moved_at_once(node, parents))


def _moved_at_once(node: ast.Call, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether `.to(…)` follows, other methods between."""
    chain: ast.AST = node
    while isinstance(attribute := parents[chain], ast.Attribute) and isinstance(call := parents[attribute], ast.Call):
        if attribute.attr == "to":
            return True
        chain = call
    return False


def _raised(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether it is a word of an error."""
    while node in parents:
        node = parents[node]
        if isinstance(node, ast.Raise):
            return True
    return False


def package_files() -> list[Path]:
    """The sources of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def reads_per_step(states: Iterator[object], watch: Watch, steps: int) -> float:
    """How often the device is waited for from one state of an optimiser to the next, in the mean.

    Args:
        states: of the optimiser, on the pretended device.
        watch: of it.
        steps: to look at.
    """
    next(states)
    before = watch.count
    taken = sum(1 for _, _ in zip(range(steps), states, strict=False))
    return (watch.count - before) / taken
