"""Spanish time words as atoms, in accentless lower case. Knows neither the present nor how pieces combine.

"El próximo lunes" and "el lunes que viene" are the coming Monday after today. "Mañana" is tomorrow unless an article
or "por la" makes it the morning.
"""

from __future__ import annotations

import re

from assistant.values.atoms import Built, Every, PartName, Relative, Rule, nth_every
from assistant.values.grammars import Grammar
from assistant.values.lexicon import COMMON, NOT_AN_HOUR, Lexicon, frequency, kind, listed, rule
from assistant.values.spoken import choice, numerals

_PARTS: dict[str, PartName] = {
    "madrugada": "dawn",
    "manana": "morning",
    "mediodia": "noon",
    "tarde": "afternoon",
    "noche": "evening",
}
_PAST = ("pasado", "pasada", "pasados", "pasadas", "ultimo", "ultima", "ultimos", "ultimas", "anterior")
_LATER = ("proximo", "proxima", "proximos", "proximas", "que viene", "siguiente", "siguientes")
_WHICH = dict.fromkeys(_PAST, -1) | dict.fromkeys(("este", "esta", "estos", "estas"), 0) | dict.fromkeys(_LATER, 1)
_UNITS = {
    "day": "dia/dias",
    "week": "semana/semanas",
    "weekend": "fin de semana/fines de semana/finde",
    "month": "mes/meses",
    "quarter": "trimestre/trimestres",
    "year": "ano/anos",
    "hour": "hora/horas",
    "minute": "minuto/minutos/min",
    "second": "segundo/segundos",
}
_ORDINAL_WORDS = "primer segundo tercer cuarto quinto sexto septimo octavo noveno decimo".split()
_ORDINALS = {word: n for n, word in enumerate(_ORDINAL_WORDS, start=1)} | {"primero": 1, "tercero": 3, "ultimo": -1}
_SMALL = numerals("es").small
_UNIT = choice(word for words in _UNITS.values() for word in words.split("/"))
_SPECIAL = {"un cuarto de hora": 900, "cuarto de hora": 900, "tres cuartos de hora": 2700}
_SPECIAL |= {"hora y media": 5400, "hora y cuarto": 4500}
_FRACTIONS = {"y media": 0.5, "y medio": 0.5, "y cuarto": 0.25, "y pico": 0.0, "media": 0.5, "medio": 0.5}
_FRACTIONS |= {"un par de": 2, "unos": 3, "unas": 3, "algunos": 3, "algunas": 3}
_COUNT = rf"(?:\d{{1,4}}(?:[.,]\d{{1,2}})?|un par de|media|medio|algun[ao]s|un[ao]s|{numerals('es').below_hundred})"
_MORE = r"(?: y (?:medi[ao]|cuarto(?! de)))?"
_ONE = rf"(?:{choice(_SPECIAL)}|{_COUNT}(?![a-z])[ -]?{_UNIT}(?![a-z]){_MORE})"
_LENGTH = rf"(?:{_ONE}(?:(?: y |, ?| ){_ONE}){{0,3}}|\d{{1,2}} ?h(?: ?\d{{1,2}} ?(?:min)?)?(?![a-z0-9]))"

LEXICON = Lexicon(
    language="es",
    days={"pasado manana": 2, "manana": 1, "hoy": 0, "ayer": -1, "anteayer": -2, "antier": -2, "antes de ayer": -2},
    weekdays=listed("lunes / martes / miercoles / jueves / viernes / sabado sabados / domingo domingos"),
    months=listed(
        "enero ene / febrero feb / marzo mar / abril abr / mayo may / junio jun / julio jul / agosto ago "
        "/ septiembre setiembre sept sep / octubre oct / noviembre nov / diciembre dic"
    ),
    parts=_PARTS,
    which=_WHICH,
    later=frozenset(_LATER),
    units={word: unit for unit, words in _UNITS.items() for word in words.split("/")},
    ordinals=_ORDINALS,
    minutes={"cuarto": 15, "un cuarto": 15, "media": 30},
    hours={"mediodia": 12, "medianoche": 24},
    homonyms=frozenset("mar mayo may abr ago sep sept dic ene feb jun jul oct nov".split()),
    length_pattern=_LENGTH,
    piece=re.compile(
        rf"(?P<special>{choice(_SPECIAL)})|(?:(?P<n>{_COUNT})(?![a-z])[ -]?)(?P<unit>{_UNIT})(?![a-z])"
        r"(?P<more> y (?:medi[ao]|cuarto(?! de)))?"
    ),
    lengths=_SPECIAL,
    fractions=_FRACTIONS,
)
_DAY = choice(LEXICON.weekdays)
_NAME = rf"(?P<month>{choice(LEXICON.months)})\.?"
_FRONT = rf"(?P<which>{choice(_WHICH)})"
_BEHIND = rf"(?P<which_after>{choice(word for word, step in _WHICH.items() if step)})"
_YEAR = r"(?:,? (?:del? )?(?P<year>20\d\d|19\d\d))?"
_PART = rf"(?P<part>{choice(_PARTS)})"
_LATE_PART = rf"(?P<part>{choice(set(_PARTS) - {'manana', 'mediodia'})})"
_NTH = rf"(?P<n>{choice(_ORDINALS)}|\d{{1,2}}o)"
_DAY_NUMBER = rf"(?P<day>\d{{1,2}}|1o|primero|{choice(word for word, n in _SMALL.items() if 1 <= n <= 31)})"
_HOUR = rf"(?P<hour>\d{{1,2}}|{choice(word for word, n in _SMALL.items() if 1 <= n <= 24)})"
_MINUTE = choice(word for word, n in _SMALL.items() if 1 < n <= 59)
_ABOUT = r"(?P<about>a eso de |sobre |hacia |alrededor de |cerca de )"
_MERIDIEM = r"(?: ?(?P<meridiem>[ap]\.? ?m\.?)(?![a-z]))?"
_MINUTES = rf"cuarto|\d{{1,2}}|{_MINUTE}"
_TAIL = (
    rf"(?:[:.h](?P<minute>\d\d)(?!\d)|(?: y (?P<plus>media|{_MINUTES})| menos (?P<minus>{_MINUTES}))"
    rf"(?! (?:{_UNIT}|euros?|personas)(?![a-z])))?(?: ?(?:horas|hrs|h)(?![a-z]))?(?: en punto)?{_MERIDIEM}"
)
_THESE = "(?:los |las |estos |estas )"
_LIST = r"(?:,? y (?:los |el )?|, ?(?:los |el )?| o (?:los )?)"
_END = r"(?=$|[.,;!?)]| (?:a las?|por la|de este mes|para|y|hasta|con|al)(?![a-z0-9]))"

RULES: list[Rule] = [
    *COMMON,
    rule(
        r"(?P<rel>pasado manana|hoy|ayer|anteayer|antier|antes de ayer)(?: (?:por la |a la |al |en la )?"
        rf"{_PART})?",
        LEXICON.relative,
    ),
    rule(
        r"(?<!la )(?<!las )(?<!esta )(?<!cada )(?P<rel>manana)"
        rf"(?: (?:por la |a la |en la |de )?{_PART.replace('mediodia', 'mediodia(?!)')})?",
        LEXICON.relative,
    ),
    rule(r"anoche", lambda _: {"day": Relative(-1), "part": "night"}),
    rule(rf"esta {_PART}", lambda m: {"day": Relative(0), "part": _PARTS[m["part"]]}),
    rule(
        rf"(?:el )?(?:{_FRONT} )?(?P<weekday>{_DAY})(?: {_BEHIND})?(?: (?:por la |a la |en la |de )?{_LATE_PART})?",
        LEXICON.weekday,
    ),
    rule(rf"(?:el )?(?P<weekday>{_DAY})(?: {_BEHIND})? (?:por la|a la) {_PART}", LEXICON.weekday),
    rule(rf"(?P<sure>por la |de la |en la |a la |de )?(?<!buena )(?<!buenas ){_LATE_PART}", LEXICON.part),
    rule(r"(?P<sure>por la |de la |en la |a la )(?P<part>manana)", LEXICON.part),
    rule(rf"(?:el )?(?:{_DAY},? )?(?:el )?(?:dia )?{_DAY_NUMBER} de {_NAME}{_YEAR}", LEXICON.month_day),
    rule(rf"(?:el )?(?:{_DAY},? )?(?:el )?(?P<day>\d{{1,2}}) {_NAME}{_YEAR}", LEXICON.month_day),
    rule(
        rf"(?:el )?(?:{_DAY},? )?(?:el )?(?P<day>\d{{1,2}})[/.-](?P<month>\d{{1,2}})[/.-](?P<year>\d{{4}}|\d\d(?!\d))",
        LEXICON.month_day,
    ),
    rule(
        rf"(?:el (?:dia )?|(?<=\bdel )|(?<=\bal )|{_DAY},? )(?P<day>\d{{1,2}})/(?P<month>1[0-2]|0?[1-9])(?!/)",
        LEXICON.month_day,
    ),
    rule(rf"(?:el (?:dia )?|(?<=\bdel )|(?<=\bal )|dia |{_DAY} )(?P<day>\d{{1,2}}){_END}", LEXICON.day_of_month),
    rule(
        rf"(?:el )?(?:dia )?(?P<day>\d{{1,2}}|primero) (?:de {_FRONT} mes|del mes(?: {_BEHIND})?)", LEXICON.day_of_month
    ),
    rule(
        rf"(?:el )?{_NTH} (?:(?P<weekday>{_DAY})|dia) "
        rf"(?:(?P<every>de (?:cada|todos los) mes(?:es)?)|del mes(?: {_BEHIND})?|de {_FRONT} mes|de {_NAME}{_YEAR})",
        LEXICON.nth,
    ),
    rule(rf"cada {_NTH} (?P<weekday>{_DAY}) del mes", lambda m: _each_nth(m)),
    rule(
        r"(?:a |para )?(?:(?P<end>fin(?:al(?:es)?)?)|(?P<mid>mediados)|(?:principio|comienzo|inicio)s?) "
        rf"(?:del? (?:la )?(?:{_FRONT} )?(?P<unit>semana|mes|ano)(?: {_BEHIND})?|de {_NAME}{_YEAR})",
        lambda m: None if m["unit"] == "semana" and not re.search("la|est", m.group()) else LEXICON.edge(m),
    ),
    rule(rf"(?:el |la |los )?{_FRONT} (?P<unit>{_UNIT})", LEXICON.stretch),
    rule(rf"(?:el |la )?(?P<unit>{_UNIT}) {_BEHIND}", LEXICON.stretch),
    rule(r"(?:el )(?P<unit>fin de semana|finde)", LEXICON.stretch),
    rule(
        rf"(?:durante |en )?{_THESE}(?:(?P<back>ultim[oa]s|pasad[oa]s)|proxim[oa]s) (?P<length>{_LENGTH})",
        LEXICON.rolling,
    ),
    rule(
        rf"{_THESE}(?P<count>{_COUNT}) (?:(?P<back>ultim[oa]s|pasad[oa]s)|proxim[oa]s) (?P<unit>{_UNIT})",
        LEXICON.rolling,
    ),
    rule(rf"(?P<back>desde hace) (?P<length>{_LENGTH})", LEXICON.rolling),
    rule(
        rf"(?:(?P<sure>en |el mes de |(?<=desde ))(?:el )?)?(?:{_FRONT} )?{_NAME}(?: {_BEHIND}|{_YEAR})",
        LEXICON.named_month,
    ),
    rule(r"en (?:el ano )?(?P<year>20\d\d|19\d\d)", LEXICON.year),
    rule(rf"(?:cada|tod[oa]s l[oa]s)(?: (?P<count>{_COUNT}))? (?P<unit>{_UNIT})", LEXICON.every),
    rule(rf"(?:cada|todas las) (?P<part>{choice(set(_PARTS) - {'mediodia'})})s?", LEXICON.every),
    rule(
        "cada (?:media hora|(?P<quarter>cuarto de hora))",
        lambda m: {"every": Every("MINUTELY", 15 if m["quarter"] else 30)},
    ),
    rule(
        rf"(?:cada|todos los|los)(?P<second> dos)? (?P<days>{_DAY}(?:{_LIST}{_DAY}){{0,6}})"
        rf"(?: (?:por la|en la|a la) {_PART})?",
        LEXICON.every_weekday,
    ),
    rule(rf"(?:todos los dias )de (?P<first>{_DAY}) a (?P<last>{_DAY})", LEXICON.every_run),
    rule(r"entre semana|(?:cada|todos los) dias? (?:laborable|habil)e?s?", kind((0, 1, 2, 3, 4))),
    rule(r"(?:cada|todos los|los) fin(?:es)? de semana", kind((5, 6))),
    rule(r"diariamente|a diario", frequency("DAILY")),
    rule(r"semanalmente", frequency("WEEKLY")),
    rule(r"mensualmente", frequency("MONTHLY")),
    rule(r"anualmente", frequency("YEARLY")),
    rule(r"(?:el )?(?:dia )?(?P<day>\d{1,2}|primero) de cada mes", LEXICON.every_date),
    rule(rf"(?:cada ano |todos los anos |cada )(?:el )?{_DAY_NUMBER} de {_NAME}", LEXICON.every_date),
    rule(rf"(?:{_ABOUT}|a )?las? {_HOUR}(?![a-z]|/){_TAIL}{NOT_AN_HOUR}", lambda m: _clock(m)),
    rule(
        rf"{_ABOUT}?(?P<hour>\d{{1,2}}):(?P<minute>\d\d)(?::\d\d)?(?: ?(?:h|hrs|horas))?{_MERIDIEM}(?!:?\d)",
        LEXICON.clock,
    ),
    rule(r"(?P<hour>\d{1,2}) ?(?P<meridiem>[ap]\.? ?m\.?)", LEXICON.clock),
    rule(
        rf"(?:a )?(?:las )?(?P<minus>un cuarto|cuarto|\d{{1,2}}|{_MINUTE})(?: minutos)? para las? {_HOUR}(?![a-z])",
        LEXICON.clock,
    ),
    rule(
        r"(?:(?<=\bde )|(?<=\bentre )|(?<=\by )|(?<=\ba )|(?<=\bhasta ))(?P<hour>\d{1,2})(?![a-z]|[.,:/]?\d)"
        rf"(?! ?(?:{_UNIT}|de)(?![a-z])){NOT_AN_HOUR}",
        LEXICON.bare_clock,
    ),
    rule(r"(?:a la |a |al )?(?P<hour>medianoche|mediodia)", LEXICON.clock),
    rule(rf"(?P<length>{_LENGTH})", LEXICON.of_length("length")),
    rule(rf"(?:dentro de|en) (?P<length>{_LENGTH})", LEXICON.of_length("offset")),
    rule(rf"(?P<length>{_LENGTH}) (?:despues|mas tarde)", LEXICON.of_length("offset")),
    rule(rf"hace (?P<length>{_LENGTH})", LEXICON.of_length("offset", -1)),
]


def _clock(match: re.Match[str]) -> Built:
    """ "Las ocho y media" is a time; "las dos" and "las 3" without a preposition may be people."""
    built = LEXICON.clock(match)
    if built is None or match["about"] or match.group().startswith("a "):
        return built
    said = match.groupdict()
    sure = said["minute"] or said["plus"] or said["minus"] or said["meridiem"] or "en punto" in match.group()
    return built if sure else built | {"weak": True}


def _each_nth(match: re.Match[str]) -> Built:
    n = LEXICON.ordinal(match["n"])
    return {"every": nth_every(Every("MONTHLY"), n, LEXICON.weekdays[match["weekday"]])} if n else None


_WORDS = r"(?:a|al|el|la|las|los|de|del|en|por|desde|entre|sobre|partir)"
GRAMMAR = Grammar(
    rules=RULES,
    glue=re.compile(rf"(?:[\s,]|(?<![a-z]){_WORDS}(?![a-z])){{0,8}}"),
    to=re.compile(r"\s?(?:hasta|al|a|-|–|—|~|y)\s?(?:el )?"),
    also=frozenset({"y"}),
    between=re.compile(r"entre(?: el| las?)?\s?$"),
    opens=re.compile(r"(?<![a-z])(?:entre|entre el|del|de|desde|desde el)\s?$"),
    since=re.compile(r"(?<![a-z])desde(?: el| la)?\s$"),
    ended=re.compile(r"(?!)"),
    lead=re.compile(r"(?<![a-z])(?:a|al|en|para el)\s$"),
    before=re.compile(r"\santes (?:de|del|de la)\s"),
    after=re.compile(r"\sdespues (?:de|del|de la)\s"),
    rest=re.compile(r"(?<![a-z])(?:a|al|el|la|las|en|para|por|de|del|desde|hasta|sobre)(?![a-z])"),
    now=frozenset({"ahora", "ahora mismo", "ya", "ya mismo", "en este momento", "enseguida"}),
    length=LEXICON.whole_length,
    dates="es",
)
