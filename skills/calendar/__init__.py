"""The calendar: a vdir of .ics files, the same that khal and todoman read and write."""

from .acts import look as look
from .acts import take_back as take_back
from .acts import write as write
from .briefing import brief as brief
from .changing import delete_event as delete_event
from .changing import update_event as update_event
from .looking import find_free as find_free
from .looking import list_events as list_events
from .responding import invitations as invitations
from .responding import reader as reader
from .responding import respond as respond
from .responding import take_over as take_over
from .watch import due as due
from .watch import watch as watch
from .writing import create_event as create_event
