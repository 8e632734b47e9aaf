"""The floor of the kernel: d + 1 products n × N × n of the same precision."""

import torch
from timing import arguments, median_ms, report

args = arguments()
left, right = (torch.randn(*shape, dtype=getattr(torch, args.dtype)) for shape in ((args.n, args.N), (args.N, args.n)))


def products():
    """d + 1 of them."""
    return [left @ right for _ in range(args.d + 1)]


report(median_ms(products, args.seconds), float("nan"), f"torch {torch.__version__}")
