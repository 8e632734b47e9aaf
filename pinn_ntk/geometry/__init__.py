"""Domains: where equations live, their points, their boundary pieces with outward normals and measures,
and what is singular about them.
"""
