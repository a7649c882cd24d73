"""Which of six languages a text's times and amounts are written in, by script and common words. Knows no grammar.

English wins wherever it has a say: another language needs more than twice as many words of its own as there are
English ones, so that a foreign name or phrase inside an English sentence changes nothing.
"""

from __future__ import annotations

import re
from typing import Literal

Tongue = Literal["en", "zh", "de", "fr", "es", "ja"]

_LOOK = 400
"""Characters that are looked at: a long text shows its language early."""
_KANA = re.compile(r"[ぁ-ゖァ-ヺー]+")
_HAN = re.compile(r"[㐀-䶿一-鿿]")
_RUN = re.compile(r"[㐀-䶿一-鿿ぁ-ゖァ-ヺー々]+")
_NUMERAL = "[0-9０-９一二三四五六七八九十]"
_JAPANESE = re.compile(
    r"[毎円駅働込畑峠晩]|[月火水木金土日]曜|[今来]週|先[週月]|(?<![如现現当當至])[今来]月(?!份)|^[0-9０-９]{1,3}分間?$|明後日|一昨日|夕方|今朝|(?<![正中上下])午前"
    rf"|{_NUMERAL}(?:時間|時半|分後|か月)|(?:朝|午後){_NUMERAL}{{1,2}}時"
)
"""Surely Japanese: no Chinese is written so."""
_PERHAPS = re.compile(r"[ぁ-ゖァ-ヺー]+|今夜|昨夜")
_CHINESE = re.compile(
    r"[我你您她们們吗嗎呢吧这這那给給请請把帮幫跟在是不的了两兩买買]|什么|怎么|什麼|怎麼|一下|[明今昨]天|[后後]天"
    r"|[上下]午|[晚早]上|[上下][周週个個]|星期|[点點](?!滴)"
)
_LATIN_WORD = re.compile(r"\b[a-zß]+\b")
_SIGNS: tuple[tuple[Tongue, re.Pattern[str]], ...] = (
    (
        "de",
        re.compile(
            r"\b(?:am|vom|bis|den) \d{1,2}\.(?:(?!\d)|\d{1,2}\.)"
            r"|(?:zwan|drei[ßs]|vier|fünf|fuenf|sech|sieb|acht|neun)s?zig\b|\w{3}(?:hundert|tausend)"
            r"|\b\d{1,2}\. (?:jan|feb|mär|apr|mai|jun|jul|aug|sep|okt|nov|dez)"
            r"|\b(?:mon|diens|donners|frei|sams|sonn|mitt)(?:tag|woch)(?:morgen|vormittag|mittag|nachmittag|abend|nacht)"
        ),
    ),
    ("fr", re.compile(r"\bà\b|\b[dl]'[a-zéèêâî]|\b1er\b|\ble \d{1,2}(?![\d.,])")),
    ("es", re.compile(r"[¿¡]|\ba las? ")),
)
"""Signs of a language that are no words; each speaks once."""
_LETTERS: dict[Tongue, str] = {"de": "äöüß", "fr": "àâçèéêëîïôùûœ", "es": "áéíñóú"}
_ACCENTS = str.maketrans("àáâãäåçèéêëìíîïñòóôõöùúûüýÿ", "aaaaaaceeeeiiiinooooouuuuyy")

_ENGLISH = frozenset(
    (
        "the and other is are be been being of to at by for from with without about into this that these those it its "
        "i you he she we they my your his her our their what which who when where why how would can could should shall "
        "may might do does did done have has had having not if then than but any some every each yes please thanks "
        "remind send call tell show find book cancel set make give get let add put read write open close start stop "
        "search look need want like know help message reminder calendar today tomorrow yesterday tonight morning "
        "afternoon evening night noon midnight day days week weeks month months year years hour hours next last ago "
        "monday tuesday wednesday thursday friday saturday sunday o'clock january february march june july october "
        "december half past quarter before after until since between there here just also only more most much many "
        "very new old good first one two three four five eight nine ten eleven twelve dollars pounds pay transfer buy "
        "play turn off up out over under again schedule move change delete create summarize reply forward invite him "
        "them us ve re ll don didn isn"
    ).split()
)
"""None is a common word of the others: "in", "on", "am", "me", "so", "minutes" and "september" speak for none."""
_ENGLISH_TIMES = frozenset(
    (
        "today tomorrow tonight yesterday monday tuesday wednesday thursday friday saturday sunday january february "
        "june july october december morning afternoon evening noon midnight weeks months hours days"
    ).split()
)
"""What only the English rules read counts three times: "dinner La Casa de los Abuelos Friday 8 pm"."""
_GERMAN = frozenset(
    (
        "der das dem des ein eine einen einem einer eines und oder aber nicht ist sind sein bist seid ich du wir ihr "
        "mich mir dich dir uns euch mein meine meinen meinem meiner dein deine deinen sie es zu zum zur vom von mit "
        "bei bis fur fuer ohne gegen nach uber ueber unter auf aus im um wie wo wann warum welche welcher welches wer "
        "bitte danke kein keine keinen noch schon heute morgen ubermorgen uebermorgen gestern vorgestern fruh frueh "
        "morgens vormittag vormittags mittag mittags nachmittag nachmittags abend abends nacht nachts mitternacht uhr "
        "halb viertel dreiviertel halbe stunde stunden viertelstunde dreiviertelstunde minuten sekunden tage tagen "
        "woche wochen monat monats monate monaten jahr jahre jahren jahres wochenende quartal montag dienstag mittwoch "
        "donnerstag freitag samstag sonnabend sonntag montags dienstags mittwochs donnerstags freitags samstags "
        "sonntags januar februar marz maerz mai juni juli oktober dezember janner jeden jede jedes jeder taglich "
        "taeglich wochentlich woechentlich monatlich jahrlich jaehrlich stundlich stuendlich werktags alle nachste "
        "naechste nachsten naechsten nachstes nachster letzte letzten letztes letzter diese diesen dieses dieser "
        "kommende kommenden ubernachste vorige vorigen vergangene vergangenen ende anfang mitte seit zwischen ab jetzt "
        "sofort eins zwei drei vier funf fuenf sechs sieben acht neun zehn zwolf zwoelf zwanzig dreißig dreissig "
        "vierzig funfzig hundert tausend erinnere erinner schick schicke sende schreib schreibe ruf rufe zeig zeige "
        "stell stelle trag trage lege leg buche suche uberweise ueberweise wecke weck termin besprechung treffen "
        "kannst habe haben wird werden soll anderthalb eineinhalb paar spater werktag werktage monatsende jahresende"
    ).split()
)
_FRENCH = frozenset(
    (
        "en "
        "le la les un une que des du de au aux et ou est sont es suis je tu il elle nous vous ils elles mon ma ton ta "
        "tes sa ses notre nos votre vos leur leurs ce cet cette ces qui quoi quel quelle quand pourquoi "
        "combien avec sans dans chez sur sous vers avant apres jusqu depuis durant entre pas ne moi toi lui merci svp "
        "plait aujourd hui demain hier soir matin midi minuit nuit soiree matinee heure heures demi demie quart "
        "secondes jour jours semaine semaines mois annee annees ans trimestre lundi mardi mercredi jeudi vendredi "
        "samedi dimanche lundis mardis mercredis jeudis vendredis samedis dimanches janvier fevrier mars avril mai "
        "juin juillet aout septembre octobre novembre decembre prochain prochaine prochains prochaines dernier "
        "derniere derniers dernieres passee tous toutes tout chaque fin debut deux trois quatre cinq sept huit neuf "
        "dix onze douze treize quatorze quinze seize vingt trente quarante cinquante soixante mille rappelle envoie "
        "envoyer ecris appelle appeler montre mets ajoute planifie cherche trouve vire virer reveille rendez peux "
        "veux faut maintenant quotidien quotidiennement hebdomadaire quelques "
        "centimes suisses"
    ).split()
)
_SPANISH = frozenset(
    (
        "el la los las un una unos unas de del al es son soy estoy esta estas este estos que quien cual cuando "
        "donde como cuanto porque con sin para por en entre hasta desde hacia sobre pero si tambien muy mi mis tu tus "
        "su sus nuestro nuestra le les lo se te nos gracias hoy manana pasado ayer anteayer anoche noche tarde "
        "madrugada mediodia medianoche hora horas cuarto cuartos minutos segundos dia dias semana semanas mes meses "
        "ano anos fin trimestre lunes martes miercoles jueves viernes sabado sabados domingo domingos enero febrero "
        "marzo abril mayo junio julio agosto septiembre setiembre octubre noviembre diciembre proximo proxima proximos "
        "proximas pasada ultimo ultima ultimos ultimas viene siguiente todos todas cada dentro hace finales principios "
        "mediados uno dos tres cuatro cinco seis siete ocho nueve diez doce trece catorce quince veinte treinta "
        "cuarenta cincuenta sesenta cien ciento mil recuerdame recuerda envia enviar manda escribe llamar "
        "muestra anade busca transfiere despiertame cita quiero necesito puedes ahora diario diariamente semanalmente "
        "mensualmente centimos dolares pesos esterlinas"
    ).split()
)
_WORDS: dict[Tongue, frozenset[str]] = {"de": _GERMAN, "fr": _FRENCH, "es": _SPANISH}


def plain(folded: str) -> str:
    """A lower-case text without accents, exactly as long: people leave them out (manana, apres-demain)."""
    return folded.translate(_ACCENTS)


def tongue(text: str) -> Tongue:
    """The language whose rules read `text`; `en` where nothing speaks for another one."""
    text = text[:_LOOK]
    if not text.isascii() and (_HAN.search(text) or _KANA.search(text)):
        return _eastern(text)
    folded = text.lower().replace("’", "'")
    words = _LATIN_WORD.findall(plain(folded).replace("week-end", "weekend"))
    english = sum((word in _ENGLISH) + 2 * (word in _ENGLISH_TIMES) for word in words)
    scores = []
    for name, sign in _SIGNS:
        known = [word for word in words if word in _WORDS[name]]
        # Of as many words the longer ones tell more ("mi-décembre" has a Spanish and a French one), and accents.
        weight = len("".join(known)) + sum(folded.count(letter) for letter in _LETTERS[name]) if known else 0
        scores.append((len(known) + bool(sign.search(folded)), weight, name))
    (best, weight, name), (second, less, _) = sorted(scores, reverse=True)[:2]
    return name if best > 2 * english and (best, weight) != (second, less) else "en"


def _eastern(text: str) -> Tongue:
    """Chinese, Japanese, or English that quotes Japanese: a few characters between more English words are a name."""
    surely = _JAPANESE.search(text)
    if not surely and len(_PERHAPS.findall(text)) <= len(_CHINESE.findall(text)):
        return "zh"
    latin = _LATIN_WORD.findall(text.lower())
    english = any(word in _ENGLISH for word in latin)
    return "en" if english and len(latin) > len(_RUN.findall(text)) else "ja"
