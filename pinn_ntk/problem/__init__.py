"""Blocks, problems, boxes with hard conditions, ready problems, and problems from text."""
