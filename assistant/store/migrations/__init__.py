"""Numbered steps, a module each (`m0001_…`): `apply(db)` brings the schema one step on. A released step never changes."""
