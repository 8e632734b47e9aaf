"""Domains: where equations live, their points, their boundary pieces with outward normals and measures,
and what is singular about them.
"""

from typing import TYPE_CHECKING

from pinn_ntk._face import face

if TYPE_CHECKING:
    from pinn_ntk.geometry.algebra import difference, intersection, union
    from pinn_ntk.geometry.annulus import annulus
    from pinn_ntk.geometry.ball import ball
    from pinn_ntk.geometry.box import Box, box
    from pinn_ntk.geometry.distance import distance, signed_distance
    from pinn_ntk.geometry.domain import Domain, Hole
    from pinn_ntk.geometry.ellipse import angles_by_length, ellipse, ellipse_length, ellipsoid_surface
    from pinn_ntk.geometry.over_time import over_time
    from pinn_ntk.geometry.parts import parts
    from pinn_ntk.geometry.polygon import l_shape, polygon, signed_area
    from pinn_ntk.geometry.polygon_formula import Split, polygon_formula
    from pinn_ntk.geometry.quadrature import piece_place, volume_place
    from pinn_ntk.geometry.r_functions import conjunction, disjunction
    from pinn_ntk.geometry.sampling import LATTICES, SAMPLINGS
    from pinn_ntk.geometry.shape import reach, spread
    from pinn_ntk.geometry.sphere import ball_volume, polar, sphere_measure, sphere_points
    from pinn_ntk.geometry.triangulation import triangulate

face(__name__)
