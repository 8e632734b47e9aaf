"""The tangent kernel by automatic differentiation (torch.func): any module, any depth;
the independent twin of the closed form.

K̂ = JJᵀ/scale,  J = ∂(S𝓛h)/∂θ.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from pinn_ntk.kernels.gram import At, Chunk, Kernel, block_map
from pinn_ntk.kernels.memory import require_bytes
from pinn_ntk.networks.module import AnyModule, check_values
from pinn_ntk.networks.module_system import row_jacobian
from pinn_ntk.networks.two_layer import TwoLayer
from pinn_ntk.operators.rows import Rows
from pinn_ntk.problem.residual import Problem, require_fit
from pinn_ntk.rules import checked

JACOBIAN_BYTES = 1 << 29
PARTS = {"delta_a": "a", "delta_w": "w", "extra_weights": "extra"}


@checked
def autograd_kernel(network: nn.Module | AnyModule, problem: Problem, at: At = None, chunk: Chunk = None) -> Kernel:
    """K̂ = JJᵀ/scale of S𝓛h at the points of a problem for any module h: (n, d) → (n,) or (n, 1).

    Args:
        network: h, or a run's trained one; its trainable parameters are θ.
        problem: n rows.
        at: m other rows, for the cross kernel (m, n).
        chunk: rows whose Jacobian is held at a time; by default as many as half a GiB holds.

    Returns:
        The kernel; with scale s²N and parts (a), (w) for a `TwoLayer`, with scale 1 and no parts for other modules.

    Raises:
        MemoryShortageError: n² numbers do not fit.
        ValueError: a module without trainable parameters.

    Examples:
        >>> import torch
        >>> from pinn_ntk import Block, Problem, autograd_kernel, identity
        >>> x = torch.tensor([[1.0], [2.0]])
        >>> line = torch.nn.Linear(1, 1)  # wx + b has the kernel xx' + 1
        >>> autograd_kernel(line, Problem([Block(identity(1), x, 0.0)])).total.tolist()
        [[2.0, 3.0], [3.0, 5.0]]
    """
    if not isinstance(network, TwoLayer):
        network = network if isinstance(network, AnyModule) else AnyModule(network, problem.dim)
        require_fit(network, problem)
        check_values(network, problem.x[:4])
    else:
        require_fit(network, problem)
    module = network.module if isinstance(network, AnyModule) else network
    parameters = {name: p.detach() for name, p in module.named_parameters() if p.requires_grad}
    rows = problem.rows()
    left = rows if at is None else at
    count = sum(p.numel() for p in parameters.values())
    n, m = sum(map(len, rows)), sum(map(len, left))
    reference = next(iter(parameters.values()))
    require_bytes(2 * n * m * reference.element_size(), reference.device, f"the kernel of {m} × {n} rows")
    size = chunk or max(1, JACOBIAN_BYTES // (count * reference.element_size()))
    grams = _grams(module, parameters, _split(left, size), None if at is None else _split(rows, size))
    columns = block_map(problem)
    row_map = columns if at is None else {"new": (slice(0, m), 1.0)}
    if not isinstance(module, TwoLayer):
        return Kernel(_sum(grams.values()), 1.0, None, None, None, row_map, columns, None, size)
    scale = module.scale**2 * module.width
    parts = {PARTS[name]: value / scale for name, value in grams.items()}
    extra = parts["extra"] if module.extra else None
    return Kernel(_sum(parts.values()), scale, parts["a"], parts["w"], extra, row_map, columns, None, size)


def _split(rows: Iterable[Rows], size: int) -> list[Rows]:
    return [r.select(slice(i, i + size)) for r in rows for i in range(0, len(r), size)]


def _grams(
    module: nn.Module, parameters: dict[str, Tensor], left: list[Rows], right: list[Rows] | None
) -> dict[str, Tensor]:
    """JJ'ᵀ for each parameter tensor. One chunk's Jacobian is kept, the other is made anew:
    memory stays at two chunks.
    """
    others = left if right is None else right
    pieces: dict[str, list[list[Tensor]]] = {name: [[] for _ in left] for name in parameters}
    for i, rows in enumerate(left):
        mine = row_jacobian(module, parameters, rows)
        for j, columns in enumerate(others):
            if right is None and j < i:
                for name in parameters:
                    pieces[name][i].append(pieces[name][j][i].mT)
                continue
            theirs = mine if right is None and i == j else row_jacobian(module, parameters, columns)
            for name in parameters:
                pieces[name][i].append(mine[name] @ theirs[name].mT)
    return {name: torch.cat([torch.cat(row, 1) for row in block]) for name, block in pieces.items()}


def _sum(values: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(values)).sum(0)
