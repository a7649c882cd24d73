"""Times, lengths of time, money, numbers and names as people say them, in English and Chinese. Pure: no clock.

Times and money are read in German, French, Spanish and Japanese too, by rules that load when they are spoken.
"""

from assistant.values.durations import parse_duration as parse_duration
from assistant.values.durations import write_iso as format_duration
from assistant.values.hanzi import simplified as simplified
from assistant.values.kinds import Duration as Duration
from assistant.values.kinds import Impossible as Impossible
from assistant.values.kinds import Interval as Interval
from assistant.values.kinds import Moment as Moment
from assistant.values.kinds import Money as Money
from assistant.values.kinds import Number as Number
from assistant.values.kinds import Period as Period
from assistant.values.kinds import Preference as Preference
from assistant.values.kinds import Span as Span
from assistant.values.kinds import TimeValue as TimeValue
from assistant.values.kinds import Value as Value
from assistant.values.kinds import as_period as as_period
from assistant.values.money import find_money as find_money
from assistant.values.money import find_numbers as find_numbers
from assistant.values.money import format_amount as format_amount
from assistant.values.money import parse_money as parse_money
from assistant.values.names import match_names as match_names
from assistant.values.numbers import parse_integer as parse_integer
from assistant.values.places import airports as airports
from assistant.values.recurrence import canonical_rule as canonical_rule
from assistant.values.recurrence import last_occurrence as last_occurrence
from assistant.values.recurrence import next_occurrence as next_occurrence
from assistant.values.times import find as find
from assistant.values.times import parse as parse
from assistant.values.times import rule as rule

find_times = find
parse_time = parse
parse_rule = rule

__all__ = [
    "Duration",
    "Impossible",
    "Interval",
    "Moment",
    "Money",
    "Number",
    "Period",
    "Preference",
    "Span",
    "TimeValue",
    "Value",
    "airports",
    "as_period",
    "canonical_rule",
    "find",
    "find_money",
    "find_numbers",
    "find_times",
    "format_amount",
    "format_duration",
    "last_occurrence",
    "match_names",
    "next_occurrence",
    "parse",
    "parse_duration",
    "parse_integer",
    "parse_money",
    "parse_rule",
    "parse_time",
    "rule",
    "simplified",
]
