"""The calendar: a vdir of .ics files, the same that khal and todoman read and write."""

from .acts import look as look
from .acts import take_back as take_back
from .acts import write as write
from .looking import find_free as find_free
from .looking import list_events as list_events
from .writing import create_event as create_event
from .writing import delete_event as delete_event
from .writing import update_event as update_event
