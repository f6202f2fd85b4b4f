"""Words and sentences as the peers' programs count them: by the rules of spaCy's tokenizer, which datatrove uses.

text → tokens, punctuation among them; tokens → number of sentences. Gopher's and FineWeb's shares are per token there:
"It's well-known." is six of them and not two words, and a text near a threshold falls on its other side.

What stands between spaces is taken apart from outside in (spaCy, Tokenizer.explain): a prefix and a suffix at a time,
until what is left is an exception ("e.g.", "don't"), an address, or has nothing more to give; then at hyphens and the
like inside. Two of the tokens so found that make an exception together are one ("D-Calif." ends in "Calif."). A
sentence ends with a token that is an end mark (spaCy's sentencizer).

Those are English's rules. Other languages have what spaCy's for them change most: no English contractions and
abbreviations, hyphens that join, numbers with a full stop, French and Italian articles before an apostrophe.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from weft.transforms.extract import token_languages as languages

_QUOTES = "'\"”“`‘´’‚,„»«「」『』（）〔〕【】《》〈〉⟦⟧"
_PUNCTUATION = "…,:;!?¿؟¡()[]{}<>_#*&。？！，、；：～·।،۔؛٪"
_CURRENCY = "$£€¥฿₽﷼₴₠₡₢₣₤₥₦₧₨₩₪₫₭₮₯₰₱₲₳₵₶₷₸₹₺₻₼₾₿"
_UNITS = (
    "km² km³ km m² m³ m dm² dm³ dm cm² cm³ cm mm² mm³ mm ha µm nm yd in ft kg g mg µg t lb oz m/s km/h kmh mph hPa Pa "
    "mbar mb MB kb KB gb GB tb TB T G M K %"
)
# Letters by spaCy's char_classes.py: of scripts that are not here (Armenian, Georgian, Thai, …) it knows none, of those
# without capitals whole blocks, with their signs for vowels.
_LATIN = ((0x41, 0x2AF), (0x1D00, 0x1DBF), (0x1E00, 0x1EFF), (0x2C60, 0x2C7F), (0xA720, 0xA7B9), (0xAB30, 0xAB64))
_CASED = "α-ωάέήίόύώа-яёѐѓєѕіїјљњќѝґҗңүһәө"
_UNCASED = (  # Ethiopic, Bengali, Hebrew, Arabic, Sinhala, Devanagari, Kannada, Tamil, Telugu, Hangul, kana, ideographs
    "\u1200-\u137f\u0980-\u09ff\u0591-\u05f4\ufb1d-\ufb4f\u0620-\u064a\u066e-\u06d5\u06e5-\u06ff\u0750-\u077f"
    "\u08a0-\u08bd\ufb50-\ufbb1\ufbd3-\ufd3d\ufd50-\ufdc7\ufdf0-\ufdfb\ufe70-\ufefc\u0d80-\u0dff\u0900-\u097f"
    "\u0c80-\u0cff\u0b80-\u0bff\u0c00-\u0c7f\uac00-\ud7af\u1100-\u11ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\u2e80-\u2fdf\u2ff0-\u303f\u31c0-\u31ef\u3200-\u33ff\uf900-\ufaff\ufe30-\ufe4f\U00020000-\U0002ebef"
)
END_MARKS = frozenset(  # of sentences, in all scripts (datatrove, TERMINAL_PUNCTUATION)
    "!.?\u0589\u061d\u061e\u061f\u06d4\u0700\u0701\u0702\u07f9\u0837\u0839\u083d\u083e\u0964\u0965\u104a\u104b"
    "\u1362\u1367\u1368\u166e\u1735\u1736\u17d4\u17d5\u17d6\u17d9\u17da\u1803\u1809\u1944\u1945\u1aa8\u1aa9\u1aaa"
    "\u1aab\u1b5a\u1b5b\u1b5e\u1b5f\u1b7d\u1b7e\u1c3b\u1c3c\u1c7e\u1c7f\u203c\u203d\u2047\u2048\u2049\u2e2e\u2e3c"
    "\u2e53\u2e54\u3002\ua4ff\ua60e\ua60f\ua6f3\ua6f7\ua876\ua877\ua8ce\ua8cf\ua92f\ua9c8\ua9c9\uaa5d\uaa5e\uaa5f"
    "\uaaf0\uaaf1\uabeb\ufe52\ufe56\ufe57\uff01\uff0e\uff1f\uff61\U00010a56\U00010a57\U00010f55\U00010f56"
    "\U00010f57\U00010f58\U00010f59\U00010f86\U00010f87\U00010f88\U00010f89\U00011047\U00011048\U000110be"
    "\U000110bf\U000110c0\U000110c1\U00011141\U00011142\U00011143\U000111c5\U000111c6\U000111cd\U000111de"
    "\U000111df\U00011238\U00011239\U0001123b\U0001123c\U000112a9\U0001144b\U0001144c\U000115c2\U000115c3"
    "\U000115c9\U000115ca\U000115cb\U000115cc\U000115cd\U000115ce\U000115cf\U000115d0\U000115d1\U000115d2"
    "\U000115d3\U000115d4\U000115d5\U000115d6\U000115d7\U00011641\U00011642\U0001173c\U0001173d\U0001173e"
    "\U00011944\U00011946\U00011a42\U00011a43\U00011a9b\U00011a9c\U00011c41\U00011c42\U00011ef7\U00011ef8"
    "\U00011f43\U00011f44\U00016a6e\U00016a6f\U00016af5\U00016b37\U00016b38\U00016b44\U00016e98\U0001bc9f"
    "\U0001da88"
)
_KNOWN_CHUNKS = 1 << 16
_LONGEST = 1_000  # characters without a space that are taken apart: no prose has more
_REMEMBERED = 64  # characters of one whose tokens are remembered: longer ones seldom come again, and fill the memory
_LONGEST_SUFFIX = 12  # characters, more than any that a language adds
_SUFFIX = 8  # characters, more than any suffix has but for a run of full stops


class _Patterns(NamedTuple):
    """What is taken off a chunk before and behind, what parts it inside, and what is an address."""

    prefix: re.Pattern[str]
    suffix: re.Pattern[str]
    infix: re.Pattern[str]
    address: re.Pattern[str]


def _letters(upper: bool) -> str:
    """What spaCy takes for letters that are not of the other case, as the inside of a character class."""
    case = "Lu" if upper else "Ll"
    codes = (code for first, last in _LATIN for code in range(first, last + 1) if code != ord("µ"))
    latin = "".join(letter for letter in map(chr, codes) if unicodedata.category(letter) == case)
    return latin + (_CASED.upper() if upper else _CASED) + _UNCASED


def _class(characters: str) -> str:
    return "".join(map(re.escape, characters))


@cache
def _patterns() -> _Patterns:
    """Compiled when a first text is taken apart: it takes as long as importing all else here."""
    icon = (
        "\u00a6\u00a9\u00ae\u00b0\u2100-\u2101\u2103-\u2106\u2114\u2116-\u2117\u211e-\u2123\u2195-\u21ff\u2300-\u27bf"
    )
    icon += "\u2800-\u28ff\u2b00-\u2bff\u3200-\u33ff\ufffc\ufffd\U0001f000-\U0001faff"
    lower, upper = _letters(False), _letters(True)
    alpha, either = f"[{lower}{upper}]", f"[{lower}{upper}0-9]"
    quotes, marks, currency = map(_class, (_QUOTES, _PUNCTUATION, _CURRENCY))
    edge = f"[{marks}]|\\.\\.+|[{quotes}]|[{icon}]"
    return _Patterns(
        re.compile(rf"[§%=—–]|\+(?![0-9])|{edge}|US\$|[CA]\$|[{currency}]"),
        re.compile(
            rf"(?:{edge}|['’][sS]|[—–]|(?<=[0-9])\+|(?<=°[FfCcKk])\.|(?<=[0-9])(?:[{currency}]|US\$|[CA]\$)"
            rf"|(?<=[0-9])(?:{'|'.join(map(re.escape, _UNITS.split()))})"
            rf"|(?<=[0-9{lower}%²\-+{marks}{quotes}|])\.|(?<=[{upper}][{upper}])\.)$"
        ),
        re.compile(
            rf"\.\.+|…|[{icon}]|(?<=[0-9])[+\-*^](?=[0-9-])"
            rf"|(?<=[{lower}{quotes}])\.(?=[{upper}{quotes}])|(?<={alpha}),(?={alpha})"
            rf"|(?<={either})(?:-|–|—|--|---|——|~)(?={alpha})|(?<={either})[:<>=/](?={alpha})"
        ),
        re.compile(
            r"(?:[\w+.-]{2,}://)?(?:\S+@)?(?:(?:\d{1,3}\.){3}\d{1,3}"
            r"|(?:(?:[A-Za-z0-9\u00a1-\uffff][A-Za-z0-9\u00a1-\uffff_-]{0,62})?[A-Za-z0-9\u00a1-\uffff]\.)+"
            rf"[{lower}]{{2,63}})(?::\d{{2,5}})?(?:[/?#]\S*)?"
        ),
    )


def _exceptions() -> Iterator[tuple[str, ...]]:
    """Tokens of strings that are taken apart otherwise than the rules would, or not at all; without capitals."""
    persons, asking = "i you he she it we they".split(), "who what when where why how there that this".split()
    yield from (("i", "'m"), ("i", "m"), ("i", "'m", "a"), ("i", "m", "a"))
    for word in [*persons, *asking, "these", "those"]:
        ends = [["'ll"], ["'ll", "'ve"], ["'d"], ["'d", "'ve"]]
        plural = [*"you we they these those".split(), *asking[:7]]
        ends += [["'ve"]] if word in plural or word == "i" else []
        ends += [["'re"]] if word in plural else []
        ends += [["'s"]] if word in "he she it".split() or word in asking else []
        for end in ends:
            yield word, *end
            yield word, *(part.removeprefix("'") for part in end)
    for verb in "ca could do does did had may might must need ought sha should wo would".split():
        yield from ((verb, "n't"), (verb, "nt"), (verb, "n't", "'ve"), (verb, "nt", "ve"))
    for verb in "could might must should would".split():
        yield from ((verb, "'ve"), (verb, "ve"))
    for verb in "ai are is was were have has dare".split():
        yield from ((verb, "n't"), (verb, "nt"))
    for word in "doin goin nothin nuthin ol somethin lovin havin".split():
        yield (f"{word}'",)
    for hour in range(1, 13):
        yield from ((str(hour), period) for period in ("a.m.", "am", "p.m.", "pm"))
    yield from (
        ("y'", "all"),
        ("y", "all"),
        ("not", "'ve"),
        ("not", "ve"),
        ("can", "not"),
        ("gon", "na"),
        ("got", "ta"),
    )
    yield from (("let", "'s"), ("c'm", "on"), ("ma'am",), ("o'clock",))


_UNTOUCHED = (
    "' '' 'S 's ‘S ‘s and/or w/o 're 'Cause 'cause 'cos 'Cos 'coz 'Coz 'cuz 'Cuz 'bout 'em 'll 'nuff 'd C++ Mt. "
    "Ak. Ala. Apr. Ariz. Ark. Aug. Calif. Colo. Conn. Dec. Del. Feb. Fla. Ga. Ia. Id. Ill. Ind. Jan. Jul. Jun. "
    "Kan. Kans. Ky. La. Mar. Mass. Mich. Minn. Miss. N.C. N.D. N.H. N.J. N.M. N.Y. Neb. Nebr. Nev. Nov. Oct. "
    "Okla. Ore. Pa. S.C. Sep. Sept. Tenn. Va. Wash. Wis. a.m. Adm. Bros. co. Co. Corp. D.C. Dr. e.g. E.g. E.G. "
    "Gen. Gov. i.e. I.e. I.E. Inc. Jr. Ltd. Md. Messrs. Mo. Mont. Mr. Mrs. Ms. p.m. Ph.D. Prof. Rep. Rev. Sen. "
    "St. vs. v.s. ä. ö. ü. "
    "'' (*_*) (-8 (-: (-; (-_-) (._.) (: (; (= (>_<) (^_^) (o: (¬_¬) (ಠ_ಠ) (╯°□°）╯︵┻━┻ )-: ): -_- -__- "
    "._. 0.0 0.o 0_0 0_o 8) 8-) 8-D 8D :'( :') :'-( :'-) :( :(( :((( :() :) :)) :))) :* :-( :-(( :-((( "
    ":-) :-)) :-))) :-* :-/ :-0 :-3 :-> :-D :-O :-P :-X :-] :-o :-p :-x :-| :-} :/ :0 :1 :3 :> :D :O :P "
    ":X :] :o :o) :p :x :| :} ;) ;-) ;-D ;D ;_; <.< </3 <3 <33 <333 <space> =( =) =/ =3 =D =[ =] =| >.< "
    '>.> >:( >:o ><(((*> @_@ C++ O.O O.o O_O O_o V.V V_V XD XDD [-: [: [= \\") \\n \\t ]= ^_^ ^__^ ^___^ o.0 '
    "o.O o.o o_0 o_O o_o v.v v_v xD xDD ¯\\(ツ)/¯ ಠ_ಠ ಠ︵ಠ "
).split()
_NONE = frozenset("ill its hell shell shed were well whore".split())  # words that a contraction would be written like


def _table() -> dict[str, tuple[str, ...]]:
    letters = [f"{chr(n)}." for n in range(ord("a"), ord("z") + 1)]
    found: dict[str, tuple[str, ...]] = {word: (word,) for word in [*_UNTOUCHED, *letters]}
    for parts in _exceptions():
        for first in (parts[0], parts[0].title()):
            whole = first + "".join(parts[1:])
            if whole.lower() not in _NONE:
                found[whole] = (first, *parts[1:])
    curly = {key.replace("'", "’"): tuple(part.replace("'", "’") for part in parts) for key, parts in found.items()}
    return found | curly


_EXCEPTIONS = _table()
_OF_ALL = _UNTOUCHED[_UNTOUCHED.index("ä.") :]  # what is one token in every language
_ELSEWHERE = {key: said for key, said in _EXCEPTIONS.items() if (len(key) == 2 and key[1] == ".") or key in _OF_ALL}
_LONGEST_EXCEPTION = max(map(len, [*_EXCEPTIONS, *" ".join(languages.ABBREVIATIONS.values()).split()]))
_ELISION, _ELISIONS = re.compile(r"(?<=[^\W\d_]['’])(?=[^\W\d_])"), frozenset(("fr", "it"))


@lru_cache(1)  # two rules after each other ask for those of the same page
def words(text: str, language: str = "en") -> tuple[str, ...]:
    """Tokens of a text, punctuation among them.

    >>> words("Don't go: it's well-known (e.g. in the U.S.).")
    ('Do', "n't", 'go', ':', 'it', "'s", 'well', '-', 'known', '(', 'e.g.', 'in', 'the', 'U.S.', ')', '.')
    >>> words("Im 2. Stock der U-Bahn", "de"), words("l'eau", "fr")
    (('Im', '2.', 'Stock', 'der', 'U-Bahn'), ("l'", 'eau'))
    """
    return tuple(
        token for chunk in text.split() for token in (_known if len(chunk) <= _REMEMBERED else _apart)(chunk, language)
    )


def sentences(tokens: Sequence[str]) -> int:
    """How many sentences tokens make: a token that begins after an end mark, and is no mark itself, begins one.

    >>> sentences(words('Mr. Day came. He said "Hi." So? 3.5 it is')), sentences([])
    (4, 0)
    """
    count, ended = int(bool(tokens)), False
    for token in tokens:
        if token in END_MARKS:
            ended = True
        elif ended and not _is_punctuation(token):
            count, ended = count + 1, False
    return count


@cache
def _exceptions_in(language: str) -> Mapping[str, tuple[str, ...]]:
    if language == "en":
        return _EXCEPTIONS
    words = languages.ABBREVIATIONS.get(language, "").split()
    if language in languages.ANY_CASE:
        words += [form for word in words for form in (word[0].upper() + word[1:], word.upper())]
    common = {key: said for key, said in _ELSEWHERE.items() if language != "pl" or key[-1] != "."}
    return common | {word: (word,) for word in words}


class _Own(NamedTuple):
    """A language's patterns."""

    prefix: re.Pattern[str]
    infix: re.Pattern[str]
    suffix: re.Pattern[str] | None  # besides the common ones
    whole: re.Pattern[str] | None  # what is one token


@cache
def _own(language: str) -> _Own:
    """Compiled when a first text of the language is taken apart."""
    common, alpha, quotes = _patterns(), r"[^\W\d_]", _class(_QUOTES.replace("'", ""))
    infixes = {
        "de": r"(?<=[^\W_])/(?=[^\W_])",
        "pl": rf"(?<=[^\W_])\.(?=[0-9{_letters(True)}])|---?|——?|–|-|~",
        "id": rf"(?<={alpha})-(?=[0-9])|(?<=[0-9])[\\/](?=[0-9%-])",
    }
    infix = infixes.get(language, "")
    if language in languages.MARKS_INSIDE:
        infix += rf"{'|' if infix else ''}(?<={alpha})[!?{quotes}()\[\]](?={alpha})"
    prefix, suffix, whole = (
        table.get(language, "") for table in (languages.PREFIXES, languages.SUFFIXES, languages.WORDS)
    )
    return _Own(
        re.compile(f"{prefix}|{common.prefix.pattern}") if prefix else common.prefix,
        re.compile(f"{common.infix.pattern}|{infix}") if infix else common.infix,
        re.compile(rf"(?:{suffix})$") if suffix else None,
        re.compile(whole) if whole else None,
    )


def _suffix(chunk: str, prefix: int, language: str) -> int:
    """How many characters are taken off at a chunk's end, where so many are at its beginning."""
    if language in languages.ORDINALS and chunk[-1] == "." and chunk[-2:-1].isdigit():
        return 0
    near = min(len(chunk) - _SUFFIX, len(chunk.rstrip(".")))
    ending = _patterns().suffix.search(chunk, max(prefix, near))
    if language != "en":
        ending = _own_ending(chunk, prefix, language, ending)
        if language == "pl" and chunk[-1] == "." and not ending:
            return 1
    return len(chunk) - ending.start() if ending else 0


def _own_ending(chunk: str, prefix: int, language: str, ending: re.Match[str] | None) -> re.Match[str] | None:
    """The suffix in a language, where in English it is `ending`."""
    said = ending[0] if ending else ""
    if said[:1] in "'’" and said[1:] in ("s", "S"):
        none = language not in languages.GENITIVE
    else:
        none = said in languages.NO_SUFFIX.get(language, "") or (said.isalpha() and language == "ro")
    ending = None if none else ending
    own = _own(language).suffix
    more = own.search(chunk, max(prefix, len(chunk) - _LONGEST_SUFFIX)) if own else None
    return more if more and (not ending or more.start() < ending.start()) else ending


def _is_day(chunk: str) -> bool:
    return len(chunk) <= 3 and chunk.endswith(".") and chunk[:-1].isdigit()


def _apart(chunk: str, language: str = "en") -> tuple[str, ...]:
    """Tokens of what stands between spaces."""
    exceptions = _exceptions_in(language)
    own = _own(language)

    def _is_exception(chunk: str) -> bool:
        return len(chunk) <= _LONGEST_EXCEPTION and chunk in exceptions

    def _is_one(chunk: str) -> bool:
        return _is_exception(chunk) or (own.whole is not None and own.whole.fullmatch(chunk) is not None)

    if _is_exception(chunk):
        return exceptions[chunk]
    if chunk.isalpha() or len(chunk) > _LONGEST or (language in languages.SHORT_ORDINALS and _is_day(chunk)):
        return (chunk,)
    before: list[str] = []
    after: list[str] = []
    last = -1
    while chunk and len(chunk) != last and not _is_one(chunk):
        last = len(chunk)
        prefix = found.end() if (found := own.prefix.match(chunk)) else 0
        if prefix and _is_exception(chunk[prefix:]):
            before.append(chunk[:prefix])
            chunk = chunk[prefix:]
            break
        suffix = _suffix(chunk, prefix, language)
        if suffix and _is_exception(chunk[:-suffix]):
            after.append(chunk[-suffix:])
            chunk = chunk[:-suffix]
            break
        if prefix:
            before.append(chunk[:prefix])
        if suffix and prefix + suffix <= len(chunk):
            after.append(chunk[-suffix:])
            chunk = chunk[:-suffix]
        chunk = chunk[prefix:]
    inside: Iterable[str] = (chunk,) if chunk else ()
    if _is_exception(chunk):
        inside = exceptions[chunk]
    elif not _is_one(chunk) and not _is_address(chunk):
        inside = _at_infixes(chunk, language)
    inside = _elided(inside) if language in _ELISIONS else inside
    return _joined([*before, *inside, *reversed(after)], exceptions)


_known = lru_cache(_KNOWN_CHUNKS)(_apart)


def _joined(tokens: list[str], exceptions: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Tokens, two of which that make an exception of one token together are that one."""
    made: list[str] = []
    for token in tokens:
        if made and exceptions.get(made[-1] + token) == (made[-1] + token,):
            made[-1] += token
        else:
            made.append(token)
    return tuple(made)


def _elided(tokens: Iterable[str]) -> list[str]:
    return [part for token in tokens for part in _ELISION.split(token)]


def _at_infixes(chunk: str, language: str) -> Iterator[str]:
    start = 0
    for found in _own(language).infix.finditer(chunk):
        if found.start() == start or (language != "en" and _parts_nothing(found, language)):
            continue
        yield chunk[start : found.start()]
        yield found[0]
        start = found.end()
    if start < len(chunk):
        yield chunk[start:]


def _parts_nothing(found: re.Match[str], language: str) -> bool:
    """Whether what parts tokens in English stands inside one in a language."""
    mark, chunk = found[0], found.string
    if mark not in languages.HYPHENS:
        return language in languages.WHOLE.get(mark, ())
    before, after = chunk[: found.start()], chunk[found.end() :]
    if language == "id" and before.lower() == after.lower():  # hari-hari: many days
        return True
    if language == "it" and after[:1].isupper():
        return True
    digits = before[-1:].isdigit(), after[:1].isdigit()
    if all(digits):
        return language in languages.HYPHENS_JOIN and language != "de"
    return language in languages.HYPHENS_JOIN or (digits[0] and language not in languages.HYPHENS_PART)


def _is_address(chunk: str) -> bool:
    return "." in chunk and _patterns().address.fullmatch(chunk) is not None


@lru_cache(_KNOWN_CHUNKS)
def _is_punctuation(token: str) -> bool:
    return all(unicodedata.category(character)[0] == "P" for character in token)
