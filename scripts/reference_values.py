"""Print the reference numbers of the theory: C_d, λ_S of the standard point sets,
and the least widths of both theorems.

Every figure of this kind that is quoted anywhere comes from here: `python scripts/reference_values.py`.
"""

import math

import torch
from torch import Tensor

from pinn_ntk import Block, Problem, TwoLayer, identity, laplacian, predict
from pinn_ntk.theory import l1_moment

DELTA = 0.1


def grid(n: int, ends: bool) -> Tensor:
    """i/(n+1), or i/(n−1) with the end points."""
    i = torch.arange(n, dtype=torch.float64)
    return (i / (n - 1) if ends else (i + 1) / (n + 1))[:, None]


def case(x: Tensor, pde: bool, bias: bool) -> tuple[float, float, dict[str, float]]:
    """λ_S, the least width at γ = 1/√N and mean f² = ½, and the same with sharper first terms."""
    operator = laplacian(x.shape[1]) if pde else identity(x.shape[1])
    target = torch.full((len(x),), math.sqrt(0.5), dtype=torch.float64)
    problem = Problem([Block(operator, x, target)])
    prediction = predict(problem, TwoLayer(x.shape[1], 64, "relu3" if pde else "relu", bias=bias), DELTA)
    lazy, guarantee = prediction.lazy, prediction.guarantee
    sharper = {name: w.width for name, w in guarantee.sharper.items()} if guarantee else {}
    return lazy.lambda_s if lazy else math.nan, guarantee.least.width if guarantee else math.nan, sharper


def main() -> None:
    """Print the tables."""
    print("C_d = E‖w‖₁^m")
    for m in (4, 12):
        print(f"  m = {m:2d}: " + ", ".join(f"{l1_moment(d, m):.6g}" for d in range(1, 6)))
    eye = {n: torch.eye(n, dtype=torch.float64) for n in (2, 3, 4)}
    one, ends = torch.ones(1, 1, dtype=torch.float64), grid(2, ends=True)
    table = [("regression, x = 1", one, False, False), ("regression, {0, 1} + bias", ends, False, True)]
    table += [(f"regression, e_i, n = {n}", x, False, False) for n, x in eye.items()]
    table += [("Laplace, e_i, n = 2", eye[2], True, False)]
    for n in (2, 3, 5, 10, 20):
        for pde in (False, True):
            for with_ends in (False, True):
                where = "i/(n−1)" if with_ends else "i/(n+1)"
                table.append(
                    (f"{'Laplace' if pde else 'regression'}, {where} + bias, n = {n}", grid(n, with_ends), pde, True)
                )
    print(
        f"\n{'case':40s} {'λ_S':>11s} {'least width':>12s}  with sharper first terms (δ = {DELTA}, γ = 1/√N, "
        "mean f² = ½)"
    )
    for name, x, pde, bias in table:
        lambda_s, width, sharper = case(x, pde, bias)
        print(
            f"{name:40s} {lambda_s:11.4e} {width:12.3e}  "
            + ", ".join(f"{key} {value:.2e}" for key, value in sharper.items())
        )


if __name__ == "__main__":
    main()
