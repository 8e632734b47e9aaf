"""What every domain answers, crossed with one table of them."""

import copy
import pickle

import pytest
import torch
from geometry_cases import DOMAINS, VOLUMES

from pinn_ntk.geometry import LATTICES, SAMPLINGS, Domain, box, reach, spread

every = pytest.mark.parametrize("name", DOMAINS)


@every
def test_is_a_domain_of_one_dimension(name):
    domain = DOMAINS[name]
    assert isinstance(domain, Domain)
    assert domain.dim == len(domain.low) == len(domain.high)
    assert domain.volume > 0 and all(piece.measure > 0 for piece in domain.pieces)
    assert len({piece.name for piece in domain.pieces}) == len(domain.pieces)
    assert 0 < len(str(domain)) < 200 and "object at" not in str(domain)


@every
def test_interior_points_are_inside_and_repeatable(name):
    domain = DOMAINS[name]
    for method in (m for m in SAMPLINGS if m not in LATTICES):
        x = domain.interior(97, seed=3, method=method)
        assert x.shape == (97, domain.dim) and x.dtype == torch.float64
        assert domain.inside(x).all() and domain.contains(x).all()
        assert torch.equal(x, domain.interior(97, seed=3, method=method))
        assert not torch.equal(x, domain.interior(97, seed=4, method=method))


@every
def test_fewer_sobol_points_are_the_first_of_more(name):
    domain = DOMAINS[name]
    assert torch.allclose(domain.interior(33), domain.interior(200)[:33], rtol=1e-13)
    assert torch.allclose(domain.test_points(33), domain.test_points(200)[:33], rtol=1e-13)


@every
def test_test_points_are_those_of_no_seed(name):
    domain = DOMAINS[name]
    tests = domain.test_points(64)
    assert domain.inside(tests).all()
    assert all(torch.cdist(domain.interior(64, seed), tests).min() > 1e-7 for seed in (0, 99, 99 + 2**32))


@every
def test_boundary_points_are_on_one_piece_each_and_nowhere_else(name):
    domain = DOMAINS[name]
    x = domain.boundary(400, seed=2)
    assert domain.contains(x).all() and not domain.inside(x).any()
    assert (torch.stack([piece.contains(x) for piece in domain.pieces]).sum(0) == 1).all()
    assert torch.equal(x, domain.boundary(400, seed=2))
    if len(domain.low) > 1:
        assert len(x) == 400
        assert not torch.equal(x, domain.boundary(400, seed=3))


@every
def test_the_domain_lies_on_the_inner_side_of_the_normal(name):
    domain = DOMAINS[name]
    x = domain.boundary(300, seed=5)
    normal = domain.normal(x)
    assert torch.allclose(normal.norm(dim=1), torch.ones(len(x), dtype=x.dtype))
    assert not domain.contains(x + 1e-9 * normal).any()
    assert domain.inside(x - 1e-9 * normal).all()


@every
def test_the_piece_and_the_domain_agree_on_the_normal(name):
    domain = DOMAINS[name]
    for piece in domain.pieces:
        x = piece.sample(16, 7)
        assert torch.allclose(piece.normal(x), domain.normal(x))


@every
def test_divergence_theorem_ties_normals_measures_and_volume(name):
    """∮ ν dS = 0 and ∮ x·ν dS = d |Ω|, the points of each piece carrying its measure."""
    domain = DOMAINS[name]
    drawn = [(piece, piece.sample(2048 if domain.dim < 3 else 8192, 1)) for piece in domain.pieces]
    closed = sum(piece.measure * piece.normal(x).mean(0) for piece, x in drawn)
    flux = sum(piece.measure * float((x * piece.normal(x)).sum(1).mean()) for piece, x in drawn)
    surface = sum(piece.measure for piece in domain.pieces)
    rough = 5e-3 if domain.dim > 2 else 1e-3
    assert float(closed.norm()) < rough * surface
    assert flux == pytest.approx(domain.dim * domain.volume, abs=rough * surface)


@pytest.mark.parametrize("name", VOLUMES)
def test_volume_is_right(name):
    """By its formula, and by the share of independent candidates that are inside."""
    domain, n = DOMAINS[name], 40_000
    assert domain.volume == pytest.approx(VOLUMES[name], rel=1e-3)
    x = spread(domain, torch.rand(n, domain.dim, dtype=torch.float64))
    share = float(domain.contains(x).double().mean())
    assert share * reach(domain) == pytest.approx(VOLUMES[name], rel=1e-12 + 5 * (max(1 - share, 0) / share / n) ** 0.5)


@pytest.mark.parametrize(
    "name", ["disc", "ball", "ball_10d", "thin_ring", "shell", "ellipse", "ellipsoid", "ellipsoid_4d"]
)
def test_interior_points_are_spread_by_volume(name):
    """Moments of x about the centre are those of rejected points of the bounding box, or of the polar formula."""
    domain = DOMAINS[name]
    d = domain.dim
    middle = torch.tensor([(lo + hi) / 2 for lo, hi in zip(domain.low, domain.high, strict=True)], dtype=torch.float64)
    y = domain.interior(8192) - middle
    if hasattr(domain, "inner"):
        a, b = domain.inner, domain.outer
        square = torch.full((d,), (b ** (d + 2) - a ** (d + 2)) / (b**d - a**d) / (d + 2), dtype=torch.float64)
    else:
        half = torch.tensor(domain.high, dtype=torch.float64) - middle
        square = half.square() / (d + 2)
    assert torch.allclose(y.mean(0), torch.zeros(d, dtype=torch.float64), atol=0.02)
    assert torch.allclose(y.square().mean(0), square, rtol=0.03)


@pytest.mark.parametrize(
    "name", ["disc", "shell", "star", "cross", "half_ball", "two_intervals", "perforated_over_time"]
)
@pytest.mark.parametrize("method", LATTICES)
def test_a_lattice_gives_what_it_leaves_inside(name, method):
    domain = DOMAINS[name]
    bounding = box(domain.low, domain.high)
    lattices = [bounding.interior(m**domain.dim, method=method) for m in range(1, 12)]
    counts = [int(domain.inside(x).sum()) for x in lattices]
    rising = [k for k in range(1, 11) if counts[k] > max(counts[:k])]
    for k in rising:
        assert torch.equal(domain.interior(counts[k], method=method), lattices[k][domain.inside(lattices[k])])
    between = next(k for k in rising if counts[k] - max(counts[:k]) > 1 and max(counts[:k]) > 0)
    with pytest.raises(ValueError, match=f"take .*{counts[between]}, or another sampling"):
        domain.interior(counts[between] - 1, method=method)


@every
def test_pieces_are_asked_for_by_name(name):
    domain = DOMAINS[name]
    first, last = domain.pieces[0], domain.pieces[-1]
    for piece in (first, last):
        assert piece.contains(domain.boundary(20, pieces=[piece.name])).all()
        assert torch.equal(
            domain.boundary(20, pieces=f" {piece.name} "), domain.boundary(20, pieces=[piece.name, piece.name])
        )
    with pytest.raises(ValueError, match="piece of the boundary: got 'nowhere'.*expected one of"):
        domain.boundary(20, pieces=["nowhere"])
    if len(domain.pieces) > 1:
        with pytest.raises(ValueError, match="at least one point on each"):
            domain.boundary(len(domain.pieces) - 1)


@every
def test_points_off_the_boundary_have_no_normal(name):
    with pytest.raises(ValueError, match="not on the boundary"):
        DOMAINS[name].normal(DOMAINS[name].interior(2))


@every
def test_single_precision_points_stay_on_the_boundary(name):
    domain = DOMAINS[name]
    x = domain.boundary(60, seed=1)
    single = x.float()
    assert domain.contains(single).all() and not domain.inside(single).any()
    assert torch.allclose(domain.normal(single).double(), domain.normal(x), atol=1e-4)
    assert domain.inside(domain.interior(60).float()).float().mean() > 0.9


@every
def test_equal_domains_are_equal_and_survive_copies(name):
    domain = DOMAINS[name]
    again = pickle.loads(pickle.dumps(domain))
    assert again == domain == copy.deepcopy(domain) and hash(again) == hash(domain)
    assert torch.equal(again.boundary(40), domain.boundary(40))


@pytest.mark.parametrize("name", ["square", "disc", "cut_l", "disc_over_time"])
@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda d: d.interior(0), "points: got 0, expected a whole number, at least 1"),
        (lambda d: d.interior(10**12), "points: got"),
        (lambda d: d.interior(4, seed=-1), "seed: got -1"),
        (lambda d: d.interior(4, method="sobel"), "did you mean sobol"),
        (lambda d: d.test_points(0), "test_points: got 0"),
        (lambda d: d.boundary(0), "boundary points: got 0"),
        (lambda d: d.boundary(40, seed=-1), "seed: got -1"),
        (lambda d: d.contains(torch.zeros(3, 7)), "got shape"),
        (lambda d: d.inside(torch.zeros(3)), "got shape"),
        (lambda d: d.normal(torch.zeros(3, 7)), "got shape"),
    ],
)
def test_mistakes_are_named(name, ask, words):
    with pytest.raises(ValueError, match=words):
        ask(DOMAINS[name])


def test_faces_of_a_box_are_named_as_a_person_types_them():
    assert [piece.name for piece in box([0.0, -0.5], [1.0, 2.0]).pieces] == ["x=0", "x=1", "y=-0.5", "y=2"]
    assert [piece.name for piece in box([0.0] * 4, [1.0] * 4).pieces][-2:] == ["x4=0", "x4=1"]
    assert [piece.name for piece in box(1.0, 1.000001).pieces] == ["x=1.0", "x=1.000001"]
    square = DOMAINS["square"]
    assert torch.equal(square.boundary(9, 1, ["y=1", "x=0"]), square.boundary(9, 1, faces=[(1, "high"), (0, "low")]))


def test_chebyshev_points_of_a_box_are_the_zeros_of_the_polynomial():
    x = box(-1.0, 1.0).interior(7, method="chebyshev")[:, 0]
    assert torch.allclose((7 * x.acos()).cos(), torch.zeros(7, dtype=torch.float64), atol=1e-13)
    with pytest.raises(ValueError, match="Chebyshev points in 2 dimensions; take 9 or 16"):
        box([0.0, 0.0], [1.0, 1.0]).interior(10, method="chebyshev")


def test_latin_points_have_one_in_every_slice_of_every_axis():
    x = DOMAINS["five_cube"].interior(50, seed=1, method="latin")
    assert (torch.sort((x * 50).floor(), dim=0).values == torch.arange(50, dtype=torch.float64)[:, None]).all()
