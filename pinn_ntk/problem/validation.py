"""What can be said against a problem before any work is done on it: faulty functions, stray points, repeated rows,
inconsistent data.
"""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from pinn_ntk.operators.divergence import differentiated
from pinn_ntk.operators.gradients import gradient
from pinn_ntk.operators.second_order import check_operator
from pinn_ntk.problem.finding import ERROR, NOTE, Finding, shown
from pinn_ntk.problem.form import equation_form
from pinn_ntk.problem.residual import Ansatz, Block, Function, Problem, replace_block
from pinn_ntk.problem.wellposed import posedness

_WRITTEN = 2**22  # entries of A written out at once, 32 MB
_LAYER = 1e-3  # of the domain: the thinnest layer in which a function is expected to vary
CONSISTENT = 1e-6  # relative gap of the exact solution above which a person has typed something else than they meant
# h = (u − g)/ϕ loses digits like 1/ϕ²: the exact solution is compared where ϕ is above this part of its maximum
_WELL_INSIDE = 1e-2


def check_problem(problem: Problem) -> list[Finding]:
    """Everything that is wrong with a problem: faulty functions, points outside Ω, repeated or empty rows,
    an exact solution that is none, conditions that contradict one another or are too few, a varying A that may have
    been meant in divergence form.

    Args:
        problem: any problem. Where a function of it is faulty, only that is reported, as the rest would rest on it.
    """
    faults = [*faulty_operators(problem), *detached_functions(problem)]
    if any(f.severity == ERROR for f in faults):
        return faults
    known = problem if not faults else replace(problem, exact=None)  # of values only: it satisfies nothing that is seen
    rows = [*points_outside(problem), *repeated_rows(problem), *inconsistencies(known)]
    return [*faults, *rows, *posedness(problem), *equation_form(problem)]


def faulty_operators(problem: Problem) -> Iterator[Finding]:
    """An operator that raises, or returns what it should not, on three points of its block."""
    for block in problem.blocks:
        try:
            for operator, x in block.places:
                check_operator(operator, x)
        except (ValueError, RuntimeError) as error:
            yield Finding("error", f"block {block.name!r}: {error}")


def detached_functions(problem: Problem) -> Iterator[Finding]:
    """A function whose gradient by autograd differs from central differences at three points,
    as when it leaves torch's graph. An exact solution that has values alone, by another library, is fit for errors:
    a note says that the equation was not tried on it.
    """
    ansatz = problem.ansatz
    functions: dict[str, Function | None] = {"the exact solution u": problem.exact}
    if ansatz is not None:
        functions |= {"ϕ of the ansatz": ansatz.phi, "g of the ansatz": ansatz.g}
    for block in problem.blocks:
        functions |= {f"block {block.name!r}: k of divergence": k for k in differentiated(block.operator)}
    every = problem.blocks[0].x.double()  # differences say little in single precision
    lengths = every.amax(0) - every.amin(0)
    for what, function in functions.items():
        if function is not None and function is problem.exact and _values_alone(function, every[:3]):
            yield Finding(NOTE, f"{what}: has values but no derivatives, so it was not tried in the equation")
        elif function is not None and (fault := _differentiation_fault(function, every[:3], lengths)):
            yield Finding("error", f"{what}: {fault}")


def _values_alone(function: Function, x: Tensor) -> bool:
    """Whether the function has right values on plain points and refuses points that ask for a gradient.

    One that takes them and leaves torch's graph in silence may have made a wrong source, and stays a fault.
    """
    try:
        value = function(x)
        if value.shape != x.shape[:1] or value.dtype != x.dtype:
            return False
    except Exception:  # a person's function may raise anything; `_differentiation_fault` tells it
        return False
    try:
        function(x.clone().requires_grad_())
    except RuntimeError:
        return True
    return False


def _differentiation_fault(function: Function, x: Tensor, lengths: Tensor) -> str | None:
    """What is wrong with the function's values or its gradient at x, if anything.

    Differences by steps of several scales are taken, since a function may vary with 1, with the domain, or in a layer
    of it.
    """
    expected = f"expected ({x.shape[0]},) values of {x.dtype} by torch operations on the given points"
    try:
        value, slope = function(x), gradient(function, x)
    except Exception as error:  # a person's function may raise anything; it is told with its own words
        return f"raised {type(error).__name__}: {error}; {expected}"
    if value.shape != x.shape[:1] or value.dtype != x.dtype:
        return f"got values of shape {tuple(value.shape)} and {value.dtype}, {expected}"
    lengths = torch.where(lengths > 0, lengths, 1.0 + x.abs().amax(0))
    checks = [
        _by_differences(function, x, value, slope, unit)
        for unit in (torch.ones_like(lengths), lengths, _LAYER * lengths)
    ]
    differences, gap = checks[0][0], torch.stack([excess for _, excess in checks]).amin(0)
    if bool((gap <= 0).all()):  # read back: a check of the problem, once
        return None
    i = int(gap.nan_to_num(torch.inf).argmax())  # read back: words of a finding
    return (
        f"its gradient at x = {shown(x[i])} is {shown(slope[i])} by autograd and {shown(differences[i])} by "
        "differences; "
        f"it leaves torch's graph (detach, numpy, .item()) or is not smooth there: {expected}"
    )


def _by_differences(function: Function, x: Tensor, value: Tensor, slope: Tensor, unit: Tensor) -> tuple[Tensor, Tensor]:
    """Central differences, (n, d), and by how much the gradient is off them beyond their own error, (n,),
    in those units of length.
    """
    # read back: a check of the problem, once
    rounding = torch.finfo(x.dtype).eps * (1.0 + float((x.abs().amax(0) / unit).max()))
    step = rounding ** (1 / 3)
    columns = [(function(x + step * e) - function(x - step * e)) / (2 * step) for e in torch.diag(unit)]
    differences = torch.stack(columns, 1)
    size = 1.0 + float(value.abs().max()) + float(differences.abs().max())  # read back: a check of the problem, once
    gap = (slope * unit - differences).abs().amax(1)
    return differences / unit, gap - 1e3 * step**2 * size


def points_outside(problem: Problem) -> Iterator[Finding]:
    """Points of a block, partners too, that lie outside the domain."""
    if problem.domain is None:
        return
    for block, x in ((b, x) for b in problem.blocks for _, x in b.places):
        outside = ~problem.domain.contains(x)
        if bool(outside.any()):  # read back: a check of the problem, once
            i = int(outside.int().argmax())
            yield Finding(
                "error",
                f"block {block.name!r}: {int(outside.sum())} of {len(block)} points are outside "
                f"{problem.domain}, the first is "
                f"x = {shown(x[i])}; expected points of the domain",
            )


def repeated_rows(problem: Problem) -> Iterator[Finding]:
    """The same point twice under the same operator, or an operator that vanishes at a point:
    the kernel K is then singular.
    """
    names = [block.name for block in problem.blocks for _ in range(len(block))]
    x = problem.x
    size = torch.cat([_sizes(block) for block in problem.blocks])
    empty = size <= 16 * torch.finfo(x.dtype).eps * size.max()
    if bool(empty.any()):  # read back: a check of the problem, once
        i = int(empty.int().argmax())
        yield Finding(
            "warning",
            f"block {names[i]!r}: the operator vanishes at x = {shown(x[i])} (and at {int(empty.sum()) - 1} "
            "more points): "
            "K has a zero row there and λ_S = 0; move or drop the point",
        )
    # read back: a check of the problem, once
    again = _repeated(x).nonzero().flatten()  # rows are d² + 2d + 1 numbers: only those of repeated points are compared
    if not len(again):
        return
    spans = problem.slices
    # read back: a check of the problem, once
    own = [again[(again >= part.start) & (again < part.stop)] - part.start for part in spans.values()]
    written = [
        _written_out(block.select(index)) for block, index in zip(problem.blocks, own, strict=True) if len(index)
    ]
    width = max(w.shape[1] for w in written)
    rows = torch.cat([torch.nn.functional.pad(w, (0, width - w.shape[1])) for w in written])
    twice = again[_repeated(rows)]  # read back: a check of the problem, once
    if len(twice):
        i = int(twice[0])
        alike = (rows == rows[again == i]).all(1)
        blocks = sorted({names[k] for k in again[alike].tolist()})
        yield Finding(
            "warning",
            f"{len(twice)} rows repeat one another, such as x = {shown(x[i])} in {', '.join(blocks)}: the same "
            "point under the same "
            "operator makes K singular (λ_S = 0); average the data or drop the copies",
        )


def _repeated(rows: Tensor) -> Tensor:
    """Whether a row occurs more than once, (n,) booleans."""
    _, place, counts = torch.unique(rows, dim=0, return_inverse=True, return_counts=True)
    twice: Tensor = counts[place] > 1
    return twice


def _written_out(block: Block) -> Tensor:
    """(x, A, b, c) of the block's operator at its points, (n, d + d² + d + 1),
    and those of the partner where rows are paired.
    """
    parts = []
    for operator, x in block.places:
        A, b, c = operator.coefficients(x)
        parts += [x, A.flatten(1), b, c[:, None]]
    return torch.cat(parts, 1)


def _sizes(block: Block) -> Tensor:
    """max(|A_ab|, |b_a|, |c|) of every row, a part of the points at a time: A alone is n d² numbers.
    A functional less itself has 0.
    """
    d, found = block.operator.dim, []
    for index in torch.arange(len(block), device=block.x.device).split(max(1, _WRITTEN // d**2)):
        own, *others = _written_out(block.select(index)).split((d + 1) ** 2, 1)
        size = own[:, d:].abs().amax(1)
        for other in others:
            size = torch.maximum(size, other[:, d:].abs().amax(1)).masked_fill((own == other).all(1), 0.0)
        found.append(size)
    return torch.cat(found)


def inconsistencies(problem: Problem) -> Iterator[Finding]:
    """Where the exact solution does not satisfy a block, or the conditions that the ansatz imposes:
    the largest gap and its point.
    """
    if problem.exact is None:
        return
    for block in problem.blocks:
        kept, ansatz = block, problem.ansatz
        if ansatz is not None:
            least = torch.stack([ansatz.phi(x).abs() for _, x in block.places]).amin(0)
            kept = replace_block(block.select(least >= _WELL_INSIDE * least.max()), torch.float64, block.x.device)
        left, eps = kept.rows().apply(_network_of(problem.exact, ansatz)), torch.finfo(block.x.dtype).eps
        size = float(kept.target.abs().max())  # read back: a check of the problem, once
        if ansatz is not None:  # 𝓛g and f may cancel: rounding is that of their sizes
            own = (c.operator.apply(problem.exact, kept.x) for c in problem.posed if c.name == block.name)
            # read back: a check of the problem, once
            size = max([size, *(float(values.abs().max()) for values in own)])
        yield from _gap(f"block {block.name!r}: the exact solution gives", left, kept.target, kept.x, eps, size)
    if problem.ansatz is not None and problem.domain is not None:
        size = float(problem.ansatz.phi(problem.x).abs().max())  # read back: a check of the problem, once
        x = problem.domain.boundary(max(32 * problem.dim, 8 * len(problem.domain.pieces)), seed=1)
        yield from _conditions(problem.exact, problem.ansatz, x.to(problem.x), size)


def _network_of(exact: Function, ansatz: Ansatz | None) -> Function:
    """The h with u = g + ϕh: (u − g)/ϕ."""
    if ansatz is None:
        return exact
    phi, g = ansatz.phi, ansatz.g
    return (lambda x: exact(x) / phi(x)) if g is None else (lambda x: (exact(x) - g(x)) / phi(x))


def _conditions(exact: Function, ansatz: Ansatz, x: Tensor, size: float) -> Iterator[Finding]:
    """On ϕ = 0, up to rounding of its size, u = g; where ∇ϕ = 0 as well, as at t = t₀ of a wave, ∇u = ∇g."""
    g: Function = ansatz.g or (lambda p: torch.zeros_like(p[:, 0]))
    eps = torch.finfo(x.dtype).eps
    on = x[ansatz.phi(x).abs() <= 64 * eps * size]  # read back: a check of the problem, once
    if not len(on):
        return
    yield from _gap("imposed condition: the exact solution is", exact(on), g(on), on, eps)
    slope = gradient(ansatz.phi, on)
    flat = on[slope.abs().amax(1) <= 64 * eps * slope.abs().max()]  # read back: a check of the problem, once
    if len(flat):
        du, dg = (gradient(f, flat)[:, -1] for f in (exact, g))
        yield from _gap(
            "imposed condition: the exact solution has the derivative in the last coordinate", du, dg, flat, eps
        )


def _gap(what: str, got: Tensor, expected: Tensor, x: Tensor, eps: float, size: float = 0.0) -> Iterator[Finding]:
    gap = (got - expected).abs()
    # read back: a check of the problem, once
    if not bool((gap <= max(CONSISTENT, 1e3 * eps) * (1.0 + max(size, float(expected.abs().max())))).all()):
        # read back: words of a finding
        i = int(gap.nan_to_num(torch.inf).argmax())
        # read back: words of a finding
        yield Finding(
            "warning",
            f"{what} {float(got[i]):.6g} at x = {shown(x[i])} where the problem has {float(expected[i]):.6g} "
            f"(largest residual {float(gap[i]):.3g}): errors against it would mean nothing; correct one of them",
        )
