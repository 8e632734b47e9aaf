"""One self-contained report of a run: what was asked, the answer, the pictures, the theory beside the measurement, the versions."""

import json
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from pinn_ntk.comparison.envelope import envelope
from pinn_ntk.reporting.files import write_text
from pinn_ntk.reporting.kernel_plots import drift_picture, spectrum_picture
from pinn_ntk.reporting.page import BADGES, badge, card, definitions, figure, page, table
from pinn_ntk.reporting.solution_plots import solution_picture
from pinn_ntk.reporting.style import Picture, number
from pinn_ntk.reporting.training_plots import dissipation_picture, loss_picture
from pinn_ntk.training.states import Status

if TYPE_CHECKING:
    from pinn_ntk.comparison.statements import Statement
    from pinn_ntk.reporting.record import Record

STATUS_WORDS = {
    Status.CONVERGED: ("good", "the loss met its tolerance"),
    Status.MAX_STEPS: ("info", "all steps were taken"),
    Status.STAGNATED: ("flat", "the loss stopped falling"),
    Status.DIVERGED: ("bad", "the loss grew past its limit"),
    Status.NON_FINITE: ("bad", "a number was not finite"),
    Status.INTERRUPTED: ("flat", "it was interrupted"),
    Status.RUNNING: ("flat", "it was still running"),
}


def write_report(record: "Record", folder: Path) -> Path:
    """Write figures/*.svg and report.html.

    Args:
        record: the run.
        folder: the run's folder, which exists.

    Returns:
        The path of the report.
    """
    pictures = draw(record)
    figures = folder / "figures"
    figures.mkdir(exist_ok=True)
    for picture in pictures:
        picture.write(figures)
    path = folder / "report.html"
    write_text(path, report_html(record, pictures))
    return path


def draw(record: "Record") -> list[Picture]:
    """All pictures that this record allows; a state that is not finite leaves nothing to draw."""
    if record.status is Status.NON_FINITE and len(record.history.columns["step"]) < 2:
        return []
    makers = (solution_picture, loss_picture, dissipation_picture, spectrum_picture, drift_picture)
    return [picture for picture in (make(record) for make in makers) if picture is not None]


def report_html(record: "Record", pictures: list[Picture]) -> str:
    """The page as text."""
    problem, (kind, words) = record.problem, STATUS_WORDS[record.status]
    parts = [
        f"<h1>{escape(problem.equation or problem.name)}</h1>",
        f'<p class="answer">{escape(answer(record))} {badge(kind, str(record.status))}</p>',
        '<div class="cards">' + "".join(card(value, label) for value, label in key_numbers(record)) + "</div>",
        *(f'<div class="warn"><b>Note.</b> {escape(text)}</div>' for text in record.warnings),
        "<h2>What was asked</h2>",
        definitions(question(record, words)),
        *(figure(picture) for picture in pictures),
        "<h2>Theory beside measurement, statement by statement</h2>",
        f"<p>{escape(_theory_words(record))}</p>",
        statements_table(record.statements),
        *_widths(record),
        "<h2>How this was made</h2>",
        definitions(provenance(record)),
    ]
    if record.config is not None:
        text = json.dumps(record.config, indent=2, ensure_ascii=False, default=str)
        parts.append(f"<details><summary>The configuration</summary><pre>{escape(text)}</pre></details>")
    return page(f"{problem.name} · pinn_ntk", parts)


def answer(record: "Record") -> str:
    """The run in one or two sentences."""
    history, errors = record.history, record.summary()["error"]
    steps = f"{history.final.step} {'steps' if record.optimizer == 'gradient_descent' else 'output times'} of {record.optimizer.replace('_', ' ')}"
    by = f"a two-layer {record.network.activation.name} network of width {record.network.width} after {steps}"
    if errors is None or errors["relative_l2"] is None:
        first = f"The loss went from {number(float(history.losses[0]))} to {number(float(history.losses[-1]))} with {by}."
    else:
        first = f"Solved to a relative L² error of {number(errors['relative_l2'])} by {by}."
    return f"{first} {_verdict_words(record)}"


def _verdict_words(record: "Record") -> str:
    verdicts = {s.name: s.verdict for s in record.statements}
    linear, bound = verdicts.get("linearised prediction"), verdicts.get("linear convergence")
    words = []
    if linear in ("holds", "fails"):
        words.append("The loss followed its linearised prediction" if linear == "holds" else "The loss left its linearised prediction")
    if bound in ("holds", "fails"):
        words.append("the linear-convergence bound " + ("held" if bound == "holds" else "failed"))
    elif bound == "vacuous":
        words.append("the linear-convergence bound is too slow to say anything over this run")
    return "; ".join(words) + "." if words else ""


def key_numbers(record: "Record") -> list[tuple[str, str]]:
    """Value and label of the numbers that a reader looks for first."""
    summary = record.summary()
    errors, theory, loss = summary["error"], summary["theory"], summary["loss"]
    pairs = []
    if errors is not None:
        pairs += [(number(errors["relative_l2"]), "relative L² error"), (number(errors["relative_linf"]), "relative L^∞ error")]
    pairs.append((f"{number(loss['initial'])} → {number(loss['final'])}", "loss, start → end"))
    if theory is not None and theory["lambda_s"] is not None:
        pairs += [
            (number(theory["lambda_s"], theory["lambda_s_floor"]), "λ_S, smallest eigenvalue at infinite width"),
            (f"{number(theory['rate'])} | {number(theory['rate_measured'])}", "rate of the loss: promised | measured"),
        ]
    if theory is not None and theory["least_width"] is not None:
        pairs.append((number(theory["least_width"]), f"width the theorem asks for (here {record.network.width})"))
    return [*pairs, (f"{summary['time']['total']:.1f} s", "wall time")]


def question(record: "Record", status: str) -> list[tuple[str, str]]:
    """The problem, the network, the loss and the optimiser in symbols."""
    problem, network, history = record.problem, record.network, record.history
    factor = {"sum": "", "ntk": "N^(−1/2) ", "mean_field": "(1/N) "}[network.scaling]
    lifted = "(x, 1)" if network.bias else "x"
    blocks = ", ".join(f"{b.name} ({len(b)} points, weight {b.weight:g})" for b in problem.blocks)
    step = (
        ""
        if record.step_limit is None
        else f", step τ = {number(history.step_size)} = {history.step_size / record.step_limit:.2g} of the limit"
    )
    how = f"{record.optimizer.replace('_', ' ')}, {history.final.step} steps{step}; it ended because {status}"
    return [
        ("equation", problem.equation or "not written down"),
        ("conditions", "; ".join(problem.conditions) or "none"),
        *([("ansatz", problem.ansatz.text or "u = g + ϕh")] if problem.ansatz is not None else []),
        ("blocks", f"{blocks}; {problem.points} points in all"),
        (
            "network",
            f"h(x) = {factor}Σ_k a_k σ(w_k·{lifted}), σ(z) = {network.activation.formula}, N = {network.width}, {network.parameter_count} parameters",
        ),
        ("initialisation", f"{network.init}, γ = {number(network.gamma)} (standard deviation of a), seed {network.seed}"),
        ("loss", "R_S = ‖e‖²/(2n) = Σ_b λ_b‖e_b‖²/(2n_b), e_b = 𝓛_b h − f_b"),
        ("training", how),
        *_error_words(record),
    ]


def _error_words(record: "Record") -> list[tuple[str, str]]:
    if record.problem.test_points is None or record.problem.exact is None:
        return [("error", "not measured: no exact solution is known")]
    return [("error", f"‖u − u*‖/‖u*‖ over {len(record.problem.test_points)} test points that were not trained on")]


def _theory_words(record: "Record") -> str:
    prediction = record.prediction
    if prediction is None:
        return "Predictions were switched off for this run; what follows needs none."
    if prediction.guarantee is not None:
        return f"The {prediction.guarantee.premises.theorem.name} theorem applies. Each statement is judged under its own conditions."
    return (
        f"No theorem applies as it stands: {prediction.verdict.reason}. What can be compared all the same is judged; the rest says why not."
    )


def statements_table(statements: "tuple[Statement, ...]") -> str:
    """Name, claim, predicted, measured, slack, verdict, reason."""
    rows = []
    for s in statements:
        kind, text = BADGES[s.verdict]
        name = f"{escape(s.name)}<small>{escape(s.claim)}</small>"
        reason = f"<small>{escape(s.reason)}</small>"
        slack = "–" if s.slack is None else f"{number(s.slack)}×"
        rows.append((name, number(s.predicted), number(s.measured), slack, badge(kind, text) + reason))
    return table(("statement", "predicted", "measured", "slack", "verdict"), rows)


def _widths(record: "Record") -> list[str]:
    """The three terms, the least width and the sharper ones."""
    guarantee = record.prediction.guarantee if record.prediction else None
    if guarantee is None:
        return []
    terms = guarantee.terms
    rows = [
        ("first term: λ_min(K̂^(a)(θ⁰)) ≥ ¾λ_S", number(terms.first)),
        ("second term: parameters stay close", number(terms.second)),
        ("third term: t* = ∞", number(terms.third)),
        ("least width by the theorem, E R_S(θ⁰) in place of R_S(θ⁰)", number(guarantee.least.width)),
        *((f"the same with the sharper first term ({name})", number(w.width)) for name, w in guarantee.sharper.items()),
        ("this network", number(record.network.width)),
    ]
    return ["<h2>Widths</h2>", table(("condition", "N ≥"), [(escape(a), escape(b)) for a, b in rows])]


def provenance(record: "Record") -> list[tuple[str, str]]:
    """Versions, machine and times."""
    seconds = ", ".join(f"{name} {value:.2f} s" for name, value in record.seconds.items())
    versions = ", ".join(f"{name} {value}" for name, value in record.versions.items())
    result = None if record.prediction is None else envelope(record.prediction, record.history)
    machine = ", ".join(f"{name}: {value}" for name, value in record.machine.items())
    return [
        ("versions", versions),
        ("machine", f"{machine}; device {record.network.a0.device}, {record.summary()['dtype']}"),
        ("time", seconds),
        *([("bound compared over", f"{result.e_folds:.3g} e-folds")] if result is not None else []),
    ]
