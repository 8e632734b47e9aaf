"""The picture of the front page and the README: `python scripts/front.py` writes docs/front.svg and prints the numbers
behind it.

Left: the theory twin (experiment=convergence): loss, bound and forecast. Middle: eigenvalues of its kernel at both
ends. Right: −Δu = 1 on the L-shape by `solve`.
"""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.path import Path as Outline

from pinn_ntk import PROBLEMS, Record, Settings, TwoLayer, dirichlet, l_shape, laplacian, pose, run, solve
from pinn_ntk.comparison import forecast_losses

TARGET = Path(__file__).resolve().parent.parent / "docs" / "front.svg"
BLUE, ORANGE, GREEN, BLACK = "#0072b2", "#d55e00", "#009e73", "#1a1a1a"


def twin() -> Record:
    """The run of experiment=convergence."""
    problem = PROBLEMS["poisson_3d"](points=8)
    network = TwoLayer(3, 4096, "relu3", bias=True, gamma="inv_sqrt_width", seed=0)
    return run(problem, network, Settings(step_size=0.9, steps=5000))


def draw_loss(axes: Axes, record: Record) -> None:
    """R_S beside what was said of it."""
    history, prediction = record.history, record.prediction
    assert prediction is not None and prediction.lazy is not None
    t, losses = history.columns["time"], history.columns["loss"]
    bound = prediction.initial_loss * np.exp(-prediction.lazy.rate * t)
    curves = forecast_losses(prediction, history)
    assert curves is not None
    mean, (low, _, high) = curves
    kept = slice(1, None)  # time 0 is not on a logarithmic axis
    axes.fill_between(t[kept], low[kept], high[kept], color=BLUE, alpha=0.18, lw=0, label="forecast, 5–95 % of seeds")
    axes.plot(t[kept], mean[kept], color=BLUE, lw=1.2, label="its mean")
    axes.plot(t[kept], losses[kept], color=BLACK, lw=1.8, label="measured")
    axes.plot(t[kept], bound[kept], ":", color=ORANGE, lw=2.0, label="bound of the theorem")
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="time t of gradient flow",
        title="loss $R_S$",
        ylim=(losses[0] * 1e-6, losses[0] * 8),
    )
    axes.legend(loc="lower left", fontsize=8, frameon=False)
    covered = prediction.lazy.rate * float(t[-1])
    print(f"bound: {covered:.3g} e-folds, largest ratio {float(np.max(losses / bound)):.3g}, status {record.status}")


def draw_spectrum(axes: Axes, record: Record) -> None:
    """Eigenvalues of K̂ at both ends of training."""
    values = record.history.arrays["eigenvalues"]
    ranks = np.arange(1, values.shape[1] + 1)
    axes.plot(ranks, values[0][::-1], "o-", color=BLUE, ms=5, label="before training")
    axes.plot(ranks, values[-1][::-1], "x--", color=ORANGE, ms=7, label="after it")
    axes.set(yscale="log", xlabel="number j", title=r"eigenvalues of the tangent kernel $\hat K$")
    axes.legend(fontsize=8, frameon=False)
    print(f"drift of the kernel: {float(np.nanmax(record.history.columns['drift'])):.3g}")


def draw_solution(axes: Axes, side: int = 201) -> None:
    """u of −Δu = 1 on the L-shape."""
    solution = solve(pose(-laplacian(2), l_shape(), source=1, given=[dirichlet(0)]), tolerance=1e-9)
    s = np.linspace(-1.0, 1.0, side)
    x, y = np.meshgrid(s, s, indexing="ij")
    points = np.stack([x.ravel(), y.ravel()], 1)
    inside = ~((points[:, 0] > 0) & (points[:, 1] < 0))
    u = np.full(len(points), np.nan)
    u[inside] = solution.u(torch.from_numpy(points[inside])).numpy()
    corner = [(-1, -1), (0, -1), (0, 0), (1, 0), (1, 1), (-1, 1), (-1, -1)]
    field = u.reshape(side, side)
    shown = np.nan_to_num(field.T)  # 0, as on the boundary: only the outline's own pixels see it
    image = axes.imshow(shown, origin="lower", extent=(-1, 1, -1, 1), cmap="viridis", interpolation="bilinear")
    image.set_clip_path(Outline(corner), transform=axes.transData)
    axes.plot(*zip(*corner, strict=True), color=BLACK, lw=0.9)
    words = f"estimated relative error {solution.estimate:.0e}"
    axes.set(
        aspect="equal",
        xlim=(-1.03, 1.03),
        ylim=(-1.03, 1.03),
        xticks=[-1, 0, 1],
        yticks=[-1, 0, 1],
        title="$-\\Delta u = 1$ by solve()",
        xlabel=words,
    )
    print(
        f"solve: {solution.reason}, estimate {solution.estimate:.3g}, width {solution.network.width}, largest u "
        f"{float(np.nanmax(u)):.6f}"
    )


def main() -> None:
    record = twin()
    with mpl.rc_context(
        {"font.size": 9.5, "axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "pinn_ntk"}
    ):
        figure = Figure(figsize=(11.0, 3.5), layout="constrained", facecolor="white")
        left, middle, right = figure.subplots(1, 3, width_ratios=[1.25, 1.0, 0.95])
        draw_loss(left, record)
        draw_spectrum(middle, record)
        draw_solution(right)
        figure.savefig(TARGET, metadata={"Date": None})
    print(TARGET)


if __name__ == "__main__":
    main()
