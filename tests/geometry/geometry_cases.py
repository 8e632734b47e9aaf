"""One table of domains that every test of the protocol crosses."""

import math
from itertools import product

from pinn_ntk.geometry import annulus, ball, box, difference, ellipse, intersection, l_shape, over_time, polygon, union

SQUARE = box([0.0, 0.0], [1.0, 1.0])
STAR = polygon(
    [
        ((2.0 if k % 2 else 0.8) * math.cos(math.pi * k / 5), (2.0 if k % 2 else 0.8) * math.sin(math.pi * k / 5))
        for k in range(10)
    ]
)
PERFORATED = difference(box([-0.5, -0.5], [0.5, 0.5]), *(ball(c, 0.1) for c in product((-0.3, 0.3), repeat=2)))
CUT_L = difference(box([-1.0, -1.0], [1.0, 1.0]), box([0.0, -1.0], [1.0, 0.0]))
TWO_ROOMS = union(SQUARE, box([1.0, 0.0], [2.0, 1.0]))

SPACE = {
    "interval": box(-1.0, 3.0),
    "square": SQUARE,
    "five_cube": box([0.0] * 5, [1.0] * 5),
    "ball_1d": ball(0.5, 1.0),
    "disc": ball([1.0, 2.0], 0.5),
    "ball": ball([0.0, 0.0, 1.0], 2.0),
    "ball_10d": ball([0.1] * 10, 1.0),
    "annulus": annulus([1.0, 0.0], 0.5, 1.0),
    "thin_ring": annulus([1.0, 0.0], 0.99, 1.0),
    "shell": annulus([0.0] * 3, 0.5, 1.0),
    "ellipse": ellipse([1.0, 2.0], [3.0, 1.0], angle=0.3),
    "tall_ellipse": ellipse([1.0, 2.0], [0.5, 1.0]),
    "ellipsoid": ellipse([0.0, 0.0, 1.0], [1.0, 2.0, 3.0]),
    "ellipsoid_4d": ellipse([0.0] * 4, [1.0, 2.0, 3.0, 1.0]),
    "triangle": polygon([(0.0, 0.0), (0.0, 1.0), (1.0, 0.0)]),
    "l_shape": l_shape(),
    "star": STAR,
    "perforated": PERFORATED,
    "cut_l": CUT_L,
    "two_rooms": TWO_ROOMS,
    "cross": union(box([-1.0, -0.2], [1.0, 0.2]), box([-0.2, -1.0], [0.2, 1.0])),
    "keyhole": union(SQUARE, ball([1.0, 1.0], 0.5)),
    "lens": intersection(ball([0.0, 0.0], 1.0), ball([1.0, 0.0], 1.0)),
    "half_ball": difference(ball([0.0] * 3, 1.0), box([-2.0, -2.0, 0.0], [2.0, 2.0, 2.0])),
    "shell_8d": difference(ball([0.0] * 8, 1.0), ball([0.0] * 8, 0.5)),
    "rooms_with_holes": difference(TWO_ROOMS, ball([1.0, 0.5], 0.2), ellipse([0.3, 0.5], [0.1, 0.2], 0.5)),
    "two_intervals": difference(box(0.0, 3.0), box(1.0, 2.0)),
    "c_shape": difference(annulus([0.0, 0.0], 0.5, 1.0), box([-2.0, -0.1], [0.0, 0.1])),
}
TIME = {
    "interval_over_time": over_time(box(0.0, 1.0), 0.0, 2.0),
    "disc_over_time": over_time(ball([0.0, 0.0], 1.0), 1.0, 1.5),
    "ball_6d_over_time": over_time(ball([0.0] * 6, 1.0), 0.0, 1.0),
    "perforated_over_time": over_time(PERFORATED, 0.0, 2.0),
    "l_over_time": over_time(CUT_L, 0.0, 1.0),
}
DOMAINS = SPACE | TIME
VOLUMES = {
    "five_cube": 1.0,
    "ball_1d": 2.0,
    "disc": math.pi / 4,
    "ball": 32 * math.pi / 3,
    "ball_10d": math.pi**5 / 120,
    "annulus": 0.75 * math.pi,
    "shell": 7 * math.pi / 6,
    "ellipse": 3 * math.pi,
    "ellipsoid": 8 * math.pi,
    "ellipsoid_4d": 3 * math.pi**2,
    "triangle": 0.5,
    "l_shape": 3.0,
    "star": 10 * 0.5 * 2.0 * 0.8 * math.sin(math.pi / 5),
    "perforated": 1 - 0.04 * math.pi,
    "cut_l": 3.0,
    "two_rooms": 2.0,
    "cross": 1.44,
    "keyhole": 1 + 3 * math.pi / 16,
    "lens": 2 * math.pi / 3 - math.sqrt(3) / 2,
    "half_ball": 2 * math.pi / 3,
    "shell_8d": math.pi**4 / 24 * (1 - 0.5**8),
    "rooms_with_holes": 2 - 0.06 * math.pi,
    "two_intervals": 2.0,
    "disc_over_time": math.pi / 2,
    "l_over_time": 3.0,
}
