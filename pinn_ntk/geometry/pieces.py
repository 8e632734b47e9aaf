"""What follows from the pieces of ∂Ω alone: points on those that a person names, and the normal at a point."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pinn_ntk.arguments import choose, count
from pinn_ntk.geometry.domain import Piece
from pinn_ntk.geometry.sampling import LAST_SEED, apportion


def named_pieces(pieces: Sequence[Piece], names: Sequence[str] | None) -> tuple[Piece, ...]:
    """The pieces of those names, each once, blanks not counting; all for None; one text is one name.

    Raises:
        ValueError: no such piece; the nearest name is suggested and all are listed.
    """
    if names is None:
        return tuple(pieces)
    table = {piece.name: piece for piece in pieces}
    squeezed = {name.replace(" ", ""): piece for name, piece in table.items()}
    wanted = [names] if isinstance(names, str) else list(names)
    found = [
        squeezed.get(str(name).replace(" ", "")) or choose("piece of the boundary", name, table) for name in wanted
    ]
    return tuple({piece.name: piece for piece in found}.values())


def on_pieces(pieces: Sequence[Piece], n: int, seed: int) -> Tensor:
    """n points on the pieces, shared out by measure, at least one on each, piece after piece, (m, d).

    Raises:
        ValueError: fewer points than pieces, no piece, or a seed out of range.
    """
    count("boundary points", n)
    count("seed", seed, 0, LAST_SEED)
    if not pieces or n < len(pieces):
        raise ValueError(
            f"boundary points: got {n} for {len(pieces)} pieces, expected at least one point on each; raise "
            "their number"
        )
    shares = apportion(n, [piece.measure for piece in pieces])
    return torch.cat([piece.sample(m, seed) for piece, m in zip(pieces, shares, strict=True)])


def normals(pieces: Sequence[Piece], x: Tensor, where: str) -> Tensor:
    """ν(x) at boundary points, (n, d), that of the piece on which each lies.

    Args:
        pieces: all of ∂Ω.
        x: (n, d) points.
        where: Ω in words.

    Raises:
        ValueError: a point on no piece, or on two whose normals differ.
    """
    found, normal = x.new_zeros(len(x), dtype=torch.bool), torch.zeros_like(x)
    torn = torch.zeros_like(found)
    for piece in pieces:
        on = piece.contains(x)
        if bool(on.any()):
            here = torch.zeros_like(x)
            here[on] = piece.normal(x[on])
            torn |= on & found & ((here - normal).norm(dim=1) > 1e-3)
            normal = torch.where((on & ~found)[:, None], here, normal)
            found |= on
    if bool((torn | ~found).any()):
        i = int((torn | ~found).int().argmax())
        place = "on an edge or corner, where no normal exists" if torn[i] else "not on the boundary"
        raise ValueError(
            f"normal: got x = {x[i].tolist()}, which is {place} of {where}; expected points inside one piece"
        )
    return normal
