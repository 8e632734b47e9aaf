"""Boxes: points inside and on faces, in the right proportions, with the right normals."""

import warnings

import pytest
import torch

from pinn_ntk.arguments import MAX_SEED
from pinn_ntk.geometry import SAMPLINGS, box

BOXES = {
    "interval": box(-1.0, 3.0),
    "rectangle": box([0.0, -2.0], [4.0, -1.0]),
    "brick": box([0.0, 0.0, 1.0], [1.0, 2.0, 4.0]),
    "four": box([0.0] * 4, [1.0] * 4),
}


@pytest.mark.parametrize("name", BOXES)
@pytest.mark.parametrize("method", ["sobol", "halton", "uniform"])
def test_interior_points_are_strictly_inside_and_repeatable(name, method):
    domain = BOXES[name]
    x = domain.interior(97, seed=3, method=method)
    assert x.shape == (97, domain.dim)
    assert x.dtype == torch.float64
    assert ((x > torch.tensor(domain.low)) & (x < torch.tensor(domain.high))).all()
    assert torch.equal(x, domain.interior(97, seed=3, method=method))
    assert not torch.equal(x, domain.interior(97, seed=4, method=method))


def test_fewer_sobol_points_are_the_first_of_more_and_any_number_is_silent():
    domain = BOXES["rectangle"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(domain.interior(33), domain.interior(100)[:33])


def test_sobol_points_integrate_better_than_independent_ones():
    """∫ x²y² over [0, 4] × [−2, −1] = (64/3)(7/3): quasi-Monte Carlo at n = 1024 is far below the 1/√n of independent
    points.
    """
    domain = BOXES["rectangle"]
    exact, error = 64 / 3 * 7 / 3, {}
    for method in ("sobol", "uniform"):
        estimates = torch.stack(
            [domain.volume * (domain.interior(1024, seed, method) ** 2).prod(1).mean() for seed in range(8)]
        )
        error[method] = float((estimates - exact).square().mean().sqrt()) / exact
    assert error["sobol"] < 0.1 * error["uniform"] < 0.1


@pytest.mark.parametrize("method", SAMPLINGS)
@pytest.mark.parametrize("seed", [-1, 10**30, 1.5])
def test_a_seed_out_of_range_is_refused_by_every_sampling(method, seed):
    with pytest.raises(ValueError, match=r"seed: got .* at least 0 and at most"):
        BOXES["rectangle"].interior(4, seed, method)


def test_every_part_of_a_domain_accepts_the_largest_seed_of_a_problem():
    domain = BOXES["rectangle"]
    for method in SAMPLINGS:
        assert len(domain.interior(4, MAX_SEED, method)) == 4
    assert len(domain.boundary(4, MAX_SEED + 1)) == 4
    assert len(domain.face(1, "high", 4, MAX_SEED + 2)) == 4


@pytest.mark.parametrize("seed", [0, 1, 99, 99 + 2**32, MAX_SEED])
def test_test_points_are_those_of_no_seed(seed):
    """Numpy reads 99 + 2³² as the words 99, 1: also not of this one."""
    domain = BOXES["rectangle"]
    tests = domain.test_points(64)
    assert torch.equal(tests, domain.test_points(100)[:64])
    assert torch.cdist(domain.interior(64, seed), tests).min() > 1e-6
    assert domain.contains(tests).all()


@pytest.mark.parametrize("length", [1e-74, 1e74])
def test_shares_need_no_volume(length):
    """The volume of such a box in four dimensions is hardly a float; by measure all eight faces are alike."""
    domain = box([0.0] * 4, [length] * 4)
    x = domain.boundary(16)
    assert [(x == end).sum(0).tolist() for end in (0.0, length)] == [[2] * 4] * 2


def test_grid_is_the_tensor_grid_without_ends():
    x = BOXES["rectangle"].interior(9, method="grid")
    assert torch.allclose(x[:, 0].unique(), torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64))
    assert torch.allclose(x[:, 1].unique(), torch.tensor([-1.75, -1.5, -1.25], dtype=torch.float64))
    assert len(x.unique(dim=0)) == 9
    assert torch.allclose(
        box(0.0, 1.0).interior(4, method="grid")[:, 0], torch.arange(1, 5) / torch.tensor(5.0, dtype=torch.float64)
    )


def test_boundary_of_an_interval_is_its_two_ends():
    assert BOXES["interval"].boundary(50).tolist() == [[-1.0], [3.0]]


@pytest.mark.parametrize("name", ["rectangle", "brick", "four"])
@pytest.mark.parametrize("n", [8, 61])
def test_boundary_points_lie_on_one_face_each_and_every_face_has_some(name, n):
    domain = BOXES[name]
    x = domain.boundary(n, seed=2)
    low, high = torch.tensor(domain.low), torch.tensor(domain.high)
    on = torch.cat([x == low, x == high], 1)
    assert len(x) == n
    assert (on.sum(1) == 1).all()
    assert (on.sum(0) >= 1).all()
    assert domain.contains(x).all()


def test_boundary_points_are_shared_out_by_measure():
    x = BOXES["rectangle"].boundary(1000)
    short = ((x[:, 0] == 0.0) | (x[:, 0] == 4.0)).sum()
    assert abs(int(short) - 200) <= 4


def test_faces_do_not_mirror_one_another():
    domain = BOXES["four"]
    along = [domain.face(axis, side, 5)[:, [j for j in range(4) if j != axis]] for axis, side in domain.faces]
    assert all(not torch.allclose(along[i], along[j]) for i in range(8) for j in range(i))


@pytest.mark.parametrize("name", BOXES)
def test_normal_is_outward_and_of_unit_length(name):
    domain = BOXES[name]
    x = domain.boundary(40)
    normal = domain.normal(x)
    assert torch.allclose(normal.norm(dim=1), torch.ones(len(x), dtype=x.dtype))
    assert not domain.contains(x + 1e-6 * normal).any()
    assert domain.contains(x - 1e-6 * normal).all()


@pytest.mark.parametrize("name", ["rectangle", "brick"])
def test_divergence_theorem_ties_normals_and_measures(name):
    """∮ x·ν dS = d |Ω|, the points of each face carrying its measure."""
    domain, flux = BOXES[name], 0.0
    for axis, side in domain.faces:
        x = domain.face(axis, side, 7)
        flux += float((x * domain.normal(x)).sum(1).mean()) * domain.volume / domain.lengths[axis]
    assert flux == pytest.approx(domain.dim * domain.volume, rel=1e-12)


def test_faces_survive_single_precision():
    domain = box([0.1, 0.2], [0.7, 1.3])
    x = domain.boundary(40).float()
    assert domain.contains(x).all()
    assert torch.equal(domain.normal(x), domain.normal(domain.boundary(40)).float())


def test_points_off_one_face_have_no_normal():
    square = box([0.0, 0.0], [1.0, 1.0])
    with pytest.raises(ValueError, match="not on the boundary"):
        square.normal(torch.tensor([[0.5, 0.5]]))
    with pytest.raises(ValueError, match="corner"):
        square.normal(torch.tensor([[0.0, 0.5], [0.0, 1.0]]))
    with pytest.raises(ValueError, match="not on the boundary"):
        square.normal(torch.tensor([[0.0, 1.5]]))


def test_lattice_holds_the_corners():
    x = BOXES["brick"].lattice(3)
    assert len(x) == 27
    assert x[0].tolist() == list(BOXES["brick"].low)
    assert x[-1].tolist() == list(BOXES["brick"].high)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: box([0.0, 1.0], [1.0, 1.0]), "domain is empty"),
        (lambda: box(1.0, 0.0), "domain is empty"),
        (lambda: box(0.0, float("inf")), "finite"),
        (lambda: box(float("nan"), 1.0), "finite"),
        (lambda: box([0.0], [1.0, 2.0]), "1 lower and 2 upper"),
        (lambda: box([], []), "one of each"),
        (lambda: box("a", "b"), "low: got 'a', expected a finite number or a list"),
        (lambda: box(-1e308, 1e308), "length inf"),
        (lambda: box([0.0, 0.0], [1.0, 1e-200]), "coordinate 2, expected a length"),
        (lambda: BOXES["rectangle"].interior(10**12), "at most 10,000,000"),
        (lambda: box([0.0] * 1000, [1.0] * 1000).interior(10**6), "at most 100,000"),
        (lambda: BOXES["rectangle"].boundary(10**12), "at most 10,000,000"),
        (lambda: BOXES["rectangle"].face(0, "low", 10**12), "at most 10,000,000"),
        (lambda: BOXES["rectangle"].test_points(0), "test_points: got 0"),
        (lambda: BOXES["rectangle"].interior(0), "at least 1"),
        (lambda: BOXES["rectangle"].interior(2.5), "whole number"),
        (lambda: BOXES["rectangle"].interior(4, method="sobel"), "did you mean sobol"),
        (lambda: BOXES["rectangle"].interior(50, method="grid"), "take 49 or 64"),
        (lambda: BOXES["rectangle"].boundary(3), "at least one point on each"),
        (lambda: BOXES["rectangle"].face(2, "low", 3), "axis"),
        (lambda: BOXES["rectangle"].face(0, "left", 3), "low, high"),
        (lambda: BOXES["rectangle"].contains(torch.zeros(3, 3)), "expected"),
    ],
)
def test_mistakes_are_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_every_sampling_is_offered_in_one_and_more_dimensions():
    for method in SAMPLINGS:
        for domain in (BOXES["interval"], BOXES["rectangle"]):
            assert len(domain.interior(16, method=method).unique(dim=0)) == 16
