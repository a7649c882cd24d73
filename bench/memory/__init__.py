"""How well what was said is found again, kept up to date, and forgotten: `python -m bench.memory`."""
