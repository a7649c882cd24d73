"""Numbered steps, a module each: `apply(db)` brings the schema one step on. A released step never changes."""
