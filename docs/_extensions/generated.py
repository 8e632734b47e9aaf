"""Pages that the package itself writes: every public name, every key of a configuration with what it accepts."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

import pinn_ntk
from pinn_ntk.app import COMPARE_HELP, DRAWN, EVALUATE_HELP, KEYS, SETTINGS, help_text, keys_of, shown
from pinn_ntk.comparison import CLAIMS
from pinn_ntk.experiment import Reference, Settings, Solver
from pinn_ntk.networks import NETWORKS
from pinn_ntk.problem import PROBLEMS
from pinn_ntk.rules import Rule, defaults_of
from pinn_ntk.studies import STUDIES
from pinn_ntk.training import METHODS, SUPPLIED

DOCS = Path(__file__).parent.parent
CONF = DOCS.parent / "conf"
# page → (title, what it is about, public names; a module in the place of a name has all of its public functions)
API: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "operators": (
        "Operators",
        "𝓛u = Σ A_ab u_ab + Σ b_a u_a + cu: one class, closed under sums, factors, bias lifting and hard conditions.",
        (
            "SecondOrderOperator",
            "laplacian",
            "identity",
            "elliptic",
            "advection_diffusion",
            "helmholtz",
            "heat",
            "wave",
            "black_scholes",
            "time_derivative",
            "normal_derivative",
            "robin",
            "lift_bias",
            "hard_constraint",
            "OPERATORS",
        ),
    ),
    "domains": (
        "Domains",
        "Where an equation is posed: points inside, pieces of the boundary with normals, holes and corners.",
        (
            "box",
            "Box",
            "ball",
            "ellipse",
            "annulus",
            "polygon",
            "l_shape",
            "union",
            "intersection",
            "difference",
            "over_time",
        ),
    ),
    "problems": (
        "Problems",
        "An operator, a domain, a source and what is given of u; or blocks written one by one.",
        (
            "pose",
            "dirichlet",
            "neumann",
            "robin_condition",
            "periodic",
            "initial_value",
            "initial_velocity",
            "measured",
            "Given",
            "Block",
            "Ansatz",
            "Problem",
            "Answer",
            "problem_from_text",
            "PROBLEMS",
        ),
    ),
    "networks": (
        "Networks",
        "h(x;θ) = s Σ_k a_k σ(w_k·x), and any torch module.",
        ("TwoLayer", "MLP", "AnyModule", "Activation", "ACTIVATIONS", "compiling"),
    ),
    "kernels": (
        "Kernels",
        "JJᵀ = scale · K̂: in closed form, by automatic differentiation, at infinite width, and without a matrix.",
        (
            "Kernel",
            "closed_form_kernel",
            "autograd_kernel",
            "tangent_kernel",
            "solution_kernel",
            "infinite_width_kernel",
            "infinite_width_solve",
            "InfiniteWidthSolution",
            "kernel_spectrum",
            "tangent_spectrum",
            "Spectrum",
            "KernelProduct",
            "extreme_eigenvalues",
        ),
    ),
    "theory": (
        "Theory",
        "What can be said before the first step, and how it is judged afterwards.",
        (
            "predict",
            "Prediction",
            "sufficient_width",
            "step_limit",
            "linearise",
            "LinearModel",
            "LinearState",
            "Dynamics",
            "compare",
            "Statement",
        ),
    ),
    "training": (
        "Training",
        "Each method is a generator of states; trackers are asked about them.",
        (
            "State",
            "Status",
            "StopRule",
            "gradient_descent",
            "gradient_flow",
            "adam",
            "sgd",
            "lbfgs",
            "levenberg_marquardt",
            "spring",
            "least_squares",
            "variable_projection",
        ),
    ),
    "runs": (
        "Runs",
        "A problem and a network in, a record out.",
        ("run", "run_ensemble", "solved_run", "Settings", "Solver", "Experiment", "Record"),
    ),
    "solver": (
        "The solver",
        "Everything chosen by itself, with an estimate of the error.",
        ("solve", "Solution", "solve_outer", "OuterSolution", "fem_reference"),
    ),
}
_MODULES = {"runs": ("pinn_ntk.parallel",)}


def _api() -> Iterable[tuple[str, str]]:
    """One page for each part of the public names.

    Raises:
        ValueError: a public name is on no page, or on two.
    """
    listed = [name for _, _, names in API.values() for name in names]
    wrong = sorted({*pinn_ntk.__all__} ^ {*listed}) + sorted(n for n in listed if listed.count(n) > 1)
    if wrong:
        raise ValueError(
            f"docs/_extensions/generated.py: every public name belongs on one page; look at {', '.join(wrong)}"
        )
    for page, (title, about, names) in API.items():
        text = [f"# {title}", about, "```{eval-rst}", ".. currentmodule:: pinn_ntk", ""]
        for name in names:
            text += [_directive(name), "", *_example(name)]
        for module in _MODULES.get(page, ()):
            text += [f".. automodule:: {module}", "   :members:", ""]
        yield f"reference/api/{page}.md", "\n\n".join(text[:2]) + "\n\n" + "\n".join(text[2:]) + "```\n"


def _directive(name: str) -> str:
    obj = getattr(pinn_ntk, name)
    if inspect.isclass(obj):
        return f".. autoclass:: {name}\n   :members:" + ("\n   :undoc-members:" if issubclass(obj, Enum) else "")
    return f".. autofunction:: {name}" if callable(obj) else f".. py:data:: {name}\n\n   By name: {', '.join(obj)}."


def _example(name: str) -> list[str]:
    """The example of a long function, which is in its module's docstring."""
    obj = getattr(pinn_ntk, name)
    about = inspect.getdoc(inspect.getmodule(obj)) or "" if callable(obj) else ""
    if f"{name}(" not in about or ">>>" in (inspect.getdoc(obj) or ""):
        return []
    paragraphs = inspect.cleandoc(about.partition("Examples:\n")[2]).split("\n\n")
    shown = next((p for p in paragraphs if f"{name}(" in p), "")
    return [".. code-block:: pycon", "", *(f"   {line}" for line in shown.splitlines()), ""] if shown else []


def _comment(path: Path) -> str:
    """The first line of a file of the configuration, which says what it is."""
    return path.read_text(encoding="utf-8").splitlines()[0].removeprefix("#").strip()


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _keys(table: Mapping[str, Rule], usual: Mapping[str, Any]) -> list[str]:
    """A row for each key: its default, what it accepts, what it is."""
    rows = [_row(f"`{name}`", _default(usual, name), rule.expected(), rule.doc) for name, rule in table.items()]
    return [_row("key", "default", "accepts", "what it is"), _row("---", "---", "---", "---"), *rows, ""]


def _default(usual: Mapping[str, Any], name: str) -> str:
    """The default as YAML has it, nothing where there is none."""
    value = usual.get(name, ...)
    return "" if value is ... else f"`{shown(list(value) if isinstance(value, tuple) else value)}`"


def _own(builder: Callable[..., object], group: str, supplied: tuple[str, ...] = ()) -> list[str]:
    """The keys of what a signature makes."""
    table = keys_of(builder, f"{group}.", supplied)
    usual = {f"{group}.{'weight' if k == 'weights' else k}": v for k, v in defaults_of(builder).items()}
    return _keys({k: v for k, v in table.items() if k not in KEYS or group != "optimizer"}, usual)


def _configuration() -> str:
    """Groups with their options, and every key with what it accepts."""
    lines = [
        "# The configuration", "",
        "Every key of a run, as `pinn-ntk KEY=VALUE` or in YAML; what the command checks is this very table.",
        "`pinn-ntk --cfg job` prints a configuration in full.", "", "## Groups", "",
        "A group is chosen by `pinn-ntk GROUP=OPTION`.", "",
        _row("group", "option", "what it is"), _row("---", "---", "---"),
    ]  # fmt: skip
    for group in sorted(p for p in CONF.iterdir() if p.is_dir()):
        options = [p for p in sorted(group.glob("*.yaml")) if not p.stem.startswith("_")]
        lines += [_row(f"`{group.name}`" if i == 0 else "", f"`{p.stem}`", _comment(p)) for i, p in enumerate(options)]
    fields = defaults_of(Settings)
    settings = {key: fields[name] for key, name in SETTINGS.items() if key != "optimizer.steps"}  # each has its own
    about = "Beside steps, tolerance, divergence, stagnation and window, which all have."
    lines += ["", "## Keys of every run", "", *_keys(KEYS, settings), "## Keys of the optimisers", "", about]
    for name, method in METHODS.items():
        steps = defaults_of(method.states)["steps"]
        words = f"**`optimizer={name}`** – {method.words}; `steps` is {steps} by default"
        lines += ["", words, "", *_own(method.states, "optimizer", SUPPLIED)]
    lines += ["", "**`optimizer=auto`** – the solver", "", *_own(Solver, "optimizer", ("seed",))]
    lines += ["## Keys of the ready problems", ""]
    for name, builder in PROBLEMS.items():
        about = (inspect.getdoc(builder) or "").splitlines()[0]
        lines += [f"**`problem={name}`** – {about}", "", *_own(builder, "problem")]
    lines += ["## Keys of other parts", ""]
    for name, network in NETWORKS.items():
        lines += [f"**`network={name}`**", "", *_own(network, "network", DRAWN)]
    lines += ["**`reference=fem`**", "", *_own(Reference, "reference")]
    for name, study in STUDIES.items():
        lines += [f"**`study.kind={name}`**", "", *_own(study, "study", ("factory",))]
    return "\n".join(lines) + "\n"


def _statements() -> str:
    """Every claim of the theory, with its premises and how it is judged."""
    about = (
        "What a run is asked, in the order of its report. A statement whose premises are not met is *not applicable*; "
        "one that is true and says nothing is *vacuous*; the others *hold* or *fail*."
    )
    lines = ["# The statements", "", about, ""]
    for claim in CLAIMS:
        symbols = claim.symbols if isinstance(claim.symbols, str) else "R_S(t) ≈ R_S of the network linearised at θ⁰"
        premises = "; ".join(premise.words for premise in claim.premises)
        rows = (
            ("premises", premises or "none"),
            ("judged", claim.judged),
            ("vacuous", claim.silent_when or "never"),
            ("promised with probability 1 − δ", claim.promise.words if claim.promise else "no"),
        )
        lines += [f"## {claim.name}", "", f"`{symbols}`", "", _row("", ""), _row("---", "---")]
        lines += [*(_row(name, text) for name, text in rows), ""]
    return "\n".join(lines) + "\n"


def _commands() -> str:
    """What the commands say about themselves."""
    groups = {
        g.name: [p.stem for p in sorted(g.glob("*.yaml")) if p.stem[0] != "_"]
        for g in sorted(CONF.iterdir())
        if g.is_dir()
    }
    lines = ["# The commands", ""]
    for name, text in (
        ("pinn-ntk", help_text(groups)),
        ("pinn-ntk-eval", EVALUATE_HELP),
        ("pinn-ntk-compare", COMPARE_HELP),
    ):
        lines += [f"## {name}", "", "```text", text, "```", ""]
    return "\n".join(lines)


def _write(app: Sphinx) -> None:  # noqa: ARG001 - Sphinx names it
    """Write what changed, so that an unchanged page is not built again."""
    for name, text in [
        *_api(),
        ("reference/configuration.md", _configuration()),
        ("reference/commands.md", _commands()),
        ("reference/statements.md", _statements()),
    ]:
        path = DOCS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Write the pages before any is read."""
    app.connect("builder-inited", _write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
