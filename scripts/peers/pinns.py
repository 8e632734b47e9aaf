"""DeepXDE on A1, A6 and A8 as its documentation does: a network 3×50 tanh, Adam at 1e-3, then L-BFGS;
error against seconds.

Run by peers.py in the peers' environment: `pinns.py SECONDS DTYPE CASE`. Half of the time is Adam's, what is left
L-BFGS's. Seconds are those of training: the clock stands still while errors are measured.
"""

import os
import sys
import time

os.environ["DDE_BACKEND"] = "pytorch"

import deepxde as dde
import numpy as np
import torch
from cases import CASES, CENTRES, RADIUS, Case, measured_at, relative, row

LAYERS, RATE, SEED = [2, 50, 50, 50, 1], 1e-3, 0
DOMAIN, BOUNDARY = {"A1": 1200, "A8": 1200, "A6": 2500}, {"A1": 120, "A8": 120, "A6": 0}  # its examples' numbers
SQUARE, CIRCLE = (
    240,
    65,
)  # A6: points of the square and of each circle; a nested difference draws one in eighteen of them on the square
FIRST, GROWTH = 1.0, 1.4  # seconds of the first error, and by how much the next is later
ENDLESS = 10**8


class Logger(dde.callbacks.Callback):
    """Writes a row at growing times and stops the training when its time is over."""

    def __init__(self, case: Case, solver: str) -> None:
        super().__init__()
        self.case, self.solver = case, solver
        self.x, self.exact = measured_at(case)
        self.used, self.next, self.deadline = 0.0, FIRST, 0.0
        self.since = time.perf_counter()

    def start(self, deadline: float) -> None:
        """The clock goes on, until the deadline."""
        self.deadline, self.since = deadline, time.perf_counter()

    def on_batch_end(self) -> None:
        """Called by DeepXDE after each step of Adam, and every twenty of L-BFGS."""
        now = time.perf_counter()
        self.used, self.since = self.used + now - self.since, now
        if self.used >= self.next or self.used >= self.deadline:
            while self.next <= self.used:
                self.next *= GROWTH
            self.write()
        if self.used >= self.deadline:
            self.model.stop_training = True

    def write(self) -> None:
        """The error now; the clock stands still meanwhile."""
        found = self.model.predict(self.x.T.astype(dde.config.real(np)))[:, 0]
        count = sum(p.numel() for p in self.model.net.parameters())
        row(self.case, self.solver, self.used, relative(found.astype(np.float64), self.exact), count)
        self.since = time.perf_counter()


def geometry(case: Case):
    """The square, for A6 without its holes."""
    shape = dde.geometry.Rectangle([case.low] * 2, [case.high] * 2)
    if case.name == "A6":
        for centre in CENTRES:
            shape = dde.geometry.CSGDifference(shape, dde.geometry.Disk(list(centre), RADIUS))
    return shape


def anchors(case: Case) -> np.ndarray | None:
    """Points of the boundary of A6, spread evenly."""
    if case.name != "A6":
        return None
    parts = [dde.geometry.Rectangle([case.low] * 2, [case.high] * 2).uniform_boundary_points(SQUARE)]
    parts += [dde.geometry.Disk(list(centre), RADIUS).uniform_boundary_points(CIRCLE) for centre in CENTRES]
    return np.vstack(parts).astype(dde.config.real(np))


def residual(case: Case):
    """Σ A_ij u_ij − f."""

    def pde(x, u):
        points = x.detach().numpy().T
        a, b, d = (torch.as_tensor(np.array(v), dtype=x.dtype)[:, None] for v in case.matrix(points))
        f = torch.as_tensor(np.array(case.source(points)), dtype=x.dtype)[:, None]
        total = a * dde.grad.hessian(u, x, i=0, j=0) + d * dde.grad.hessian(u, x, i=1, j=1) - f
        return total if not b.any() else total + 2 * b * dde.grad.hessian(u, x, i=0, j=1)

    return pde


def boundary(case: Case):
    """u on the boundary: the exact values, or 1 on the square and 0 on the holes."""

    def values(x):
        if case.exact is not None:
            return case.exact(x.T)[:, None]
        return (np.abs(x).max(1, keepdims=True) > 0.5 - 1e-6).astype(x.dtype)

    return values


def main(seconds: float, dtype: str, name: str) -> None:
    dde.config.set_default_float(dtype)
    dde.config.set_random_seed(SEED)
    case, shape = CASES[name], geometry(CASES[name])
    condition = dde.icbc.DirichletBC(shape, boundary(case), lambda _, on_boundary: on_boundary)
    data = dde.data.PDE(
        shape, residual(case), condition, num_domain=DOMAIN[name], num_boundary=BOUNDARY[name], anchors=anchors(case)
    )
    model = dde.Model(data, dde.nn.FNN(LAYERS, "tanh", "Glorot uniform"))
    logger = Logger(case, "DeepXDE" if dtype == "float32" else f"DeepXDE {dtype}")
    model.compile("adam", lr=RATE)
    logger.start(seconds / 2)
    model.train(iterations=ENDLESS, display_every=ENDLESS, callbacks=[logger], verbose=0)
    dde.optimizers.set_LBFGS_options(maxiter=ENDLESS)
    dde.optimizers.config.LBFGS_options["iter_per_step"] = 20  # how often the clock is read, not what is computed
    dde.optimizers.config.LBFGS_options["fun_per_step"] = 25
    model.compile("L-BFGS")
    model.stop_training = False
    logger.start(seconds)
    model.train(callbacks=[logger], display_every=ENDLESS, verbose=0)
    if logger.used < seconds:  # it has stopped by itself
        logger.on_batch_end()


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2], sys.argv[3])
