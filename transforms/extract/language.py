"""Which language a text is in: by fastText's lid.176, or by another fastText model that the user names.

Labels of GlotLID, OpenLID and NLLB ("eng_Latn") become the codes that lid.176 has: ISO 639-1 where there is one.
"""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Collection, Iterable

from weft.schemas.parameters import ConfigError, nearest
from weft.transforms.extract import fasttext_models

MAX_CHARS = 4_000  # of a text that are looked at; more does not change the verdict
PIECES, PIECE = 5, 500  # of a page, of so many characters each, that are looked at before its main content is known
SURE, HARDLY = 0.8, 0.05  # how probable its language is in each, and those that are wanted: docs/extraction.md
_RUN = re.compile(r">([^<>{}=]{40,}+)<")  # text between two tags that is no code
_DECLARED = re.compile(r"<html\b[^<>]{0,500}?\slang\s{0,9}=\s{0,9}[\"']?([a-zA-Z]{2,3})", re.IGNORECASE)
_HEAD = 4_000  # characters in which a page says its language
_WITH_SCRIPT = re.compile(r"([a-z]{3})_[A-Z][a-z]{3}")
# ISO 639-3 and the code that stands for it, by CLDR's aliases: of a macrolanguage its largest member too, arb is ar.
# Where lid.176 has another code, its own: no, tl, sh.
_SHORT = {
    word[:3]: word[3:]
    for word in (
        "aaraa abkab afraf akaak alssq amham araar arbar argan asmas avaav aveae aymay ayray azeaz azjaz bakba bambm "
        "belbe benbn bisbi bodbo bosbs brebr bulbg catca cescs chach chece chucu chvcv cmnzh corkw cosco crecr cwdcr "
        "cymcy danda deude divdv dzodz ekket ellel engen epoeo estet euseu eweee faofo fasfa fatak fijfj filtl finfi "
        "frafr fryfy fucff fulff gazom glagd glega glggl glvgv grngn guggn gujgu hatht hauha hbssh hebhe herhz hinhi "
        "hmoho hrvhr hunhu hyehy iboig iceis idoio iiiii ikeiu ikuiu ileie inaia indid ipkik islis itait javjv jpnja "
        "kalkl kankn kasks katka kaukr kazkk khkmn khmkm kikki kinrw kirky kmrku knckr kngkg komkv konkg korko kpvkv "
        "kuakj kurku laolo latla lavlv limli linln litlt ltzlb lublu luglg lvslv mahmh malml marmr mkdmk mlgmg mltmt "
        "monmn mrimi msams myamy nauna navnv nblnr ndend ndong nepne nldnl nnonn nobno norno npine nyany ocioc ojioj "
        "orior ormom oryor ossos panpa pbups perfa pesfa plipi pltmg polpl porpt prpgu pusps quequ quzqu rohrm ronro "
        "runrn rusru sagsg sansa sinsi slksk slvsl smese smosm snasn sndsd somso sotst spaes sqisq srdsc srpsr sswss "
        "sunsu swasw swesv swhsw tahty tamta tattt telte tgktg tgltl thath tirti tonto tsntn tsots tuktk turtr twiak "
        "uigug ukruk urdur uzbuz uznuz venve vievi volvo wlnwa wolwo xhoxh yddyi yidyi yoryo zhaza zhozh zsmms zulzu"
    ).split()
}


@functools.cache
def known(model: str = "") -> frozenset[str]:
    """Every language that a text may be found to be in."""
    return frozenset(map(code_of, fasttext_models.labels(model)))


def code_of(label: str) -> str:
    """The code of a language that a model's label stands for.

    >>> code_of("eng_Latn"), code_of("cmn_Hani"), code_of("ceb_Latn"), code_of("als")
    ('en', 'zh', 'ceb', 'als')
    """
    found = _WITH_SCRIPT.fullmatch(label)
    return short(found[1]) if found else label


def short(code: str) -> str:
    """The code of a language as texts are found to be in it.

    >>> short("fil"), short("de"), short("ceb")
    ('tl', 'de', 'ceb')
    """
    return _SHORT.get(code, code)


def check(codes: Iterable[str], key: str, model: str = "") -> None:
    """Raise ConfigError, which names the nearest, for a code that no text is ever found to be in."""
    for code in codes:
        if code not in known(model):
            near = nearest(code, known(model))
            raise ConfigError(f"{key}: no text is found to be in {code!r}{near}; codes are ISO 639-1, such as 'en'")


def identify(text: str, model: str = "") -> tuple[str, float]:
    """(language, probability) of a text: an ISO 639-1 code, or 639-3 where there is none; ("", 0.0) for no text.

    Args:
        text: of which MAX_CHARS count.
        model: path of a fastText model; "" is lid.176.
    """
    line = " ".join(text[:MAX_CHARS].split())
    found = fasttext_models.predict(line, model) if line else []
    return (code_of(found[0][1]), found[0][0]) if found else ("", 0.0)


def wanted(code: str, score: float, languages: tuple[str, ...], least: float) -> bool:
    """Whether a text is to be kept: in one of `languages` with a score of at least `least`, or no languages named."""
    return not languages or (code in languages and score >= least)


def foreign(page: str, languages: Collection[str], model: str = "") -> str:
    """As "de 0.99": the language of a page that is surely in none of `languages`; "" where it may be, or is short.

    Far cheaper than to look for the main content first. A page that says of itself that it is in one of them is not
    looked at, and neither is one that has a piece which may be.

    Args:
        page: its HTML.
        languages: that are wanted; empty wants all.
        model: as of `identify`.
    """
    declared = _DECLARED.search(page, 0, _HEAD)
    if not languages or (declared and declared[1].lower() in languages):
        return ""
    said = " ".join(html.unescape(" ".join(_RUN.findall(page))).split())
    starts = range(0, len(said) - PIECE + 1, max(PIECE, len(said) // PIECES))
    told = ""
    for start in starts[:PIECES]:
        found = fasttext_models.predict(said[start : start + PIECE], model, most=5)
        wanted_share = sum(share for share, label in found if code_of(label) in languages)
        if found[0][0] < SURE or wanted_share > HARDLY:
            return ""
        told = told or f"{code_of(found[0][1])} {found[0][0]:.2f}"
    return told
