"""The one SQLite database, opened, migrated and backed up; what a table means is known to the part that owns it."""

from assistant.store.damage import is_damage as is_damage
from assistant.store.database import Database as Database
from assistant.store.database import open_database as open_database
from assistant.store.database import transaction as transaction
from assistant.store.parts import in_parts as in_parts
