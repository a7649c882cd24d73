"""Sentences for people, in every language the program speaks."""

from assistant.locale.catalogue import LANGUAGES as LANGUAGES
from assistant.locale.catalogue import Catalogue as Catalogue
from assistant.locale.catalogue import locale as locale
