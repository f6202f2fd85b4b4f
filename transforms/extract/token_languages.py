"""What spaCy's tokenizers of other languages change of English's, where texts of the web show it: data of tokens.py."""

# Languages of spaCy, by lid.176's codes. A hyphen parts whatever it stands in; parts nothing; in all others letters.
HYPHENS_PART, HYPHENS_JOIN = frozenset(("en", "pl", "id")), frozenset("de es pt nl sv da no fi hu ro el".split())
HYPHENS = frozenset("-–—~")
WHOLE = {":": frozenset(("sv", "fi")), "/": frozenset(("nl", "hu", "ro"))}  # marks that part nothing there
ORDINALS, SHORT_ORDINALS = frozenset(("de", "no", "hu", "fa")), frozenset(("da", "el"))  # "2." and "04.01."; "2."
MARKS_INSIDE = frozenset("de da no sv fi nl pl hu".split())  # "!", "?", quotes and brackets part letters
PREFIXES = {
    "ro": "(?i:a|c|ce|cu|de?|dintr|e|făr|i|le?|mi?|ne?|pe?|prim|printr|se?|te|v|într|intr|ș|ş|[șşs]i|[țţt]i)-",
    "it": "'[0-9][0-9]|[0-9]+°",
    "pl": "(?:długo|krótko|jedno|dwu|trzy|cztero)-",
}
SUFFIXES = {
    "de": "/",
    "fr": r"(?<=[^\W\d_])[-–—‐‑](?:ce|clés|elle|en|ils?|je|là|moi|nous|on|t|vous"
    "|CE|ELLE|EN|ILS?|JE|LÀ|MOI|NOUS|ON|T|VOUS)",
    "id": "-[Nn]ya|-[KkMm]u|[—-]",
    "hu": r"(?<=[^\W\d_])-e",
    "ro": "(?i:-(?:a|aceasta|ai|ale?|alta|am|ar|astea|au|a[șşs]|a[țţt]i|i|ilor|l|le|lea|mea|meu|mi|m[ăa]|n|ne|oi?|or"
    "|s|se|si|te|ului|ul|un|uri|urile|urilor|ve[țţt]i|v[ăa]|[șş]i|[țţt]i))",
}
WORDS = {  # with hyphens, and one token
    "fr": "(?:a[ée]ro|anglo|anti|apr[èe]s|archi|arrières?|audio|auto|avant|bien|bio?|co|contre|courte?s?|cyber|demi"
    "|entre|ex|extra|faux|franco|grande?|gros|g[ée]o|haute?s?|hors|hyper|infra|inter|intra|m[ai]cro|mi(?:ni)?|mono|mont?s?"
    "|moyen|multi|m[ée]ta|mots?|neuro|non|nord|n[ée]o|ouest|outre|petite?s?|po[rs]t|porte|pro|pré|pseudo|quasi|quatre"
    "|radio|r[ée]|sans?|sa?inte?s?|semi|socio|sociale?s?|sous|su[bdr]|super|thermo|tiers|toute?s?|trans|tri|trois"
    "|t[ée]l[ée]|ultra|vi[cd]e|vid[ée]o|vingt|à|[ée]co|[ée]lectro)[-–—‐‑][a-zà-ÿœ][-'’‐‑–—a-zà-ÿœ]*"
    r"|[^\W\d_]+[-‐‑](?:à|au|aux|d'|de|des|du|en|et|l[ae]s?|près|sous|sur)[-‐‑](?:l['’])?[^\W\d_]+",
}
ANY_CASE = frozenset(("da", "ro"))  # whose abbreviations may begin with a capital, or be of capitals
GENITIVE = frozenset("en pt it id cs ru uk bg".split())  # an "'s" at the end is a token
NO_SUFFIX = {"es": "%", "ro": "%", "nl": "%", "hu": "%", "el": "%"}  # nor is this; in ro no unit is

# One token each, of spaCy's tables of exceptions.
ABBREVIATIONS = {
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
