"""The user's own documents: found by their words, and asked, with file and page. Changes none."""

from .answer import ask as ask
from .lookup import search as search
from .watch import index_folders as index_folders
