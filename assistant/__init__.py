"""A personal assistant that lives on its user's own computer."""

__version__ = "0.1.0"
