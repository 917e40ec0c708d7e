"""Computational graphs of expressions: parsed, evaluated, differentiated, drawn."""
