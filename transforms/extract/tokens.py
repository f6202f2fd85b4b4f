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

_QUOTES = "'\"”“`‘´’‚,„»«「」『』（）〔〕【】《》〈〉⟦⟧"
_PUNCTUATION = "…,:;!?¿؟¡()[]{}<>_#*&。？！，、；：～·।،۔؛٪"
_CURRENCY = "$£€¥฿₽﷼₴₠₡₢₣₤₥₦₧₨₩₪₫₭₮₯₰₱₲₳₵₶₷₸₹₺₻₼₾₿"
_UNITS = (
    "km² km³ km m² m³ m dm² dm³ dm cm² cm³ cm mm² mm³ mm ha µm nm yd in ft kg g mg µg t lb oz m/s km/h kmh mph hPa Pa "
    "mbar mb MB kb KB gb GB tb TB T G M K %"
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
    """Letters that are not of the other case, as the inside of a character class."""
    ranges: list[list[int]] = []
    for code in range(0x2FFF):
        letter = chr(code)
        if letter.isalpha() and not (letter.islower() if upper else letter.isupper()):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges) + "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"


def _class(characters: str) -> str:
    return "".join(map(re.escape, characters))


@cache
def _patterns() -> _Patterns:
    """Compiled when a first text is taken apart: it takes as long as importing all else here."""
    icon = (
        "\u00a6\u00a9\u00ae\u00b0\u2100-\u2101\u2103-\u2106\u2114\u2116-\u2117\u211e-\u2123\u2195-\u21ff\u2300-\u27bf"
    )
    icon += "\u2800-\u28ff\u2b00-\u2bff\u3200-\u33ff\ufffc\ufffd\U0001f000-\U0001faff"
    lower, upper, alpha = _letters(False), _letters(True), r"[^\W\d_]"
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
            rf"|(?<=[^\W_])(?:-|–|—|--|---|——|~)(?={alpha})|(?<=[^\W_])[:<>=/](?={alpha})"
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
    "St. vs. v.s. ä. ö. ü. :) :-) :)) :-)) (: (-: =) (= :] :-] [: =] :} 8) 8-) (8 ;) ;-) (; :( :-( :(( ): =( :/ "
    ":-/ =/ =| :| ]= =[ :1 :P :-P :p :-p :O :o :0 :* :3 :-3 =3 :> :X :x :D :-D ;D =D xD XD 8D ^_^ >.< ._. ;_; -_- "
    "v.v V.V o_o o_O O_O o.O o.o 0.0 @_@ <3 <33"
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
_ABBREVIATIONS = {
    "de": (
        "'s ’s 'n ’n 'ne 'nem 'nen CDU/CSU c/o "
        "A.C. A.D. A.G. Abb. Abk. Abs. Abt. Apr. Aug. B.A. B.Sc. Bd. Betr. Bf. Bhf. Biol. Bsp. Chr. Cie. Co. D.C. "
        "Dez. Di. Dipl. Dipl.-Ing. Do. Dr. Fa. Fam. Feb. Fr. Frl. G.m.b.H. Gebr. Hbf. Hg. Hr. Hrn. Hrsg. I. II. "
        "III. IV. Inc. Ing. Jan. Jh. Jhd. Jr. Jul. Jun. K.O. L.A. M.A. M.Sc. Mi. Mio. Mo. Mr. Mrd. Mrz. MwSt. Mär. "
        "N.Y. N.Y.C. Nov. Nr. O.K. Okt. Orig. P.S. Pkt. Prof. R.I.P. Red. Sa. Sep. Sept. So. St. Std. Str. Tel. "
        "Tsd. U.S. U.S.A. U.S.S. Univ. Vol. a.D. a.M. a.Z. abzgl. adv. al. allg. betr. biol. bspw. bzgl. bzw. ca. "
        "co. d.h. dgl. e.V. e.g. ebd. ehem. eigtl. engl. entspr. erm. etc. ev. evtl. frz. geb. gegr. gem. ggf. "
        "ggfs. ggü. h.c. hrsg. i.A. i.G. i.O. i.Tr. i.V. i.d.R. i.e. incl. inkl. insb. jr. jun. jur. kath. lat. "
        "lt. m.E. m.M. max. min. mind. mtl. n.Chr. nat. o.a. o.g. o.k. o.ä. orig. p.a. p.s. pers. phil. q.e.d. "
        "rer. röm. s.o. sen. sog. std. stellv. tägl. u.U. u.a. u.s.w. u.v.m. usf. usw. uvm. v.Chr. v.a. v.l.n.r. "
        "vgl. vllt. vlt. vs. wiss. z.B. z.Bsp. z.T. z.Z. z.Zt. z.b. zzgl. österr. "
    ),
    "fr": (
        "Dr. M. MM. Mlle. Mme. Mr. No. St. Ste. Vol. apr. av. avr. cf. déc. etc. févr. janv. juill. nov. oct. pp. "
        "sept. après-midi au-delà au-dessus aujourd'hui aujourd’hui celle-ci celles-ci celui-ci ci-dessous d° "
        "elle-même en-dessous jusque-là lui-même n° peut-être quelques-uns rendez-vous "
    ),
    "es": (
        "Av. Avda. Cía. Dr. Dra. EE.UU. Ee.Uu. Gob. Gral. Ing. J.C. Lic. P.D. Prof. Profa. Q.E.P.D. S.A. S.L. "
        "S.R.L. Sr. Sra. Srta. Ud. Uds. Vd. Vds. a.C. a.J.C. apdo. aprox. d.C. d.J.C. dna. dpto. ej. esq. etc. "
        "fig. m.n. núm. p.ej. pág. q.e.p.d. s.s.s. vol. "
    ),
    "it": (
        "Art. Avv. Civ. Cod. Cost. Jr. Proc. St. a.C. al. art. artt. att. avv. c.d. cm. col. d.C. distr. ecc. etc. "
        "pag. prof. s.p.a. sett. ss. tel. E' all-path by-pass c/c centro-sinistra check-up e-mail e/o no"
        "rd-est n° po' po’ s.n.c s.r.l week-end "
    ),
    "pt": (
        "Adm. Art. Av. Cia. Dr. E.G. E.g. Fund. Gen. Gov. I.E. I.e. Inc. Jr. Ltd. Mr. Ph.D. Rep. Rev. Sen. Sr. "
        "Sra. art. av. dom. dr. e.g. ed. eng. etc. i.e. p.m. pag. pág. sr. sra. tel. vs. S/A e/ou km/h "
    ),
    "no": (
        "Ap. Aq. Ca. Chr. Co. Dr. F.eks. Fr.p. Frp. Grl. Kr. Kr.F. Mr. Mrs. Pb. Pr. Sp. St. a.m. ad. adm.dir. apr. "
        "aug. b.c. bl.a. bla. bm. bnr. bto. c.c. ca. cand.mag. co. d.d. d.m. d.y. dept. des. dr. dr.med. "
        "dr.philos. dr.psychol. dvs. e.Kr. e.l. eg. ekskl. el. et. etc. etg. ev. evt. f.Kr. f.eks. f.o.m. feb. "
        "fhv. fk. foreg. fork. fv. fvt. gl. gno. gnr. grl. gt. h.r.adv. hhv. hoh. hr. ifb. ifm. iht. inkl. istf. "
        "jan. jf. jr. jul. jun. juris. kfr. kgl. kgl.res. kl. komm. kr. kst. lat. lø. m.a.o. m.fl. m.m. m.v. ma. "
        "mag.art. mar. md. mfl. mht. mill. min. mnd. moh. mrd. muh. mv. mva. n.å. ndf. no. nov. nr. nto. nyno. "
        "o.a. o.l. off. ofl. okt. on. op. org. osv. ovf. p.a. p.g.a. p.m. p.t. pga. ph.d. pkt. pr. pst. pt. "
        "red.anm. ref. res. res.kap. resp. rv. s.d. s.k. s.u. s.å. sen. sep. siviling. sms. snr. spm. sr. sst. st. "
        "st.meld. st.prp. stip. stk. stud. sv. såk. sø. t.h. t.o.m. t.v. temp. ti. tils. tilsv. tlf. to. ult. utg. "
        "vedk. vedr. vg. vgs. vha. vit.ass. vn. vol. vs. vsa. årg. årh. "
    ),
    "sv": (
        "Ang. Anm. Apr. Aug. Bl.a. D.v.s. Dec. Doc. Dr. Dvs. E.d. E.kr. El. Eng. Etc. Ev. Exkl. F. F.d. F.kr. F.n. "
        "F.ö. Feb. Febr. Fid. Fig. Forts. Fr.o.m. Fre. Förf. H.K.H. H.M. Inkl. Iofs. Jan. Jun. Jur. Kap. Kl. Kor. "
        "Kr. Kungl. Lat. Lör. M.a.o. M.fl. M.m. Max. Milj. Min. Mos. Mt. Mvh. Mån. Nov. O.d. O.s.v. Obs. Okt. Ons. "
        "Osv. P.g.a. Ph.d. Proc. Prof. Ref. Resp. S.a.s. S.k. S.t. Sep. Sept. Sid. T.ex. T.h. T.o.m. T.v. Tel. "
        "Tis. Tors. Ung. V. Vol. ang. anm. apr. aug. bl.a. d.v.s. dec. doc. dvs. e.d. e.kr. el. eng. etc. ev. "
        "exkl. f.d. f.kr. f.n. f.ö. feb. febr. fid. fig. forts. fr.o.m. fre. förf. inkl. iofs. jan. jun. jur. kap. "
        "kl. kor. kr. kungl. lat. lör. m.a.o. m.fl. m.m. max. milj. min. mos. mt. mvh. mån. nov. o.d. o.s.v. obs. "
        "okt. ons. osv. p.g.a. proc. prof. ref. resp. s.a.s. s.k. s.t. sep. sept. sid. t.ex. t.h. t.o.m. t.v. tel. "
        "tis. tors. ung. vol. Äv. Övers. äv. övers. "
    ),
    "fi": (
        "Mm. aik. alk. alv. ao. ark. as. eaa. ed. em. esim. huom. jne. joht. ko. ks. lk. lkm. lyh. läh. miel. "
        "milj. ml. mm. myöh. nimim. ns. nyk. oik. os. par. per. pj. po. prof. puh. puh.joht. pvm. rak. ry. siht. "
        "so. srk. synt. tark. til. tms. toim. ts. vas. vast. vm. vrt. yht. yl. yliopp. ym. yms. yo. "
    ),
    "da": (
        "a.d. a/s adj. adr. afd. alm. apr. aug. bd. beg. bl. bl.a. br. ca. chr. d.d. d.v.s. d.å. dec. dir. div. "
        "dkr. dr. ds. dvs. e.l. eks. ekskl. eng. etc. evt. f.eks. f.m. f.o.m. f.t. feb. febr. ff. fg. fhv. fig. "
        "fl. flg. forts. fr. fre. frk. g.m. gl. gr. h.c. hhv. hr. i.e. id. if. iflg. ifm. ift. ill. inc. inkl. "
        "jan. jf. jfr. jr. jun. kap. kbh. kgl. kl. km/t komm. kr. kst. kv. kvm. lb.nr. lør. m.a.o. m.fl. m.h.t. "
        "m.m. m.v. m/s maks. man. mar. mdr. mht. mia. mill. mio. mr. nl. nov. nr. o.a. o.fl. o.l. obs. og/eller "
        "okt. omkr. ons. opr. osv. p.a. p.m. p.t. pct. pga. ph.d. pkt. pp. pr. prof. pt. red. ref. s.u. s.å. "
        "sa. sek. sep. sept. skt. sml. spec. st. stk. str. t.h. t.o.m. t.v. tidl. tilsv. tirs. tlf. tor. tors. "
        "tsk. vedr. vha. vs. årg. årh. øvr. "
    ),
    "ro": (
        "a.c. a.f. a.m. a.r. al. alin. art. aug. bd. d-l d-lui d-nei d-voastra d-voastră d.p.d.v. dem. dr. dvs. "
        "etc. ex. fig. fr. gh. gr. ian. ing. ingr. lit. lt. nr. obs. p.a. p.m. pct. prep. prof. rom. s.a. "
        "s.a.m.d. samd. sf. st. str. tel. univ. îngr. ş.a. ş.a.m.d. şamd. şt. ș.a. ș.a.m.d. șamd. șt. "
    ),
    "ru": (
        "авг. акад. апр. б/у в.н.с. вс. вт. г-жа г-н г. г.г. гг. д-р д. д.м.н. д.т.н. д.ф.н. дек. дир. долл. "
        "доц. з/у зав.кафедрой зд. и.о. им. июл. июн. к. к.м.н. к.т.н. кв. кв.м. ком. мар. мкр. наб. нояб. обл. "
        "окт. п. п.г.т. пгт. пер. пл. пн. пос. пр-кт прим. проф. пт. р-н респ. руб. с. с/с сб. сент. см. сокр. "
        "ср. ст. стр. т.г. т.д. т.е. т.к. т.н. т.п. тер. тыс. у. ул. фев. февр. х. чел. чт. ш. ю. янв. "
    ),
    "uk": (
        "акад. бул. в/м в/ч вул. г. доц. ж/м м. майд. мкр. наб. обл. оз. п. пл. пр-кт пров. просп. проф. р-н "
        "р-н. ст. ім. "
    ),
    "bg": (
        "ав. авт. агр. адм. акад. ал. ан. англ. араб. арт. арх. археол. астр. афр. бл. бр. букв. бул. в-у в. "
        "вм. воен. вр. г-жа г-н г-ца г. геод. геол. геом. гимн. гл. гр. грам. д-р др. ез. ел. ж.р. жп. жур. "
        "журн. застр. зем. знач. изр. изт. икон. инж. канц. конкр. л. лат. лв. лит. м-у м.р. м/у мат. мед. "
        "мин.вр. мн.ч. муз. напр. нар. науч. непр. о-в обик. опред. особ. ост. относ. отр. п-в пад. парл. печ. "
        "пл. погов. пол. пон. пр. правосл. прибл. прил. проф. псих. рим. с-у с. с.р. с.ст. с/у св. сег. сз. "
        "соц. сп. срв. старогр. староевр. стат. стил. стр. счет. съкр. съобщ. същ. т.е. т.н. т.нар. текст. тел. "
        "телев. топогр. търг. търж. ул. унив. уч. фарм. фехт. физ. физиол. фил. фин. фолкл. фон. фот. фр. футб. "
        "харт. хидр. хим. хир. хол. хран. църк. ч. числ. чл. шах. шахм. швед. шотл. юр. яп. "
    ),
    "el": (
        "άγ. άρθρ. άσ' έφθασ' αι. αλλ' αν. απ. αρ. αριθ. αριθμ. αφ' β' βλ. γ.γ. γεν. γι' γραμμ. δ.δ. δ.σ. δεσ' "
        "δηλ. δι' δισ. δολ. δρχ. δώσ' εκ. εκατ. ελ. εξ' επ' εφ' θ' θιν' κ. κ.ά. κ.α. κ.κ. κ.λπ. κ.ο.κ. κ.τ.λ. "
        "καθ' κατ' κλπ. κτλ. κυβ. λ.χ. μ' μ. μ.Χ. μ.μ. μέσ' μεσ' μηδ' μιλ. ν' ντ' ολ' π.Χ. π.β. π.δ. π.μ. π.χ. "
        "πάρ' παρ' σ' σ. σ.α.λ. σ.σ. σελ. στρ. τ' τ.μ. τίποτ' τετ. τετρ. τηλ. τρισ. τόν. υπ' υπ. φέρ' φερ' χ.μ. "
        "χγρ. χιλ. χλμ. όμουρφ' ύστερ' "
    ),
    "hu": (
        "adm. ang. aug. br. bt. ca. cca. co. csüt. dec. dl. dr. du. ea. ed. etc. ev. ezr. eü. fam. febr. ff. "
        "ford. ft. főv. gr. gy. hiv. ho. hr. htb. i.e. i.sz. id. ifj. ig. ill. int. io. ism. izr. jan. jr. jún. "
        "júl. kat. kb. ker. kft. kp. krt. kt. köv. közp. lat. ld. lt. max. min. márc. máj. mr. ms. nagyker. no. "
        "nov. nr. ny. nyrt. okl. okt. old. ov. pf. pl. pol. pp. prof. rt. röv. sa. st. stb. sz. szept. szerk. "
        "szla. szt. szül. tc. tel. ti. tkp. ua. ui. uo. vas. vb. vm. vol. vs. zrt. ált. ápr. é. évf. ó. össz. "
        "özv. ú.n. ún. út. üdv. őrv. "
    ),
    "ar": (".ت .م .هـ أ. أ.د ب. ت. د. ص.ب ق.م "),
}
_LONGEST_EXCEPTION = max(map(len, [*_EXCEPTIONS, *" ".join(_ABBREVIATIONS.values()).split()]))
# Languages of spaCy, by lid.176's codes. A hyphen parts whatever it stands in; parts nothing; in all others letters.
_HYPHENS_PART, _HYPHENS_JOIN = frozenset(("en", "pl", "id")), frozenset("de es pt nl sv da no fi hu ro el".split())
_HYPHENS = frozenset("-–—~")
_WHOLE = {":": frozenset(("sv", "fi")), "/": frozenset(("nl", "hu", "ro"))}  # marks that part nothing there
_ORDINALS, _SHORT_ORDINALS = frozenset(("de", "no", "hu", "fa")), frozenset(("da", "el"))  # "2." and "04.01."; "2."
_MARKS_INSIDE = frozenset("de da no sv fi nl pl hu".split())  # "!", "?", quotes and brackets part letters
_PREFIXES = {
    "ro": "(?i:a|c|ce|cu|de?|dintr|e|făr|i|le?|mi?|ne?|pe?|prim|printr|se?|te|v|într|intr|ș|ş|[șşs]i|[țţt]i)-",
    "it": "'[0-9][0-9]|[0-9]+°",
    "pl": "(?:długo|krótko|jedno|dwu|trzy|cztero)-",
}
_SUFFIXES = {
    "de": "/",
    "fr": r"(?<=[^\W\d_])[-–—‐‑](?:ce|clés|elle|en|ils?|je|là|moi|nous|on|t|vous"
    "|CE|ELLE|EN|ILS?|JE|LÀ|MOI|NOUS|ON|T|VOUS)",
    "id": "-[Nn]ya|-[KkMm]u|[—-]",
    "hu": r"(?<=[^\W\d_])-e",
    "ro": "(?i:-(?:a|aceasta|ai|ale?|alta|am|ar|astea|au|a[șşs]|a[țţt]i|i|ilor|l|le|lea|mea|meu|mi|m[ăa]|n|ne|oi?|or"
    "|s|se|si|te|ului|ul|un|uri|urile|urilor|ve[țţt]i|v[ăa]|[șş]i|[țţt]i))",
}
_WORDS = {  # with hyphens, and one token
    "fr": "(?:a[ée]ro|anglo|anti|apr[èe]s|archi|arrières?|audio|auto|avant|bien|bio?|co|contre|courte?s?|cyber|demi"
    "|entre|ex|extra|faux|franco|grande?|gros|g[ée]o|haute?s?|hors|hyper|infra|inter|intra|m[ai]cro|mi(?:ni)?|mono|mont?s?"
    "|moyen|multi|m[ée]ta|mots?|neuro|non|nord|n[ée]o|ouest|outre|petite?s?|po[rs]t|porte|pro|pré|pseudo|quasi|quatre"
    "|radio|r[ée]|sans?|sa?inte?s?|semi|socio|sociale?s?|sous|su[bdr]|super|thermo|tiers|toute?s?|trans|tri|trois"
    "|t[ée]l[ée]|ultra|vi[cd]e|vid[ée]o|vingt|à|[ée]co|[ée]lectro)[-–—‐‑][a-zà-ÿœ][-'’‐‑–—a-zà-ÿœ]*"
    r"|[^\W\d_]+[-‐‑](?:à|au|aux|d'|de|des|du|en|et|l[ae]s?|près|sous|sur)[-‐‑](?:l['’])?[^\W\d_]+",
}
_ANY_CASE = frozenset(("da", "ro"))  # whose abbreviations may begin with a capital, or be of capitals
_GENITIVE = frozenset("en pt it id cs ru uk bg".split())  # an "'s" at the end is a token
_NO_SUFFIX = {"es": "%", "ro": "%", "nl": "%", "hu": "%", "el": "%"}  # nor is this; in ro no unit is
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
    words = _ABBREVIATIONS.get(language, "").split()
    if language in _ANY_CASE:
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
    if language in _MARKS_INSIDE:
        infix += rf"{'|' if infix else ''}(?<={alpha})[!?{quotes}()\[\]](?={alpha})"
    prefix, suffix, whole = (table.get(language, "") for table in (_PREFIXES, _SUFFIXES, _WORDS))
    return _Own(
        re.compile(f"{prefix}|{common.prefix.pattern}") if prefix else common.prefix,
        re.compile(f"{common.infix.pattern}|{infix}") if infix else common.infix,
        re.compile(rf"(?:{suffix})$") if suffix else None,
        re.compile(whole) if whole else None,
    )


def _suffix(chunk: str, prefix: int, language: str) -> int:
    """How many characters are taken off at a chunk's end, where so many are at its beginning."""
    if language in _ORDINALS and chunk[-1] == "." and chunk[-2:-1].isdigit():
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
        none = language not in _GENITIVE
    else:
        none = said in _NO_SUFFIX.get(language, "") or (said.isalpha() and language == "ro")
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
    if chunk.isalpha() or len(chunk) > _LONGEST or (language in _SHORT_ORDINALS and _is_day(chunk)):
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
    if mark not in _HYPHENS:
        return language in _WHOLE.get(mark, ())
    before, after = chunk[: found.start()], chunk[found.end() :]
    if language == "id" and before.lower() == after.lower():  # hari-hari: many days
        return True
    if language == "it" and after[:1].isupper():
        return True
    digits = before[-1:].isdigit(), after[:1].isdigit()
    if all(digits):
        return language in _HYPHENS_JOIN and language != "de"
    return language in _HYPHENS_JOIN or (digits[0] and language not in _HYPHENS_PART)


def _is_address(chunk: str) -> bool:
    return "." in chunk and _patterns().address.fullmatch(chunk) is not None


@lru_cache(_KNOWN_CHUNKS)
def _is_punctuation(token: str) -> bool:
    return all(unicodedata.category(character)[0] == "P" for character in token)
