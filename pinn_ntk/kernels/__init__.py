"""Tangent kernels of a problem: by autograd for any module, in closed form for two layers, exact at infinite width;
their spectra.
"""
