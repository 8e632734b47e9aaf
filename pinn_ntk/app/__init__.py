"""The command: the only floor that knows Hydra. It turns what people type into objects,
and what happens into files and an exit code.
"""
