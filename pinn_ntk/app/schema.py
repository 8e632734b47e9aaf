"""The keys that a person may set, with type and range; a composed configuration is checked against this table,
all of it at once.
"""

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pinn_ntk.app.faults import Fault, nearest
from pinn_ntk.app.key import SUFFICIENT, Key, Kind, positive, whole
from pinn_ntk.experiment.settings import AUTO, DTYPES
from pinn_ntk.networks.two_layer import GAMMAS, INITS, SCALINGS
from pinn_ntk.training.damping import FORMS
from pinn_ntk.training.methods import METHODS
from pinn_ntk.training.particles import INTEGRATORS

Config = Mapping[str, Any]
_LARGEST_SEED = 2**62  # torch and numpy take a little more, and blocks take the seeds that follow


KEYS: dict[str, Key] = {
    "seed": whole("of the initialisation and of the points", high=_LARGEST_SEED),
    "dtype": Key("precision", names=tuple(DTYPES)),
    "strict": Key("warnings about preconditions become errors", "flag"),
    "name": Key("of a sweep: its folder is sweeps/<name>, and jobs that are finished there are kept", optional=True),
    "checkpoint": Key(
        "seconds between checkpoints; null for one at the end only", "number", 0.0, above=True, optional=True
    ),
    "output": Key("the run's folder; null makes outputs/<problem>/<time>", optional=True),
    "network.kind": Key("which network"),
    "network.width": replace(whole("N, neurons; or what the theorem asks for", 1), names=(SUFFICIENT,)),
    "network.bias": Key("input lifted to (x, 1)", "flag"),
    "network.gamma": positive("γ, size of the outer weights at the start", tuple(GAMMAS)),
    "network.init": Key("initialisation", names=INITS),
    "network.scaling": Key(
        "s of h = s Σ a σ(w·x): 1, 1/√N, 1/N, or the p of N^(-p)", "number", 0.0, 1.0, names=tuple(SCALINGS)
    ),
    "activation.name": Key("σ"),
    "optimizer.kind": Key("how R_S is descended", names=(AUTO, *METHODS)),
    "optimizer.steps": whole("at most; a flow covers the time of as many steps"),
    "optimizer.tolerance": Key("CONVERGED when R_S is at most this", "number", 0.0),
    "optimizer.divergence": Key("DIVERGED when R_S exceeds this many times R_S(0)", "number", 1.0),
    "optimizer.stagnation": Key("STAGNATED when R_S fell by less than this share over a window", "number", 0.0),
    "optimizer.window": whole("steps over which stagnation is judged", 1),
    "tracker.count": whole("log-spaced steps at which trackers are asked", 2, high=100_000),
    "tracker.every": whole("ask every so many steps instead", 1, optional=True),
    "tracker.spectra": whole(
        "tracked steps with eigenvalues; null: as many as half of the training time pays for", 2, optional=True
    ),
    "tracker.kernel": Key("track the kernel and its spectrum", "flag"),
    "theory.enabled": Key("predict before training and compare afterwards", "flag"),
    "theory.delta": Key("δ: the theorems hold with probability 1 − δ", "number", 0.0, 1.0, above=True),
    "theory.forecast_draws": whole("draws of the initial residual behind the forecast's band", 1, high=1_000_000),
    "reference.kind": Key("another method to compare with", names=("none", "fem")),
    "device.name": Key("auto, cpu, cuda or cuda:i"),
    "device.patience": positive("seconds that one process of a run waits for another (torchrun)"),
    "device.compile": Key(
        "compiled steps: auto, where they pay for the compiler's seconds", names=("auto", "always", "never")
    ),
    "logger.tensorboard": Key("events for TensorBoard in the run's folder", "flag"),
    "logger.mlflow": Key("an entry of an MLflow store", "flag"),
    "logger.uri": Key("of that store; null is sqlite:///mlflow.db where the command was started", optional=True),
    "report.table": Key("the closing table on the terminal", "flag"),
    "report.bar": Key("a progress bar where stderr is a terminal", "flag"),
    "problem.kind": Key("which problem"),
    "ensemble.seeds": whole(
        "seeds trained as one batch, from `seed` on, with coverage of every statement", 1, high=1_000_000
    ),
    "study.kind": Key("a study of many runs in place of one run", optional=True),
    "study.workers": whole("processes of a study; null takes one for each core", 1, optional=True, high=1024),
}
COMMON = {
    "points": whole("collocation points", 1),
    "boundary_points": whole("points of each soft condition", 1),
    "test_points": whole("points at which errors are measured", 1),
    "weight": Key("λ of a block by its name", "weights"),
    "seed": whole("of the points; null takes the run's", optional=True, high=_LARGEST_SEED),
    "boundary": Key("conditions built into u = g + ϕh, or soft blocks", names=("hard", "soft")),
}


# ranges of the optimisers' own options; those that are not listed take any value of their type
OPTIONS = {
    "step_size": positive("τ as a fraction of the step limit, 2n/(s²N λ_max) without momentum"),
    "momentum": Key("β of the velocity v ← βv − τ∇R_S", "number", 0.0, 1.0, below=True),
    "absolute": Key("step_size is τ itself", "flag"),
    "dt": Key("step in mean-field time; null takes τ/N", "number", 0.0, above=True, optional=True),
    "method": Key("how particles are moved", names=INTEGRATORS),
    "temperature": Key("T of the noise √(2T) dB", "number", 0.0),
    "weight_decay": Key("κ of the decay −κθ", "number", 0.0),
    "noise_seed": whole("of the noise", high=_LARGEST_SEED),
    "rtol": positive("relative tolerance of an adaptive method"),
    "atol": positive("absolute tolerance of an adaptive method"),
    "learning_rate": positive("η of the first step"),
    "beta1": Key("β of the mean of ∇R_S", "number", 0.0, 1.0, below=True),
    "beta2": Key("β of the mean of (∇R_S)²", "number", 0.0, 1.0, below=True),
    "epsilon": Key("ε beside the root of that mean", "number", 0.0),
    "decay": Key("the learning rate falls by this factor every `decay_every` steps", "number", 1e-12, 1.0),
    "decay_every": whole("steps for one factor `decay`", 1),
    "batch_size": whole("rows in a mini-batch", 1),
    "batch_seed": whole("of the order of the rows", high=_LARGEST_SEED),
    "history_size": whole("pairs of steps and gradient changes that are kept", 1),
    "damping": Key(
        "μ at the start as a share of the largest diagonal entry of JᵀJ/n; 0 is Gauss–Newton", "number", 0.0
    ),
    "form": Key(
        "which matrix is factored: JᵀJ (primal), JJᵀ, the tangent kernel (dual), or the smaller one", names=tuple(FORMS)
    ),
    "norm_limit": positive("C, the length of the longest move"),
    "tikhonov": positive("τ of the term τ²‖a‖² beside feature columns of norm 1"),
    "cutoff": Key(
        "drop the singular values below this share of the largest, in the place of τ",
        "number",
        0.0,
        1.0,
        above=True,
        below=True,
        optional=True,
    ),
    "gradient_tolerance": Key("CONVERGED when the gradient is at most this share of its first norm", "number", 0.0),
    "step_tolerance": Key("STAGNATED when a step that fails is at most this share of the way so far", "number", 0.0),
}


# the same for optimizer=auto
SOLVER_OPTIONS = {
    "tolerance": positive("on the estimated relative L² error"),
    "seconds": positive("wall time in which to stop; the last fit may take a little longer"),
    "activations": Key("activations to choose from, a list", "any"),
    "extra": Key("add singular functions where holes and corners call for them", "flag"),
    "widest": whole("N at most; null for what memory allows", 1, optional=True),
}


# the same for reference=fem
REFERENCE_OPTIONS = {
    "degrees": whole("nodes of the mesh of space, about; null for the usual ones", 3, optional=True, high=2_000_000),
    "steps": whole("in time; null for as many as go with the nodes", 2, optional=True, high=1_000_000),
}


# the same for the options of studies
STUDY_OPTIONS = {
    "seeds": whole("seeds of each cell", 1),
    "steps": whole("of gradient descent in each cell", 1),
    "points": whole("collocation points", 1),
    "remaining": Key("training ends at this share of the loss at the start", "number", 0.0, 1.0, above=True),
    "seconds": positive("of training for each method and seed"),
    "tracked": whole("log-spaced steps at which is measured", 2, high=100_000),
    "step_size": positive("fraction of the step limit"),
    "momentum": Key("β of the methods with momentum", "number", 0.0, 1.0, below=True),
    "learning_rate": positive("of Adam"),
    "e_folds": positive("by which the bound has to fall"),
    "smallest": whole("width to begin with", 1),
    "widest": whole("width to end with", 1),
    "trained": whole("widest network that is trained too", 1),
    "most_steps": whole("a case that needs more is not trained", 1),
}


def flatten(config: Config, known: Mapping[str, object], prefix: str = "") -> dict[str, Any]:
    """{'a': {'b': 1}} → {'a.b': 1}; a key of the table ends the descent, so that its value may be a mapping."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        key = f"{prefix}{name}"
        if (
            isinstance(value, Mapping)
            and key not in known
            and (value or not any(k.startswith(f"{key}.") for k in known))
        ):
            flat.update(flatten(value, known, f"{key}.") or {key: value})
        else:
            flat[key] = value
    return flat


def check(config: Config, table: Mapping[str, Key], free: tuple[str, ...] = ()) -> list[Fault]:
    """Everything wrong with a plain configuration: unknown keys (the nearest suggested), wrong types,
    values out of range.

    Args:
        config: nested mappings, resolved.
        table: full key → what it accepts.
        free: prefixes under which other keys are somebody else's to check.
    """
    flat, faults = flatten(config, table), []
    for name, value in flat.items():
        if name in table:
            message = table[name].fault(value)
            faults += [Fault(name, message)] if message else []
        elif not name.startswith(free):
            faults.append(Fault(name, f"no such key{nearest(name, table) or near_leaf(name, table)}"))
    missing = [name for name, key in table.items() if key.required and name not in flat]
    return faults + [Fault(name, f"missing, expected {table[name].expected()} ({table[name].doc})") for name in missing]


def near_leaf(name: str, table: Mapping[str, Key]) -> str:
    """A suggestion for a key under the wrong parent (`steps` for `optimizer.steps`), else the keys beside it."""
    leaf = name.rsplit(".", 1)[-1]
    same = [key for key in table if key.rsplit(".", 1)[-1] == leaf]
    if same:
        return f"; did you mean {same[0]}?"
    parent = name.rsplit(".", 1)[0] + "." if "." in name else ""
    beside = [key for key in table if key.startswith(parent) and "." not in key[len(parent) :]] if parent else []
    return f"; the keys there are {', '.join(beside)}" if beside else "; see pinn-ntk --help"


def keys_of(
    builder: Callable[..., object], prefix: str, supplied: tuple[str, ...] = (), ranges: Mapping[str, Key] = COMMON
) -> dict[str, Key]:
    """The table of a builder's own keys, read from its signature: names, types and whether null is allowed.

    Args:
        builder: a function that makes a problem or a network, an optimiser, or a study.
        prefix: 'problem.', 'network.', 'optimizer.' or 'study.'.
        supplied: arguments that the command supplies itself.
        ranges: what is known of keys by their name.
    """
    parameters = inspect.signature(builder, eval_str=True).parameters.values()
    names = {
        p.name: p for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD) and p.name not in supplied
    }
    table = {}
    for name, parameter in names.items():
        key = "weight" if (name, prefix) == ("weights", "problem.") else name
        rule = _rule(parameter.annotation)
        common = ranges.get(key)
        same = common is not None and (rule.kind == common.kind or key in ("weight", "seed"))
        required = parameter.default is parameter.empty and key not in ("weight", "seed")
        table[f"{prefix}{key}"] = replace(common if common is not None and same else rule, required=required)
    return table


def _rule(annotation: object) -> Key:
    """The rule of a type: int, float, bool, str, any of these or None; everything else is the builder's to check."""
    kinds: dict[object, Kind] = {int: "whole", float: "number", bool: "flag", str: "text"}
    options = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    plain = [o for o in options if o is not type(None)]
    rule = Key("", kinds.get(plain[0], "any") if len(plain) == 1 else "any")
    return replace(rule, optional=len(plain) < len(options))
