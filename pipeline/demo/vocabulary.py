"""The word lists behind the demo's texts: topics, sentence templates, common phrases and six other languages.

Data alone; `prose` fills the templates. A topic has agents (singular, who does), things (singular, to whom it is
done), verbs (regular, so that past tense and participle are one form), spots (where) and qualities.
"""

from __future__ import annotations


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.replace("\n", " ").split("/") if part.strip())


def _topic(agents: str, things: str, verbs: str, spots: str, qualities: str) -> dict[str, tuple[str, ...]]:
    return {
        "agent": _list(agents),
        "thing": _list(things),
        "verb": _list(verbs),
        "spot": _list(spots),
        "quality": _list(qualities),
    }


TOPICS: dict[str, dict[str, tuple[str, ...]]] = {
    "rivers": _topic(
        """the harbour master / a retired ferry captain / the river authority / the lock keeper / a crew of volunteers
        / the rowing club / a young hydrologist / the dredging company / the fish warden / a local boat builder""",
        """the old stone weir / a leaking barge / the upper lock gate / a wooden footbridge / the flood wall
        / the salmon ladder / a sunken dinghy / the tidal gauge / the mooring pontoon / an abandoned water mill
        / the towpath / the eastern sluice / a rusted anchor chain / the pilot boat""",
        "repaired / dredged / measured / inspected / lifted / drained / restored / painted / surveyed / moved "
        "/ secured / cleared",
        """below the second bend / beside the reed beds / at the mouth of the estuary / under the railway arches
        / along the northern bank / near the customs shed / in the shallow basin / above the rapids""",
        "muddy / navigable / swollen / sheltered / tidal / sluggish / stony / silted",
    ),
    "bread": _topic(
        """the village baker / a visiting pastry cook / the milling cooperative / the youngest apprentice
        / a food historian
        / the market inspector / a family of millers / the night shift / the tasting panel / a sourdough teacher""",
        """a tray of seeded rolls / the rye starter / the brick oven / a sack of spelt flour / the proving basket
        / a braided loaf / the dough mixer / a batch of oat biscuits / the cooling rack / the buttermilk bread
        / a tin of malt syrup / the kneading trough / an experimental crust / the plum tart""",
        "weighed / baked / kneaded / tasted / sliced / scored / heated / cooled / shaped / delivered / toasted "
        "/ labelled",
        """behind the counter / in the back kitchen / on the marble slab / at the Saturday market
        / beside the flour bins
        / in the wood store / near the delivery hatch / at the head of the queue""",
        "crusty / sour / golden / chewy / fragrant / dense / salted / airy",
    ),
    "railways": _topic(
        """the signal engineer / a heritage society / the night porter / the freight operator / a track inspector
        / the station manager / the regional timetable office / an amateur photographer / the workshop foreman
        / the first driver""",
        """the narrow gauge line / a diesel shunter / the waiting room clock / the turntable / a sleeping car
        / the level crossing / the goods shed / a semaphore signal / the viaduct / an unused siding
        / the ticket machine / a crew van / the platform roof / the tunnel lamp""",
        "reopened / replaced / electrified / photographed / welded / tested / delayed / extended / scrapped "
        "/ restored / photographed / oiled",
        """at the junction / outside the southern portal / between the two platforms / behind the engine shed
        / on the steep gradient / at the terminus / along the coastal section / near the water tower""",
        "punctual / single-track / noisy / listed / rusty / scenic / crowded / reliable",
    ),
    "gardens": _topic(
        """the head gardener / a seed collector / the allotment committee / a patient beekeeper / the botany class
        / the orchard owner / a plant breeder / the parks department / the greenhouse technician
        / a neighbour with a spade""",
        """the compost heap / a row of leeks / the walled orchard / a climbing rose / the rain barrel
        / the fig tree / a bed of lupins / the potting shed / an overgrown hedge / the herb spiral
        / a cold frame / the mulberry / the gravel path / a hive of dark bees""",
        "pruned / watered / planted / grafted / weeded / mulched / harvested / sketched / fenced / transplanted "
        "/ labelled / trimmed",
        """against the south wall / in the kitchen garden / under the pergola / beyond the rhubarb patch
        / beside the lily pond / at the end of the terrace / behind the glasshouse / along the clay border""",
        "shady / hardy / fruitful / thorny / early / neglected / fertile / fragrant",
    ),
    "astronomy": _topic(
        """the observatory director / a night assistant / the instrument team / a doctoral student / the survey group
        / an amateur comet hunter / the mirror laboratory / the planetarium guide / the radio astronomer
        / a visiting theorist""",
        """a faint comet / the ring nebula / the main mirror / a variable star / the spectrograph
        / the meteor camera / an eclipse plate / the dome motor / a double cluster / the guiding telescope
        / the star catalogue / a lunar crater / the infrared detector / the calibration lamp""",
        "observed / recorded / calibrated / tracked / imaged / aligned / catalogued / predicted / cooled "
        "/ compared / polished / confirmed",
        """on the mountain ridge / in the control room / low in the western sky / near the constellation of the swan
        / under a moonless sky / inside the smaller dome / at the southern station / beyond the outer planets""",
        "faint / distant / reddish / periodic / luminous / doubtful / compact / eccentric",
    ),
    "schools": _topic(
        """the headteacher / a maths teacher / the parents' council / the school caretaker / the debating club
        / a substitute librarian / the drama group / the exam board / an enthusiastic trainee / the canteen cook""",
        """the chemistry cupboard / a reading corner / the winter timetable / a model volcano / the assembly hall
        / the bicycle shed / an essay contest / the music room / a geography field trip / the homework club
        / a broken projector / the sports hall floor / the year book / a spelling prize""",
        "organised / rewarded / cancelled / painted / marked / explained / borrowed / rehearsed / donated "
        "/ improved / counted / launched",
        """in the new wing / across the playground / during the long break / at the parents' evening
        / next to the staff room / in the smallest classroom / behind the stage curtain / on the notice board""",
        "lively / patient / bilingual / strict / curious / modest / optional / noisy",
    ),
    "theatre": _topic(
        """the stage manager / a travelling puppeteer / the lighting designer / the city orchestra / an understudy
        / the costume department / the festival jury / a playwright in residence / the choir leader
        / the box office""",
        """a one-act comedy / the velvet curtain / the prompter's desk / a carved mask / the orchestra pit
        / the second violin part / an open-air matinee / the trapdoor / a painted backdrop / the farewell scene
        / a borrowed harpsichord / the autumn programme / the smallest puppet / the opening chorus""",
        "rehearsed / staged / rewritten in part and praised / applauded / translated / performed / recorded "
        "/ directed / adapted / tuned / dyed / restored",
        """in the upper gallery / behind the safety curtain / at the summer festival / on the floating stage
        / in the rehearsal studio / below the chandelier / during the interval / at the artists' entrance""",
        "witty / gloomy / tender / baroque / improvised / sold-out / rousing / daring",
    ),
    "software": _topic(
        """the release manager / a junior developer / the database team / the security auditor / a patient maintainer
        / the support desk / the storage group / an independent tester / the documentation editor
        / the hardware partner""",
        """the request queue / a failing unit test / the backup script / the colour picker / a memory leak
        / the search index / the configuration parser / a stale cache / the login form / the export wizard
        / a nightly build / the message broker / the plugin loader / an undocumented flag""",
        "patched / profiled / rewired / reviewed / disabled / benchmarked / migrated / documented / logged "
        "/ encrypted / refactored / traced",
        """in the staging cluster / on the main branch / behind the load balancer / in the second sprint
        / inside the container image / on an old laptop / at the code review / during the release freeze""",
        "deterministic / brittle / idempotent / verbose / portable / obsolete / asynchronous / tiny",
    ),
    "mountains": _topic(
        """the mountain guide / a rescue volunteer / the hut warden / the avalanche service / a botanist on skis
        / the alpine club / an experienced climber / the cable car operator / the map maker / a shepherd""",
        """the northern ridge / a snow bridge / the summit cross / the glacier tongue / a fixed rope
        / the winter hut / the scree slope / a wooden signpost / the old mule track / the weather mast
        / a frozen waterfall / the hanging valley / the supply sledge / a narrow ledge""",
        "climbed / mapped / crossed / marked / secured / photographed / avoided / measured / reached / described "
        "/ patrolled / closed",
        """above the tree line / at three thousand metres / on the shaded side / below the saddle
        / near the frontier stone / in the upper cirque / along the moraine / beside the glacial lake""",
        "steep / icy / exposed / remote / windswept / gentle / loose / snowbound",
    ),
    "crafts": _topic(
        """the master potter / a young weaver / the joiner from the corner shop / the guild
        / a self-taught glassblower
        / the basket maker / the repair café / an elderly bookbinder / the tool collector / the evening class""",
        """a walnut cabinet / the treadle loom / a salt-glazed jug / the dovetail joint / a linen tablecloth
        / the copper kettle / a leather satchel / the spinning wheel / an inlaid box / the willow basket
        / a broken rocking chair / the printing press / the enamel bowl / a set of chisels""",
        "carved / glazed / polished / stitched / mended / sanded / soldered / sharpened / varnished / signed "
        "/ traded / dyed",
        """in the cellar workshop / beside the kiln / on the long bench / at the winter fair
        / under a north-facing window
        / in the drying loft / behind the forge / on the topmost shelf""",
        "sturdy / delicate / handmade / uneven / glossy / antique / plain / lightweight",
    ),
    "birds": _topic(
        """the ringing station / a bird warden / the nature trust / the school bird club / an island ornithologist
        / the sound archive / the wetland ranger / a wildlife painter / the census team / the lighthouse keeper""",
        """a flock of lapwings / the heron colony / a barn owl box / the reed warbler / a wounded gull
        / the nesting raft / a pair of ravens / the migration diary / an unusual plover / the swallow roost
        / the hide roof / a clutch of eggs / the dawn chorus / the kingfisher bank""",
        "counted / ringed / watched / sketched / protected / recorded / rescued / released / tracked / described "
        "/ disturbed / welcomed",
        """on the salt marsh / at the gravel pit / in the beech wood / over the sandbank
        / along the sea wall / beside the sewage lagoon / in the churchyard / on the offshore stack""",
        "shy / migratory / vocal / striped / rare / territorial / nocturnal / restless",
    ),
    "housing": _topic(
        """the tenants' union / a structural engineer / the city planner / the housing cooperative
        / the heating contractor
        / an architect couple / the roofing firm / a surveyor / the fire inspector / the neighbourhood office""",
        """a row of brick terraces / the stairwell lift / a flat on the third floor / the shared laundry
        / the boiler room
        / an empty warehouse / the roof terrace / a timber extension / the insulation panel / the courtyard gate
        / a listed facade / the bicycle ramp / the rental contract / the letterbox wall""",
        "renovated / insulated / rented / inspected / demolished / converted / furnished / priced / plastered "
        "/ approved / rewired / valued",
        """in the harbour quarter / behind the tram depot / on the ring road / opposite the bathhouse
        / in the attic storey / along the canal street / at the edge of the estate / near the gasworks""",
        "affordable / draughty / spacious / damp / central / unfinished / modern / quiet",
    ),
}

COMMON: dict[str, tuple[str, ...]] = {
    "when": _list(
        """last Tuesday / in the early morning / at the end of the winter / on {day} / in the spring of {year}
        / two weeks ago
        / before anyone had noticed / during the holidays / late in the evening / after a long debate
        / for the third time
        / on the first dry day / without much notice / shortly before noon / in a single afternoon / at the weekend
        / since the beginning of {month} / on a foggy night / over the course of {few} days
        / by the middle of {month}"""
    ),
    "month": _list("January/February/March/April/May/June/July/August/September/October/November/December"),
    "reason": _list(
        """because the weather had turned / although few people had asked for it / so that visitors could see it again
        / because the money had finally arrived / even though {name} was against it / while the rest of {place} slept
        / since nobody else would do it / as the rules of {year} require / in spite of the cost / with help from {org}
        / after {name} wrote a long letter / to the surprise of {agent} / as long as the light lasted
        / until the last of the paint ran out / whether or not {org} agreed / once the forms were signed"""
    ),
    "opinion": _list(
        """the best thing to happen in {place} for years / a mistake that will take {few} years to mend
        / far too expensive
        / less {quality} than it looks / a reason to stay / nothing to be proud of / older than the town itself
        / what {place} was missing / simply a matter of patience / the work of {agent} and nobody else
        / more useful than {thing} ever was / worth every hour / something that children should see"""
    ),
    "unit": _list("days/weeks/months/afternoons/attempts/meetings/hours/evenings/visits/letters"),
    "link": _list(
        """even so / in the end / by contrast / what is more / for that reason / strangely enough / on the other hand
        / as a result / to be fair / in other words / most of all / until recently / at first / all the same"""
    ),
    "manner": _list(
        """carefully / almost by accident / in silence / with great patience / twice / rather slowly / in a hurry
        / by hand
        / at a loss / without complaint / thoroughly / as an experiment / with borrowed tools / properly at last"""
    ),
    "adjective": _list(
        """cautious / cheerful / puzzled / proud / tired / hopeful / doubtful / grateful / relieved / stubborn
        / impatient
        / content / sceptical / amused / determined / generous"""
    ),
    "cost": _list("crowns/guilders/pounds/marks/dollars/florins"),
    "role": _list(
        """a retired nurse / the deputy mayor / a student of law / the youngest member / a part-time carpenter
        / the treasurer
        / a former sailor / one of the founders / the neighbour across the street / a translator
        / the new chairwoman"""
    ),
}

MONTHS = COMMON["month"]
NUMBERS = _list(
    "two/three/four/five/six/seven/eight/nine/ten/eleven/twelve/fifteen/eighteen/twenty/thirty/forty/fifty/sixty/ninety"
)
PLACES = _list(
    """Alderbrook/Birchwick/Carrowmoor/Dunsley/Eastmere/Farrowby/Glenhaven/Hollowell/Inverleigh/Juniper Bay
    /Kestrel Hill
    /Larkstead/Marrowdale/Northcote/Oakhampton/Pellworth/Quarrington/Ravensford/Saltmarsh/Thornbury/Underwood
    /Vale End/Westerham
    /Yarrow Bridge/Ashgrove/Brackenridge/Copperfield/Draymoor/Elmswick/Foxholm/Greywater/Heatherley/Ironbridge
    /Lindenau
    /Millbrook/Netherby/Orchardleigh/Pinewick/Rosehaven/Silverton/Tamworth/Upper Wick/Whitcombe/Amberley/Blackwater"""
)
COMMON["place"] = PLACES
FIRST = _list(
    """Ada/Bruno/Clara/Dmitri/Elena/Farid/Greta/Hassan/Ines/Jonas/Karin/Leo/Mara/Nikhil/Olga/Pavel/Quentin/Rosa
    /Samir/Tilda/Umar
    /Vera/Wanda/Xavier/Yusuf/Zoe/Amara/Bjorn/Chiara/Desmond/Esther/Felix/Gloria/Henrik/Ivy/Jamal/Kezia/Lorenz
    /Miriam/Noah"""
)
LAST = _list(
    """Abbot/Bergman/Castellan/Drummond/Eriksen/Faulkner/Gallagher/Haddad/Ivanov/Jansen/Kowalski/Lindqvist/Moreau
    /Nakamura/Okafor
    /Petrov/Quigley/Rahman/Sorensen/Tanaka/Ustinov/Valdez/Whitlock/Yilmaz/Zimmer/Ashdown/Brightwell/Carmody
    /Delacroix/Egerton
    /Fairchild/Goldsmith/Harrow/Ingram/Kettering/Lockhart/Mortimer/Norwood/Osborne/Pemberton"""
)
ORGANISATIONS = _list(
    """the {place} Gazette / the University of {place} / the {place} Trust / {place} town hall
    / the {place} Historical Society
    / the Institute of {place} / {place} Mutual / the Friends of {place} / the {place} Museum
    / the County of {place}"""
)

TITLES = _list(
    """How {agent} {verb} {thing} in {place} / {thing}: what {name} learned in {few} {unit}
    / Why {place} needs {thing}
    / {agent} and {thing}: a story from {place} / {num} {unit} with {agent} / {place} looks again at {thing}
    / A {quality} season for {place} / {name} on {thing} and {thing2} / What became of {thing} {spot}
    / {thing} {verb} {when}, says {org}"""
)

SENTENCES = _list(
    """{agent} {verb} {thing} {spot} {when}.
    / {thing} was {verb} by {agent} {when}, {reason}.
    / {name}, {role} from {place}, says that {thing} was {verb} {manner}.
    / “We never expected {thing} to be so {quality},” said {name} of {org}.
    / Nobody in {place} remembers when {thing} was last {verb}.
    / It took {few} {unit} before {agent} {verb} {thing} {manner}.
    / The {quality} part was not {thing} but {thing2}, which {agent} {verb} {spot}.
    / In {month}, {name} walked from {place} to {place2} and found {thing} {spot}.
    / For {num} years {agent} has looked after {thing}, and {name} calls it {opinion}.
    / If {thing} is not {verb} before {month}, {agent} will have to spend {num} {cost} more.
    / {link}, {agent} {verb} {thing} and left {thing2} as it was, {reason}.
    / A report by {org} describes {thing} as {quality} and {quality2}.
    / When {name} first saw {thing} {spot}, {agent} had already {verb} it.
    / Some say it is {opinion}; {name} is more {adjective}.
    / {thing} stands {spot}, and on {day} {agent} {verb} it {manner}.
    / {when}, {reason}, {thing} was {verb} again.
    / There are {num} photographs of {thing} in the archive of {org}, most of them from {year}.
    / {agent} was {adjective}, {name} was {adjective2}, and {thing} remained {spot}.
    / Between {place} and {place2} there is hardly {quality} ground, which is why {thing} was {verb} {manner}.
    / To understand {thing}, {name} says, one has to have {verb} {thing2} {few} times.
    / {org} paid {num} {cost} for {thing}, {reason}.
    / Children from {place} drew {thing} {when}, and {agent} chose the most {quality} picture.
    / {name} keeps a notebook in which {thing}, {thing2} and {thing3} are {verb} by date.
    / The letter of {day} mentions {thing} only once, {spot}.
    / {link}, what {agent} wanted was {opinion}.
    / According to {role}, {thing} has been {verb} {spot} since {year}.
    / {agent} {verb} {thing} first and asked {org} afterwards.
    / {thing} is {quality}, but {thing2} is {quality2}, and {place} has both.
    / Only {few} of {num} {unit} were needed, {reason}.
    / {name} and {name2} met {spot} {when} and talked about {thing} until dark.
    / Whoever visits {place} in {month} should ask for {thing}, which {agent} {verb} {when}.
    / {link}, {thing} will not be {verb} {when2}, as {name} had hoped.
    / By {year} {thing} had been {verb} {few} times, always by {agent}.
    / “It is {opinion},” {name} wrote to {org} {when}.
    / A map from {year} shows {thing} {spot}, though {agent} doubts it.
    / {role} remembers {thing} as {quality}, almost {quality2}, and always {spot}.
    / {agent} {verb} {thing} {manner}; {name} {verb2} the rest {when}.
    / Visitors pay {few} {cost} to see {thing}, and most of them find it {quality}.
    / The plan of {org} is to have {thing} {verb} by {day}, {reason}.
    / What {name} likes about {thing} is how {quality} it becomes {spot}.
    / {few} kilometres from {place}, {spot}, lies what {agent} calls {opinion}.
    / {thing2} had to wait while {agent} {verb} {thing} {spot}.
    / Neither {name} nor {name2} had ever {verb} {thing} {manner}.
    / After {num} {unit} {spot}, {agent} was {adjective} and {thing} was {verb}.
    / As {name} explains, {thing} works best when it is {quality} and has been {verb} {manner}.
    / {org} has announced that {agent} will receive {thing} {when}."""
)

EMOJI = tuple(
    chr(c) for c in (0x1F600, 0x1F602, 0x1F60D, 0x1F525, 0x1F4AF, 0x1F389, 0x1F680, 0x1F4A5, 0x1F911, 0x1F44D)
)
TAGS = _list("deal/win/hot/vip/now/best/sale/promo/bonus/cash/style/mood/daily/gram/live/drop")

LANGUAGES: dict[str, tuple[dict[str, tuple[str, ...]], tuple[str, ...]]] = {
    "de": (
        {
            "s": _list(
                "der Bürgermeister/eine Lehrerin aus dem Dorf/der Verein/die alte Gärtnerin/unser Nachbar"
                "/das kleine Museum"
                "/die Feuerwehr/ein junger Bäcker/die Zeitung"
            ),
            "v": _list(
                "hat {o} {z} gesehen/wollte {o} {z} verkaufen/konnte {o} {z} nicht finden/musste {o} {z} reparieren"
            ),
            "o": _list(
                "das rote Boot/die Brücke am Fluss/den neuen Bahnhof/eine alte Uhr/das Haus mit dem grünen Dach"
                "/den Garten hinter der Schule"
                "/die Bilder von der Reise/einen Korb voller Äpfel"
            ),
            "z": _list(
                "am Montag/im letzten Sommer/nach dem Regen/vor vielen Jahren/heute Morgen/in der Nacht/zum ersten Mal"
            ),
            "g": _list(
                "weil das Wetter schlecht war/obwohl niemand daran glaubte/damit die Kinder es sehen können"
                "/als die Glocken läuteten"
            ),
        },
        (
            "{s} {v}.",
            "{s} {v}, {g}.",
            "{z} war alles anders, {g}.",
            "Man sagt, dass es früher schöner war, und {s} {v}.",
        ),
    ),
    "fr": (
        {
            "s": _list(
                "le maire/une institutrice du village/le vieux jardinier/notre voisine/le petit musée"
                "/la boulangère du quartier"
                "/un jeune musicien/le journal local"
            ),
            "v": _list("a vu {o} {z}/voulait vendre {o} {z}/n'a pas trouvé {o} {z}/a réparé {o} {z}"),
            "o": _list(
                "le bateau rouge/le pont sur la rivière/la nouvelle gare/une vieille horloge/la maison au toit vert"
                "/le jardin derrière l'école"
                "/les photographies du voyage/un panier plein de pommes"
            ),
            "z": _list(
                "lundi dernier/pendant l'été/après la pluie/il y a longtemps/ce matin/au milieu de la nuit"
                "/pour la première fois"
            ),
            "g": _list(
                "parce que le temps était mauvais/bien que personne n'y ait cru"
                "/pour que les enfants puissent en profiter"
            ),
        },
        (
            "{s} {v}.",
            "{s} {v}, {g}.",
            "On dit que c'était plus beau autrefois, et {s} {v}.",
            "{z}, {s} est resté chez soi, {g}.",
        ),
    ),
    "es": (
        {
            "s": _list(
                "el alcalde/una maestra del pueblo/el viejo jardinero/nuestra vecina/el pequeño museo/la panadera"
                "/un joven músico"
            ),
            "v": _list("vio {o} {z}/quería vender {o} {z}/no encontró {o} {z}/arregló {o} {z}"),
            "o": _list(
                "el barco rojo/el puente sobre el río/la nueva estación/un reloj antiguo/la casa del tejado verde"
                "/el jardín de la escuela"
                "/las fotografías del viaje/una cesta llena de manzanas"
            ),
            "z": _list(
                "el lunes pasado/durante el verano/después de la lluvia/hace muchos años/esta mañana/por primera vez"
            ),
            "g": _list(
                "porque hacía mal tiempo/aunque nadie lo creía/para que los niños pudieran disfrutarlo"
                "/cuando sonaron las campanas"
            ),
        },
        (
            "{s} {v}.",
            "{s} {v}, {g}.",
            "Dicen que antes todo era más bonito, y {s} {v}.",
            "{z} llegaron los vecinos y {s} {v}.",
        ),
    ),
    "it": (
        {
            "s": _list(
                "il sindaco/una maestra del paese/il vecchio giardiniere/la nostra vicina/il piccolo museo"
                "/la fornaia/un giovane pittore"
            ),
            "v": _list("ha visto {o} {z}/voleva vendere {o} {z}/non ha trovato {o} {z}/ha riparato {o} {z}"),
            "o": _list(
                "la barca rossa/il ponte sul fiume/la nuova stazione/un orologio antico/la casa con il tetto verde"
                "/il giardino della scuola"
                "/le fotografie del viaggio/un cesto pieno di mele"
            ),
            "z": _list(
                "lunedì scorso/durante l'estate/dopo la pioggia/molti anni fa/questa mattina/per la prima volta"
            ),
            "g": _list("perché il tempo era brutto/anche se nessuno ci credeva/affinché i bambini potessero vederlo"),
        },
        (
            "{s} {v}.",
            "{s} {v}, {g}.",
            "Si dice che una volta fosse più bello, e {s} {v}.",
            "{z} sono arrivati tutti, {g}.",
        ),
    ),
    "ru": (
        {
            "s": _list(
                "мэр города/учительница из деревни/старый садовник/наша соседка/маленький музей/молодой музыкант"
                "/местная газета"
            ),
            "v": _list("нашёл {o} {z}/хочет продать {o} {z}/не может забыть {o} {z}/будет чинить {o} {z}"),
            "o": _list(
                "красную лодку/мост через реку/новый вокзал/старые часы/дом с зелёной крышей/сад за школой"
                "/корзину с яблоками"
            ),
            "z": _list("в понедельник/прошлым летом/после дождя/много лет назад/сегодня утром/в первый раз"),
            "g": _list(
                "потому что погода была плохая/хотя никто в это не верил/чтобы дети могли это увидеть"
                "/когда звонили колокола"
            ),
        },
        ("{s} {v}.", "{s} {v}, {g}.", "Говорят, что раньше было лучше, и {s} {v}.", "{z} всё было иначе, {g}."),
    ),
    "ja": (
        {
            "s": _list("市長は/村の先生は/年老いた庭師は/隣の人は/小さな博物館は/若い音楽家は/地元の新聞は"),
            "v": _list(
                "{z}{o}を見ました/{z}{o}を売りたいと言いました/{z}{o}を見つけられませんでした/{z}{o}を直しました"
            ),
            "o": _list("赤い船/川の橋/新しい駅/古い時計/緑の屋根の家/学校の裏の庭/旅行の写真/りんごの入ったかご"),
            "z": _list("月曜日に/去年の夏に/雨の後で/何年も前に/今朝/夜中に/初めて"),
            "g": _list("天気が悪かったので、/誰も信じていませんでしたが、/子どもたちのために、/鐘が鳴ったとき、"),
        },
        ("{s}{v}。", "{g}{s}{v}。", "昔のほうがきれいだったと言われています。", "{z}、{g}{s}とても喜びました。"),
    ),
}
