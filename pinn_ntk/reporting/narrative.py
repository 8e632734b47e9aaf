"""What a report says in words: the answer, the key numbers, what was asked and how it was made."""

from collections.abc import Mapping
from typing import Any

from pinn_ntk.comparison.compare import CLAIMS
from pinn_ntk.reporting.outcome import Compared, Outcome
from pinn_ntk.reporting.solver_plots import solver_words
from pinn_ntk.reporting.style import number
from pinn_ntk.training.methods import METHODS
from pinn_ntk.training.states import Status

Pairs = list[tuple[str, str]]

STATUS: Mapping[Status, tuple[str, str]] = {
    Status.CONVERGED: ("good", "the loss met its tolerance"),
    Status.MAX_STEPS: ("info", "all steps were taken"),
    Status.STAGNATED: ("flat", "the loss stopped falling"),
    Status.DIVERGED: ("bad", "the loss grew past its limit"),
    Status.NON_FINITE: ("bad", "a number was not finite"),
    Status.INTERRUPTED: ("flat", "it was interrupted"),
    Status.RUNNING: ("flat", "it was still running"),
    Status.BUDGET: ("info", "the effort was spent"),
    Status.WIDTH: ("info", "the largest width was reached"),
    Status.UNDERDETERMINED: ("bad", "the conditions do not determine u"),
    Status.INCONSISTENT: ("bad", "no u satisfies all conditions"),
    Status.UNRESOLVED: ("bad", "u was not resolved"),
}
_LIMITS = {
    "descent": "2n/(s²N λ_max)",
    "heavy_ball": "2(1 + β)n/(s²N λ_max)",
    "nesterov": "2(1 + β)n/((1 + 2β)s²N λ_max)",
}
_CARDS = 6
_GOOD = 0.1  # a relative error that may be called a solution


def answer(record: Outcome, summary: Mapping[str, Any]) -> str:
    """The run in one or two sentences."""
    if record.solution is not None:
        return solver_words(record, record.solution)
    about, error = record.network.about, summary["error"]
    of = "" if about.width is None else f" of width {number(about.width)}"
    by = f"{about.words}{of} after {_effort(record)}"
    if record.status in (Status.DIVERGED, Status.NON_FINITE):
        first = f"Not solved: {STATUS[record.status][1]} with {by}"
    elif error is None or error["relative_l2"] is None:
        first = (
            f"The loss went from {number(summary['loss']['initial'])} to {number(summary['loss']['final'])} with {by}"
        )
    else:
        reached = (
            "Solved to a relative L² error of"
            if error["relative_l2"] < _GOOD
            else "Not solved yet: a relative L² error of"
        )
        first = f"{reached} {number(error['relative_l2'])} by {by}"
    return " ".join([f"{first}.", *_theory(record)])


def _effort(record: Outcome) -> str:
    known = METHODS.get(record.optimizer)
    done, name = record.history.final.step, known.words if known else record.optimizer.replace("_", " ")
    if record.history.step_size > 0.0 or record.history.dynamics.kind == "other":
        return f"{number(done)} step{'' if done == 1 else 's'} of {name}"
    return f"{name} up to time {number(record.history.final.time)}"


def _theory(record: Outcome) -> list[str]:
    """What became of the predictions, a sentence each; what says nothing comes last."""
    verdicts = {statement.name: statement for statement in record.statements}
    judged = sorted(CLAIMS, key=lambda c: c.name in verdicts and verdicts[c.name].verdict == "vacuous")
    return [words for c in judged if c.name in verdicts and (words := c.sentence(verdicts[c.name], number))]


def key_numbers(record: Outcome, summary: Mapping[str, Any]) -> Pairs:
    """Value and label of the numbers that a reader looks for first."""
    errors, theory, loss = summary["error"], summary["theory"], summary["loss"]
    solution = record.solution
    own = "" if solution is None else f"estimated relative L² error; ± {number(solution.error)} in u's units"
    pairs = [] if solution is None else [(number(solution.estimate), own)]
    if errors is not None:
        pairs += [
            (number(errors["relative_l2"]), "relative L² error"),
            (number(errors["relative_linf"]), "relative L^∞ error"),
        ]
    pairs.append((f"{number(loss['initial'])} → {number(loss['final'])}", "loss R_S, start → end"))
    if theory is not None and theory["lambda_s"] is not None:
        pairs.append(
            (
                number(theory["lambda_s"], theory["lambda_s_floor"]),
                "λ_S, smallest eigenvalue of part (a) at infinite width",
            )
        )
        pairs.append((number(theory["rate_measured"]), f"measured rate of the loss; promised {number(theory['rate'])}"))
    if theory is not None and theory["least_width"] is not None:
        pairs.append(
            (number(theory["least_width"]), f"width that the theorem asks for; here {number(record.network.width)}")
        )
    if summary["kernel"] is not None and (theory is None or theory["lambda_s"] is None):
        pairs.append((number(summary["kernel"]["drift"]), "largest relative drift of the kernel"))
    return [*pairs, (f"{number(summary['time']['total'])} s", "wall time")][:_CARDS]


def question(record: Outcome) -> Pairs:
    """The problem, the network, the loss and the optimiser in symbols."""
    problem, about = record.problem, record.network.about
    where = (
        [] if problem.domain is None else [("domain", str(problem.domain) + (", time last" if problem.time else ""))]
    )
    ansatz = (
        []
        if problem.ansatz is None
        else [("built in", problem.ansatz.text or "u = g + ϕh meets the conditions exactly")]
    )
    blocks = "; ".join(f"{b.name}: {number(len(b))} points, weight {b.weight:g}" for b in problem.blocks)
    width = "" if about.width is None else f"width N = {number(about.width)}, "
    return [
        ("equation", problem.equation or problem.name),
        ("conditions", "; ".join(problem.conditions) or "none stated"),
        *where,
        *ansatz,
        ("points", f"n = {number(problem.points)} ({blocks})"),
        ("loss", "R_S = ‖e‖²/(2n), e_i = s_b (𝓛u − f)(x_i) with s_b = √(weight · n/n_b) in block b"),
        ("network", about.formula),
        ("size", f"{width}{number(record.network.parameter_count)} parameters"),
        ("start", about.start if record.solution is None else "inner weights drawn and frozen, a = 0"),
        (
            "kernel",
            f"JJᵀ = s²N K̂ for the Jacobian J of e by the parameters, with s²N = {number(record.network.kernel_scale)}",
        ),
        (
            "training",
            _training(record)
            if record.solution is None
            else "least squares for the outer weights; the solver chose the rest",
        ),
    ]


def finite_elements(compared: Compared) -> Pairs:
    """What quadratic finite elements say of the same problem."""
    own = (
        []
        if compared.error is None
        else [("their error", f"‖u* − u_h‖/‖u_h‖ = {number(compared.error)} with the exact solution u*")]
    )
    return [
        ("solved by", compared.words),
        ("difference", f"‖u − u_h‖/‖u_h‖ = {number(compared.difference)} over 4 096 test points"),
        ("their estimate", f"{number(compared.estimate)}, the difference from half the resolution"),
        *own,
        ("says", _judged(compared)),
    ]


def _judged(compared: Compared) -> str:
    if compared.difference <= 3.0 * compared.estimate:
        return "the two agree as far as the finite elements can tell: u is at least as right as they are"
    return "the two differ by more than the finite elements' own error: u is off by about the difference"


def _training(record: Outcome) -> str:
    history, limit = record.history, record.step_limit
    step = f" with step τ = {number(history.step_size)}" if history.step_size > 0.0 else ""
    formula = _LIMITS.get(history.dynamics.kind, "")
    momentum = f" and momentum β = {number(history.dynamics.momentum)}" if history.dynamics.momentum else ""
    share = (
        f", {number(history.step_size / limit)} of the limit {formula} = {number(limit)}"
        if step and limit and formula
        else ""
    )
    return (
        f"{_effort(record)}{step}{momentum}{share}; it ended because "
        f"{record.history.final.note or STATUS[record.status][1]}"
    )


def theorem_words(record: Outcome) -> str:
    """Which theorem applies, or why none does."""
    prediction = record.prediction
    how = "Slack is how far a statement is from failing: above 1 it holds."
    if prediction is None:
        return f"Predictions were switched off for this run; what follows needs none. {how}"
    if prediction.guarantee is not None:
        return (
            f"The {prediction.guarantee.premises.theorem.name} theorem applies; each statement is judged under "
            f"its own conditions. {how}"
        )
    reason = prediction.verdict.reason or "it makes no promise here"
    return (
        f"No theorem applies as it stands: {reason}. What can be compared all the same is judged; the rest says "
        f"why not. {how}"
    )


def widths(record: Outcome) -> Pairs:
    """The three terms, the least width and the sharper ones, and the certificate's; empty where there are neither."""
    prediction = record.prediction
    guarantee, certificate = (prediction.guarantee, prediction.certificate) if prediction else (None, None)
    rows: Pairs = []
    if guarantee is not None:
        terms = guarantee.terms
        rows += [
            ("first term, for λ_min(K̂^(a)) ≥ ¾λ_S at the start", number(terms.first)),
            ("second term, so that the weights stay close", number(terms.second)),
            ("third term, so that t* = ∞", number(terms.third)),
            ("least width of the theorem, with the expected R_S at the start", number(guarantee.least.width)),
            *(
                (f"least width with the sharper first term '{name}'", number(w.width))
                for name, w in guarantee.sharper.items()
            ),
        ]
    if certificate is not None and certificate.ball is not None:
        held = "held here" if certificate.certified else "missed here"
        rows.append((f"certificate for this seed, an estimate; {held}", number(certificate.estimated_width)))
        rows.append(
            (
                "the same in a ball alone: σ_min² against 2L‖e₀‖",
                number(certificate.width * certificate.ball.width_factor),
            )
        )
    return [*rows, ("width of this network", number(record.network.width))] if rows else []


def provenance(record: Outcome) -> Pairs:
    """Versions, machine and times."""
    where = {"device": str(record.network.device), "precision": str(record.network.dtype).removeprefix("torch.")}
    machine = {**where, **_flat({**record.machine, "commit": {}})}
    commits = {name: commit for name, commit in record.machine.get("commit", {}).items() if commit}
    if (peak := machine.pop("peak_bytes", None)) is not None:
        machine["peak memory"] = f"{peak / 1e6:.0f} MB"
    spent = {name: f"{number(value)} s" for name, value in record.seconds.items() if value > 0.0}
    return [
        ("versions", _listed(record.versions)),
        *([("git commits, + with changes", _listed(commits))] if commits else []),
        ("machine", _listed(machine)),
        ("time", _listed(spent)),
        (
            "files",
            "summary.json (all numbers), history.csv (one row per tracked step), arrays.nc (kernels, spectra, "
            "fields), figures/",
        ),
    ]


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested mappings spread out under their own keys."""
    spread: dict[str, Any] = {}
    for key, value in values.items():
        spread.update(_flat(value) if isinstance(value, Mapping) else {key: value})
    return spread


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {'–' if value is None else value}" for name, value in values.items())
