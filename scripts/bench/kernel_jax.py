"""The same kernel by JAX: the jitted Jacobian of 𝓛h over all parameters, contracted; or neural-tangents,
by the first argument.
"""

import os
import sys

os.environ["JAX_PLATFORMS"] = "cpu"
import jax
import jax.numpy as jnp
from timing import arguments, data, median_ms, report

which = sys.argv.pop(1)
args = arguments()
jax.config.update("jax_enable_x64", args.dtype == "float64")
x, w, _, a = (jnp.asarray(v, args.dtype) for v in data(args.n, args.N, args.d))


def u(theta, point):
    """h at one point."""
    return theta[0] @ jnp.tanh(theta[1] @ point)


def operator(theta, point):
    """Δu + b·∇u + u at one point, b = (1, …, 1)."""
    slope = jax.grad(u, 1)
    first = slope(theta, point)
    second = jax.vmap(lambda unit: jax.jvp(lambda p: slope(theta, p), (point,), (unit,))[1] @ unit)(
        jnp.eye(args.d, dtype=point.dtype)
    )
    return second.sum() + first.sum() + u(theta, point)


if which == "jacobian":

    @jax.jit
    def kernel(theta):
        """JJᵀ."""
        J = jax.vmap(jax.grad(operator), (None, 0))(theta, x)
        flat = [j.reshape(args.n, -1) for j in J]
        return sum(j @ j.T for j in flat)

    version = f"jax {jax.__version__}"
else:
    import neural_tangents as nt

    apply = lambda theta, points: jax.vmap(lambda p: operator(theta, p))(points)[:, None]  # noqa: E731
    ntk = nt.empirical_ntk_fn(apply, vmap_axes=0, implementation=nt.NtkImplementation.JACOBIAN_CONTRACTION)

    @jax.jit
    def kernel(theta):
        """JJᵀ."""
        return ntk(x, None, theta)

    version = f"neural-tangents {nt.__version__}, jax {jax.__version__}"

theta = (a, w)
check = float(jnp.linalg.norm(kernel(theta)))
report(median_ms(lambda: kernel(theta).block_until_ready(), args.seconds), check, version)
