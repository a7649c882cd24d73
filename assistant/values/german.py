"""German time words as atoms, in accentless lower case. Knows neither the present nor how pieces combine.

"Nächsten Freitag" is the Friday of the next calendar week, "kommenden Freitag" the coming one.
"""

from __future__ import annotations

import re

from assistant.values.atoms import Every, PartName, Rule
from assistant.values.grammars import Grammar
from assistant.values.lexicon import COMMON, NOT_AN_HOUR, Lexicon, fixed_clock, frequency, kind, listed, rule
from assistant.values.spoken import choice, numerals

_PARTS: dict[str, PartName] = {
    "morgen": "early",
    "fruh": "early",
    "frueh": "early",
    "vormittag": "morning",
    "mittag": "noon",
    "nachmittag": "afternoon",
    "abend": "evening",
    "nacht": "night",
}
_PART = choice(_PARTS)
_ADVERBS: dict[str, PartName] = {
    "morgens": "early",
    "fruhmorgens": "early",
    "in der fruh": "early",
    "vormittags": "morning",
    "mittags": "noon",
    "nachmittags": "afternoon",
    "abends": "evening",
    "spatabends": "night",
    "nachts": "night",
}
_ENDINGS = ("e", "en", "em", "er", "es")
_STEPS = {"vorletzt": -2, "letzt": -1, "vergangen": -1, "vorig": -1, "dies": 0, "laufend": 0, "aktuell": 0, "nachst": 1}
_STEPS |= {"naechst": 1, "kommend": 1, "folgend": 1, "ubernachst": 2, "uebernaechst": 2}
_WHICH = {stem + ending: step for stem, step in _STEPS.items() for ending in _ENDINGS}
_UNITS = {
    "day": "tag tage tagen tages",
    "week": "woche wochen",
    "weekend": "wochenende wochenendes wochenenden",
    "month": "monat monate monaten monats",
    "quarter": "quartal quartals",
    "year": "jahr jahre jahren jahres",
    "hour": "stunde stunden std",
    "minute": "minute minuten min",
    "second": "sekunde sekunden sek",
}
_ORDINAL_STEMS = (
    "erst zweit dritt viert funft sechst siebt acht neunt zehnt elft zwolft dreizehnt vierzehnt funfzehnt sechzehnt "
    "siebzehnt achtzehnt neunzehnt"
).split()
_ORDINALS = {f"{stem}{end}": n for n, stem in enumerate(_ORDINAL_STEMS, start=1) for end in ("e", "en", "er")}
_ORDINALS |= {
    f"{word}st{end}": number
    for word, number in numerals("de").small.items()
    if 20 <= number <= 31
    for end in ("en", "e", "er")
}
_ORDINALS |= {f"letzt{end}": -1 for end in ("en", "e", "er")}
_HALVES = dict.fromkeys(f"{article}halb{end}" for article in ("", "ein ", "eine ", "einen ", "einem ", "einer ")
                        for end in ("e", "en", "es", "er"))  # fmt: skip
_UNIT = choice(word for words in _UNITS.values() for word in words.split())
_SMALL = numerals("de").below_hundred
_SPECIAL = {"dreiviertelstunde": 2700, "dreiviertel stunde": 2700, "viertelstunde": 900}
_TO_NINE = ("zwei", "drei", "vier", "funf", "sechs", "sieben", "acht", "neun")
_FRACTIONS = dict.fromkeys(_HALVES, 0.5) | {"anderthalb": 1.5, "eineinhalb": 1.5, "einundeinhalb": 1.5}
_FRACTIONS |= {f"{word}einhalb": n + 0.5 for n, word in enumerate(_TO_NINE, start=2)}
_FRACTIONS |= {"ein paar": 3, "paar": 3, "einigen": 3, "einige": 3}
_COUNT = rf"(?:\d{{1,4}}(?:[.,]\d{{1,2}})?|{choice(_FRACTIONS)}(?= )|{_SMALL}(?![a-z]))"
_ONE = rf"(?:(?:(?:eine|einer) )?{choice(_SPECIAL)}|{_COUNT}[ -]?{_UNIT}(?![a-z]))"
_LENGTH = rf"(?:{_ONE}(?:(?: und |, ?| )(?:{_ONE})){{0,3}}|\d{{1,2}} ?h(?: ?\d{{1,2}} ?(?:min)?)?(?![a-z0-9]))"

LEXICON = Lexicon(
    language="de",
    days={"uberubermorgen": 3, "ubermorgen": 2, "uebermorgen": 2, "morgen": 1, "heute": 0, "gestern": -1}
    | {"vorgestern": -2},
    weekdays=listed(
        "montag mo / dienstag di / mittwoch mi / donnerstag do / freitag fr / samstag sonnabend sa / sonntag so"
    ),
    months=listed(
        "januar janner jan / februar feber feb / marz maerz mrz / april apr / mai / juni jun / juli jul / august aug "
        "/ september sept sep / oktober okt / november nov / dezember dez"
    ),
    parts=_PARTS | _ADVERBS,
    which=_WHICH,
    later=frozenset(word for word in _WHICH if word.startswith(("kommend", "folgend"))),
    units={word: unit for unit, words in _UNITS.items() for word in words.split()},
    ordinals=_ORDINALS,
    minutes={"viertel": 15},
    homonyms=frozenset({"mai", "jan", "mrz", "feb", "apr", "jun", "jul", "sep", "sept", "okt", "nov", "dez"}),
    towards={"halb": 30, "viertel": 45, "dreiviertel": 15, "drei viertel": 15},
    length_pattern=_LENGTH,
    piece=re.compile(rf"(?P<special>{choice(_SPECIAL)})|(?P<n>{_COUNT})[ -]?(?P<unit>{_UNIT})(?![a-z])(?P<more>(?!))?"),
    lengths=_SPECIAL,
    fractions=_FRACTIONS,
)

_DAY = choice(word for word in LEXICON.weekdays if len(word) > 2)
_SHORT = choice(word for word in LEXICON.weekdays if len(word) == 2)
_MONTH = rf"{choice(LEXICON.months)}\.?"
_NAME = rf"(?P<month>{choice(LEXICON.months)})\.?"
_WHICHES = rf"(?P<which>{choice(_WHICH)})"
_ORDINAL = rf"(?:{choice(_ORDINALS)}|\d{{1,2}}\.)"
_BEFORE_DATE = rf"(?:(?:am |den |dem |der )?(?:{_DAY}|{_SHORT}\.?),? )?(?:am |den |dem |der |des )?"
_YEAR = r"(?:,? (?P<year>20\d\d|19\d\d))?"
_ARTICLES = {"ein", "eine", "einen", "einem", "einer"}
_HOURS = choice(word for word, n in numerals("de").small.items() if n <= 24 and word not in _ARTICLES)
_HOUR = rf"(?P<hour>\d{{1,2}}|{_HOURS})"
_ABOUT = r"(?:(?P<about>gegen |circa |ca\.? |ungefahr um |so um |etwa um )|um |punkt )"
_NO_UNIT = rf"(?! ?(?:uhr|[:.]\d|{_UNIT}(?![a-z])|{_MONTH}(?![a-z])))"
_MINUTE = rf"(?P<minute>\d\d|{choice(w for w, n in numerals('de').small.items() if 1 <= n <= 59)})"
_STEP = rf"(?:funf|fuenf|zehn|zwanzig|viertel|5|10|20|(?:\d{{1,2}}|{_SMALL})(?= minuten))"
_LIST = r"(?:,? und |, ?|/| oder )"

RULES: list[Rule] = [
    *COMMON,
    rule(
        rf"(?P<rel>uberubermorgen|u(?:e)?bermorgen|vorgestern|heute|gestern)(?: (?P<part>{_PART}))?", LEXICON.relative
    ),
    rule(
        r"(?<!guten )(?<!am )(?<!den )(?<!jeden )(?<!diesen )(?P<rel>morgen)"
        rf"(?: (?P<part>{choice(set(_PARTS) - {'morgen'})}))?",
        LEXICON.relative,
    ),
    rule(
        rf"(?:(?:am |der |den |dem |an )?{_WHICHES} |am )?(?P<weekday>{_DAY})(?:(?: |-)?(?P<part>{_PART}))?",
        LEXICON.weekday,
    ),
    rule(rf"(?P<sure>am |in der |gegen )(?P<part>{_PART})", LEXICON.part),
    rule(rf"(?<!guten )(?<!gute )(?<!schonen )(?P<part>{choice(set(_PARTS) - {'morgen'})})", LEXICON.part),
    rule(rf"(?P<sure>)(?P<part>{choice(_ADVERBS)})", lambda m: {"part": _ADVERBS[m["part"]]}),
    rule(rf"{_BEFORE_DATE}(?P<day>{_ORDINAL}|\d{{1,2}}) ?{_NAME}{_YEAR}", LEXICON.month_day),
    rule(
        rf"{_BEFORE_DATE}(?P<day>\d{{1,2}})\. ?(?P<month>\d{{1,2}})\. ?(?P<year>\d{{4}}|\d{{2}}(?!\d|[:.]\d| ?uhr))?",
        LEXICON.month_day,
    ),
    rule(r"(?:am|vom|den|bis zum|zum) (?P<day>\d{1,2})\.(?P<month>1[0-2]|0?[1-9])(?!\.?\d| ?uhr)", LEXICON.month_day),
    rule(
        rf"(?:am|zum|vom|den|dem|der|ab dem|bis zum) (?P<day>{_ORDINAL})(?! ?(?:\d|{_MONTH}(?![a-z])|{_DAY}|mal))"
        rf"(?: (?:des |dieses )?monats)?",
        lambda m: None if m["day"].startswith("letzt") else LEXICON.day_of_month(m),
    ),
    rule(rf"(?:am |vom |zum |der |den )?(?P<day>{_ORDINAL}) (?:des )?{_WHICHES} monats?", LEXICON.day_of_month),
    rule(
        rf"(?:am |den |der |dem )?(?P<every>jeden )?(?P<n>{_ORDINAL}) (?:(?P<weekday>{_DAY})|tag)"
        rf" (?:(?:im|des|in|vom|von) )?(?:{_WHICHES} monats?|monats?|(?:im )?{_NAME}{_YEAR})",
        LEXICON.nth,
    ),
    rule(rf"(?:am )?(?P<n>{_ORDINAL}) (?:(?P<weekday>{_DAY})|tag) (?P<every>(?:in )?jede[ns] monats?)", LEXICON.nth),
    rule(
        r"(?:(?P<end>ende)|(?P<mid>mitte)|anfang) "
        rf"(?:(?:des |der |dieses |von )?(?:{_WHICHES} )?(?P<unit>woche|monats?|jahres|jahr)|{_NAME}{_YEAR})",
        LEXICON.edge,
    ),
    rule(r"(?:am |zum )?(?P<unit>monat|jahr)e?s(?:(?P<end>ende)|anfang)", LEXICON.edge),
    rule(rf"(?:in |im |am )?(?:der |dem )?(?!letzte[nrs]? tag){_WHICHES} (?P<unit>{_UNIT})", LEXICON.stretch),
    rule(r"(?:am|ubers|uber das) (?P<unit>wochenende)", LEXICON.stretch),
    rule(
        r"(?:(?:in |fur |uber )?(?:den |die |der )?)?(?:(?P<back>letzten|vergangenen)|nachsten|naechsten|kommenden) "
        rf"(?P<length>{_LENGTH})",
        LEXICON.rolling,
    ),
    rule(rf"(?P<back>seit) (?P<length>{_LENGTH})", LEXICON.rolling),
    rule(rf"(?P<sure>im |(?<=seit )|(?<=bis )|(?<=ab ))?(?:{_WHICHES} )?{_NAME}{_YEAR}", LEXICON.named_month),
    rule(r"(?:im jahre? |in |jahr )(?P<year>20\d\d|19\d\d)", LEXICON.year),
    rule(rf"(?:jede[nrs]?|alle)(?: (?P<count>{_ORDINAL}|{_SMALL}|\d{{1,3}}))? (?P<unit>{_UNIT})", LEXICON.every),
    rule(rf"jede[nrs]? (?P<part>{choice(set(_PARTS) - {'fruh', 'frueh'})})", LEXICON.every),
    rule(
        rf"(?:an )?jede[nmrs]?(?P<second> zweiten)? (?P<days>{_DAY}(?:{_LIST}(?:jeden )?{_DAY}){{0,6}})"
        rf"(?: ?(?P<part>{_PART}))?",
        LEXICON.every_weekday,
    ),
    rule(rf"(?:immer )?(?P<days>{_DAY}s(?:{_LIST}{_DAY}s){{0,6}})", LEXICON.every_weekday),
    rule(rf"(?P<first>{_DAY})s bis (?P<last>{_DAY})s", LEXICON.every_run),
    rule(
        "jede (?:halbe stunde|(?P<quarter>viertelstunde))",
        lambda m: {"every": Every("MINUTELY", 15 if m["quarter"] else 30)},
    ),
    rule(
        r"(?:(?:an )?jede[nm] (?:werktag|wochentag|arbeitstag)|an (?:werktagen|wochentagen)|werktags|wochentags)",
        kind((0, 1, 2, 3, 4)),
    ),
    rule(r"(?:(?:an )?jede[sm] wochenende|an (?:den )?wochenenden)", kind((5, 6))),
    rule("stu(?:e)?ndlich", frequency("HOURLY")),
    rule("ta(?:e)?glich", frequency("DAILY")),
    rule("wo(?:e)?chentlich", frequency("WEEKLY")),
    rule("monatlich", frequency("MONTHLY")),
    rule("ja(?:e)?hrlich", frequency("YEARLY")),
    rule(r"(?:alle )?zweiwochentlich|14-?tagig", frequency("WEEKLY", 2)),
    rule(
        rf"(?:an )?jede[nm] (?P<day>{_ORDINAL}) (?:des monats|im monat)",
        LEXICON.every_date,
    ),
    rule(rf"(?:am )?(?P<day>{_ORDINAL}) (?:eines )?jede[ns] monats", LEXICON.every_date),
    rule(rf"(?:jedes jahr |jahrlich )(?:am )?(?P<day>{_ORDINAL}|\d{{1,2}}) ?{_NAME}", LEXICON.every_date),
    rule(r"(?:jedes jahr |jahrlich )(?:am )?(?P<day>\d{1,2})\. ?(?P<month>\d{1,2})\.", LEXICON.every_date),
    rule(
        rf"{_ABOUT}?(?P<hour>\d{{1,2}}|ein|{_HOURS}) ?(?P<formal>uhr)"
        rf"(?: {_MINUTE}(?! ?(?:{_UNIT}|euro|leute|personen)(?![a-z])))?",
        LEXICON.clock,
    ),
    rule(rf"{_ABOUT}?(?P<formal>)(?P<hour>\d{{1,2}}):(?P<minute>\d\d)(?::\d\d)?(?: ?uhr)?(?!:?\d)", LEXICON.clock),
    rule(r"(?P<hour>\d{1,2})\.(?P<minute>\d\d) ?(?P<formal>uhr)", LEXICON.clock),
    rule(rf"{_ABOUT}(?P<formal>)(?P<hour>\d{{1,2}})\.(?P<minute>[0-5]\d)(?!\d|[.,]\d){NOT_AN_HOUR}", LEXICON.clock),
    rule(rf"{_ABOUT}{_HOUR}(?![a-z]|[.,:]?\d){_NO_UNIT}{NOT_AN_HOUR}", LEXICON.clock),
    rule(rf"{_ABOUT}?(?P<towards>halb|viertel|drei ?viertel) {_HOUR}(?: uhr)?{_NO_UNIT}{NOT_AN_HOUR}", LEXICON.clock),
    rule(
        rf"{_ABOUT}?(?:(?P<minus>{_STEP})(?: minuten)? vor|(?P<plus>{_STEP})(?: minuten)? nach) "
        rf"(?P<towards>halb )?{_HOUR}(?: uhr)?{_NO_UNIT}{NOT_AN_HOUR}",
        LEXICON.clock,
    ),
    rule(
        r"(?:(?<=von )|(?<=vor )|(?<=nach )|(?<=zwischen )|(?<=und )|(?<=bis )|(?<=ab )|(?<=\d-)|(?<=\d–))"
        rf"{_HOUR}(?:[:.](?P<minute>[0-5]\d))?(?![a-z]|[.,:]?\d){_NO_UNIT}{NOT_AN_HOUR}",
        LEXICON.bare_clock,
    ),
    rule(r"(?:um |gegen )?mitternacht", fixed_clock(24)),
    rule(rf"(?P<length>{_LENGTH})", LEXICON.of_length("length")),
    rule(rf"(?:heute )?in (?:etwa |ungefahr |circa |ca\. )?(?P<length>{_LENGTH})", LEXICON.of_length("offset")),
    rule(rf"(?P<length>{_LENGTH}) spater", LEXICON.of_length("offset")),
    rule(rf"vor (?P<length>{_LENGTH})", LEXICON.of_length("offset", -1)),
]

_WORDS = r"(?:am|um|im|in|an|zum|der|den|dem|des|von|vom|zwischen|ab|gegen|immer|jeweils|dann|wieder|schon|gleich)"
GRAMMAR = Grammar(
    rules=RULES,
    glue=re.compile(rf"(?:[\s,]|(?<![a-z]){_WORDS}(?![a-z])){{0,8}}"),
    to=re.compile(r"\s?(?:bis(?: zum| um| zu)?|-|–|—|~|und)\s?(?:dem |den )?"),
    also=frozenset({"und"}),
    between=re.compile(r"zwischen(?: dem)?\s?$"),
    opens=re.compile(r"(?<![a-z])(?:zwischen|von|vom|zwischen dem|von der)\s?$"),
    since=re.compile(r"(?<![a-z])seit(?: dem| der)?\s$"),
    ended=re.compile(r"(?!)"),
    lead=re.compile(r"(?<![a-z])(?:am|um|im|in|an|an dem|zum)\s$"),
    before=re.compile(r"\svor(?: dem)?\s"),
    after=re.compile(r"\snach(?: dem)?\s"),
    rest=re.compile(r"(?<![a-z])(?:am|um|im|in|an|zum|der|den|dem|von|fur|ab|bis|auf|gegen|seit)(?![a-z])"),
    now=frozenset({"jetzt", "sofort", "gerade jetzt", "jetzt gleich", "gleich", "in diesem moment"}),
    length=LEXICON.whole_length,
    dates="de",
)
