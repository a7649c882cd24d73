"""French time words as atoms, in accentless lower case. Knows neither the present nor how pieces combine.

"Lundi prochain" is the coming Monday after today. "Deux heures" is a length unless something makes it a clock time.
"""

from __future__ import annotations

import re
from dataclasses import replace

from assistant.values.atoms import Built, Every, PartName, Relative, Rule, nth_every
from assistant.values.grammars import Grammar
from assistant.values.lexicon import COMMON, NOT_AN_HOUR, Lexicon, frequency, kind, listed, rule
from assistant.values.spoken import choice, numerals

_PARTS: dict[str, PartName] = {
    "matin": "morning",
    "matinee": "morning",
    "midi": "noon",
    "apres midi": "afternoon",
    "aprem": "afternoon",
    "soir": "evening",
    "soiree": "evening",
    "nuit": "night",
}
_WHICH = dict.fromkeys("dernier derniere derniers dernieres passe passee".split(), -1)
_WHICH |= dict.fromkeys("ce cet cette present".split(), 0) | {"avant dernier": -2, "avant derniere": -2}
_LATER = ("prochain", "prochaine", "prochains", "prochaines", "suivant", "suivante", "qui vient")
_WHICH |= dict.fromkeys(_LATER, 1)
_UNITS = {
    "day": "jour jours journee",
    "week": "semaine semaines",
    "weekend": "week-end weekend week-ends weekends",
    "month": "mois",
    "quarter": "trimestre trimestres",
    "year": "an ans annee annees",
    "hour": "heure heures",
    "minute": "minute minutes min mn",
    "second": "seconde secondes",
}
_ORDINAL_WORDS = "premier deuxieme troisieme quatrieme cinquieme sixieme septieme huitieme neuvieme dixieme".split()
_ORDINALS = {word: n for n, word in enumerate(_ORDINAL_WORDS, start=1)} | {"premiere": 1, "second": 2, "seconde": 2}
_ORDINALS |= {"dernier": -1, "derniere": -1}
_ORDINALS |= {f"{word}s": n for word, n in _ORDINALS.items()}
_SMALL = numerals("fr").small
_UNIT = choice(word.replace("-", " ") for words in _UNITS.values() for word in words.split())
_SPECIAL = {"un quart d'heure": 900, "quart d'heure": 900, "trois quarts d'heure": 2700, "une demi heure": 1800}
_SPECIAL |= {"demi heure": 1800, "une demi journee": 43200, "demi journee": 43200}
_FRACTIONS = {"et demie": 0.5, "et demi": 0.5, "et quart": 0.25, "et un quart": 0.25, "quelques": 3}
_CLOCK_FROM = 7
_COUNT = rf"(?:\d{{1,4}}(?:[.,]\d{{1,2}})?|quelques|{numerals('fr').below_hundred}(?![a-z]))"
_MORE = r"(?: et (?:demie?|(?:un )?quart))?(?! d'heure)"
_ONE = rf"(?:{choice(_SPECIAL)}|{_COUNT}[ -]?{_UNIT}(?![a-z]){_MORE})"
_LENGTH = rf"(?:{_ONE}(?:(?: et |, ?| ){_ONE}){{0,3}}|\d{{1,2}} ?h(?: ?\d{{1,2}} ?(?:min|mn)?)?(?![a-z0-9]))"

LEXICON = Lexicon(
    language="fr",
    days={"apres demain": 2, "demain": 1, "aujourd'hui": 0, "hier": -1, "avant hier": -2},
    weekdays=listed("lundi / mardi / mercredi / jeudi / vendredi / samedi / dimanche"),
    months=listed(
        "janvier janv / fevrier fevr / mars / avril / mai / juin / juillet juil / aout / septembre sept / octobre oct "
        "/ novembre nov / decembre dec"
    ),
    parts=_PARTS,
    which=_WHICH,
    later=frozenset(_LATER),
    units={word.replace("-", " "): unit for unit, words in _UNITS.items() for word in words.split()},
    ordinals=_ORDINALS,
    hours={"midi": 12, "minuit": 24},
    homonyms=frozenset({"mars", "mai", "avril", "oct", "nov", "dec"}),
    minutes={"quart": 15, "le quart": 15, "un quart": 15, "demi": 30, "demie": 30},
    length_pattern=_LENGTH,
    piece=re.compile(
        rf"(?P<special>{choice(_SPECIAL)})|(?P<n>{_COUNT})[ -]?(?P<unit>{_UNIT})(?![a-z])"
        r"(?P<more> et (?:demie?|(?:un )?quart)(?! d'heure))?"
    ),
    lengths=_SPECIAL,
    fractions=_FRACTIONS,
)


_DAY = choice(LEXICON.weekdays)
_NAME = rf"(?P<month>{choice(LEXICON.months)})\.?"
_NEXT = rf"(?P<which_after>{choice(word for word, step in _WHICH.items() if step)})"
_THIS = r"(?P<which>ce|cet|cette)"
_YEAR = r"(?:,? (?P<year>20\d\d|19\d\d))?"
_PART = rf"(?P<part>{choice(_PARTS)})"
_LATER_PART = rf"(?P<part>{choice(set(_PARTS) - {'midi'})})"
_NTH = rf"(?P<n>{choice(_ORDINALS)}|1er|\d{{1,2}}e(?:me)?)"
_DAY_NUMBER = rf"(?P<day>\d{{1,2}}|1er|premier|{choice(word for word, n in _SMALL.items() if 1 < n <= 31)})"
_HOUR_WORD = choice(word for word, n in _SMALL.items() if n <= 24)
_MINUTE_WORD = choice(word for word, n in _SMALL.items() if 1 < n <= 59)
_ABOUT = r"(?P<about>vers |aux environs de |aux alentours de |environ )"
_PREPOSITION = (
    rf"(?P<at>{_ABOUT}|(?<=\ba )|(?<=\bdes )|(?<=\bavant )|(?<=\bapres )|(?<=partir de )|(?<=\bentre )|(?<=\bd'ici ))"
)
_OF_DAY = rf"(?= (?:du|de la|de l')[ ]?{choice(_PARTS)})"
_AFTER_HOUR = (
    rf"(?: et (?P<plus>demie?|(?:un )?quart)| moins (?P<minus>(?:le |un )?quart|\d{{1,2}}|{_MINUTE_WORD})"
    rf"| (?P<minute>\d\d|{_MINUTE_WORD})(?! ?(?:minutes?|euros?|personnes?|jours?|fois|pour ?cent)(?![a-z])))?"
)
_LIST = r"(?:,? et (?:les |le )?|, ?(?:les |le )?| ou (?:le )?)"
_END = r"(?=$|[.,;!?)]| (?:a|au|vers|matin|soir|pour|et|jusqu'a|avec)(?![a-z0-9]))"


def _maybe_clock(match: re.Match[str]) -> Built:
    """ "Deux heures" may be as long; from seven on, or with a preposition or a part of the day, it is a time."""
    hour = LEXICON.number(match["hour"]) or 0
    groups = match.groupdict()
    sure = groups["at"] is not None or groups["sure"] is not None or hour >= _CLOCK_FROM or groups.get("minus")
    return LEXICON.clock(match) if sure else None


RULES: list[Rule] = [
    *COMMON,
    rule(
        rf"(?P<rel>apres[ -]demain|avant[ -]hier|demain|aujourd'hui|hier)(?: (?:au )?{_LATER_PART})?", LEXICON.relative
    ),
    rule(rf"(?:ce|cet|cette) {_PART}", lambda m: {"day": Relative(0)} | (LEXICON.part(m) or {}) | {"weak": False}),
    rule(rf"(?:le |{_THIS} )?(?P<weekday>{_DAY})(?: {_NEXT})?(?: (?:au )?{_LATER_PART})?", LEXICON.weekday),
    rule(rf"(?P<sure>le |la |l'|dans la |dans l'|en ){_PART}", LEXICON.part),
    rule(rf"(?<!bon )(?<!bonne ){_LATER_PART}", LEXICON.part),
    rule(rf"(?:le )?(?:{_DAY},? )?(?:le )?{_DAY_NUMBER} {_NAME}{_YEAR}", LEXICON.month_day),
    rule(
        rf"(?:le )?(?:{_DAY},? )?(?:le )?(?P<day>\d{{1,2}})[/.-](?P<month>\d{{1,2}})[/.-](?P<year>\d{{4}})",
        LEXICON.month_day,
    ),
    rule(
        rf"(?:le |(?<=\bdu )|(?<=\bau )|{_DAY},? )(?P<day>\d{{1,2}})/(?P<month>1[0-2]|0?[1-9])(?!/)", LEXICON.month_day
    ),
    rule(rf"(?:le |(?<=\bdu )|(?<=\bau ))(?P<day>\d{{1,2}}|1er|premier){_END}", LEXICON.day_of_month),
    rule(rf"(?:le )?{_DAY} (?P<day>\d{{1,2}}|1er|premier){_END}", LEXICON.day_of_month),
    rule(r"(?:le )?(?P<day>\d{1,2}|1er|premier) (?:du|de (?P<which>ce)) mois", LEXICON.day_of_month),
    rule(rf"(?:le )?(?P<day>\d{{1,2}}|1er|premier) du mois {_NEXT}", LEXICON.day_of_month),
    rule(
        rf"(?:le |tous les )?{_NTH} (?:(?P<weekday>{_DAY})s?|jours?) "
        rf"(?:du mois(?: {_NEXT})?|de {_THIS} mois|(?:de |d'|du mois de |du mois d'|en ){_NAME}{_YEAR})",
        lambda m: LEXICON.nth(m) if not m.group().startswith("tous") else _each_nth(m),
    ),
    rule(rf"(?:le )?{_NTH} (?:(?P<weekday>{_DAY})|jour) de (?P<every>chaque mois)", LEXICON.nth),
    rule(
        r"(?:a la |en )?(?:(?P<end>fin)|(?P<mid>mi)|debut)[ -]"
        rf"(?:(?:du |de la |de l'|de |d')?(?:{_THIS} )?(?P<unit>semaine|mois|annee|an)(?: {_NEXT})?"
        rf"|(?:du mois )?(?:de |d')?{_NAME}{_YEAR})",
        LEXICON.edge,
    ),
    rule(rf"(?:la |le |l')?(?P<unit>{_UNIT}) {_NEXT}", LEXICON.stretch),
    rule(rf"{_THIS} (?P<unit>{_UNIT})(?:-ci)?", LEXICON.stretch),
    rule(r"(?:le )(?P<unit>week[ -]?end)", LEXICON.stretch),
    rule(
        rf"(?:(?:au cours des|durant les|pendant les|les|ces|des) )(?P<count>{_COUNT}) "
        rf"(?:(?P<back>derni[a-z]{{2,5}}|passes)|prochaine?s) (?P<unit>{_UNIT})",
        LEXICON.rolling,
    ),
    rule(rf"(?P<back>depuis) (?P<length>{_LENGTH})", LEXICON.rolling),
    rule(rf"(?P<sure>en |au mois de |au mois d'|(?<=depuis ))?{_NAME}(?: {_NEXT}|{_YEAR})", LEXICON.named_month),
    rule(r"en (?P<year>20\d\d|19\d\d)", LEXICON.year),
    rule(rf"(?:tous les|toutes les|chaque)(?: (?P<count>{_COUNT}))? (?P<unit>{_UNIT})", LEXICON.every),
    rule(rf"(?:tous les|toutes les|chaque) {_PART}s?", lambda m: _every_part(m)),
    rule(r"(?P<unit>(?<=\bun )jour|(?<=\bune )semaine|(?<=\bun )mois) sur deux", lambda m: _every_other(m)),
    rule(
        r"toutes les demi[ -]heures|tous les quarts d'heure",
        lambda m: {"every": Every("MINUTELY", 15 if "quart" in m.group() else 30)},
    ),
    rule(
        rf"(?:tous les|chaque|un)(?P<second> deux)? (?P<days>{_DAY}s?(?:{_LIST}{_DAY}s?){{0,6}})(?: {_PART}s?)?",
        lambda m: LEXICON.every_weekday(m) if not m.group().startswith("un ") else None,
    ),
    rule(rf"un (?P<days>{_DAY}) (?P<second>sur deux)", LEXICON.every_weekday),
    rule(rf"les (?P<days>{_DAY}s(?:{_LIST}{_DAY}s?){{0,6}})(?: {_PART}s?)?", LEXICON.every_weekday),
    rule(rf"(?:tous les jours )?du (?P<first>{_DAY}) au (?P<last>{_DAY})", LEXICON.every_run),
    rule(r"(?:tous les|chaque) jours? ouvr(?:able|e)s?|en semaine", kind((0, 1, 2, 3, 4))),
    rule(r"(?:tous les|chaque|les) week[ -]?ends?", kind((5, 6))),
    rule(r"quotidien(?:ne)?(?:ment)?", frequency("DAILY")),
    rule(r"hebdomadaire(?:ment)?", frequency("WEEKLY")),
    rule(r"mensuel(?:le)?(?:ment)?", frequency("MONTHLY")),
    rule(r"annuel(?:le)?(?:ment)?", frequency("YEARLY")),
    rule(r"(?:le )?(?P<day>\d{1,2}|1er|premier) de chaque mois", LEXICON.every_date),
    rule(r"(?:tous les|chaque) (?P<day>\d{1,2}|1er) du mois", LEXICON.every_date),
    rule(rf"(?:tous les ans |chaque annee |chaque )(?:le )?{_DAY_NUMBER} {_NAME}", LEXICON.every_date),
    rule(
        rf"{_PREPOSITION}?(?P<hour>\d{{1,2}}) ?(?P<formal>h)(?: ?(?P<minute>\d\d))?(?:(?P<sure>{_OF_DAY}))?",
        _maybe_clock,
    ),
    rule(
        rf"{_PREPOSITION}?(?P<hour>\d{{1,2}}|{_HOUR_WORD}) (?P<formal>heures?)(?! d(?:e |')(?!l)){_AFTER_HOUR}"
        rf"(?P<sure> pile| precises?|{_OF_DAY})?",
        _maybe_clock,
    ),
    rule(rf"{_ABOUT}?(?P<formal>)(?P<hour>\d{{1,2}}):(?P<minute>\d\d)(?::\d\d)?(?!:?\d)", LEXICON.clock),
    rule(
        rf"(?:(?<=\bde )|(?<=\bentre )|(?<=\bet )|(?<=\ba ))(?P<hour>\d{{1,2}})(?![a-z]|[.,:/]?\d)"
        rf"(?! ?(?:{_UNIT}|h)(?![a-z])){NOT_AN_HOUR}",
        LEXICON.bare_clock,
    ),
    rule(r"(?P<hour>midi|minuit)(?: et (?P<plus>demie?|quart)| moins (?P<minus>le quart|\d\d?))?", LEXICON.clock),
    rule(rf"(?P<length>{_LENGTH})", LEXICON.of_length("length")),
    rule(rf"dans (?:environ )?(?P<length>{_LENGTH})", LEXICON.of_length("offset")),
    rule(rf"(?P<length>{_LENGTH}) plus tard", LEXICON.of_length("offset")),
    rule(rf"il y a (?:environ )?(?P<length>{_LENGTH})", LEXICON.of_length("offset", -1)),
]


def _each_nth(match: re.Match[str]) -> Built:
    n = LEXICON.ordinal(match["n"])
    weekday = LEXICON.weekdays[match["weekday"]] if match["weekday"] else None
    return {"every": nth_every(Every("MONTHLY"), n, weekday)} if n else None


def _every_part(match: re.Match[str]) -> Built:
    return {"every": Every("DAILY"), "part": _PARTS[match["part"].replace("-", " ")]}


def _every_other(match: re.Match[str]) -> Built:
    every = LEXICON.every(match)
    return {"every": replace(every["every"], interval=2)} if every else None


_WORDS = r"(?:(?:a|au|aux|le|la|les|du|de|des|en|vers|entre|a partir|partir)(?![a-z])|l'|d')"
GRAMMAR = Grammar(
    rules=RULES,
    glue=re.compile(rf"(?:[\s,]|(?<![a-z]){_WORDS}){{0,8}}"),
    to=re.compile(r"\s?(?:jusqu'(?:au?|a la|en)|au|a|-|–|—|~|et)\s?(?:le )?"),
    also=frozenset({"et"}),
    between=re.compile(r"entre(?: le| la)?\s?$"),
    opens=re.compile(r"(?<![a-z])(?:entre|entre le|du|de)\s?$"),
    since=re.compile(r"(?<![a-z])depuis(?: le| la)?\s$|(?<![a-z])depuis l'$"),
    ended=re.compile(r"(?!)"),
    lead=re.compile(r"(?<![a-z])(?:a|au|en|dans|pour le)\s$"),
    before=re.compile(r"\savant(?: le)?\s"),
    after=re.compile(r"\sapres(?: le)?\s"),
    rest=re.compile(r"(?<![a-z])(?:(?:a|au|le|la|en|pour|vers|du|de|dans|jusqu'a|avant|des)(?![a-z])|l'|d')"),
    now=frozenset({"maintenant", "tout de suite", "immediatement", "en ce moment", "a l'instant"}),
    length=LEXICON.whole_length,
    dates="fr",
)
