"""The same step by hand-written, jitted JAX: second derivatives forward over reverse,
one jvp of the gradient for each coordinate.
"""

import os

os.environ["JAX_PLATFORMS"] = "cpu"
import jax
import jax.numpy as jnp
from timing import arguments, data, median_ms, report

args = arguments()
jax.config.update("jax_enable_x64", args.dtype == "float64")
x, w, bias, a = (jnp.asarray(v, args.dtype) for v in data(args.n, args.N, args.d))


def u(theta, point):
    """h at one point."""
    own, inner, shift = theta
    return own @ jnp.tanh(inner @ point + shift)


def operator(theta, point):
    """Δu + u at one point."""
    slope = jax.grad(u, 1)
    total = u(theta, point)
    for j in range(args.d):
        unit = jnp.zeros_like(point).at[j].set(1.0)
        total = total + jax.jvp(lambda p: slope(theta, p), (point,), (unit,))[1][j]
    return total


def loss(theta):
    """R_S."""
    e = jax.vmap(lambda p: operator(theta, p))(x) - 1.0
    return e @ e / (2 * args.n)


@jax.jit
def step(theta):
    """θ ← θ − τ∇R_S."""
    value, slope = jax.value_and_grad(loss)(theta)
    return value, jax.tree_util.tree_map(lambda p, g: p - 1e-6 * g, theta, slope)


theta = [(a, w, bias)]
first = float(step(theta[0])[0])


def once() -> None:
    """One step, waited for."""
    value, theta[0] = step(theta[0])
    value.block_until_ready()
    theta[0][0].block_until_ready()


report(median_ms(once, args.seconds), first, f"jax {jax.__version__}")
