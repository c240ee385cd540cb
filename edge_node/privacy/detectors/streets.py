"""What streets are called, in the languages in which people write addresses."""

SURE = (
    "street|str|st|avenue|ave|av|road|rd|boulevard|blvd|lane|ln|parkway|pkwy|crescent|cres|terrace|mews|close|drive"
    "|dr|court|ct|highway|hwy"
)
"""Of an English street, whatever else the text is."""
UNSURE = (
    "way|place|pl|square|sq|circle|cir|grove|gardens?|gdns|row|walk|trail|trl|alley|aly|loop|plaza|plz|quay|wharf"
    "|pike|turnpike|route|rte|crossing|ridge|views?|heights|hts|points?|meadows?|hills?|green|parks?|parade|esplanade"
    "|vista|run|bend|glens?|bridge|brooks?|bypass|camp|canyon|cape|causeway|centers?|cliffs?|club|common|corners?"
    "|course|courts|coves?|creek|crest|curve|dale|dam|divide|drives|estates?|expressway|extensions?|falls?|ferry"
    "|fields?|flats?|fords?|forest|forges?|forks?|fort|freeway|gateway|greens|groves|harbors?|haven|hollow|inlet"
    "|islands?|isle|junctions?|keys?|knolls?|lakes?|land|landing|lights?|loaf|locks?|lodge|mall|manors?|mills?"
    "|mission|motorway|mountains?|neck|orchard|oval|overpass|pass|passage|path|pines?|plains?|ports?|prairie|radial"
    "|ramp|ranch|rapids?|rest|river|roads|rue|shoals?|shores?|skyway|springs?|spurs?|squares|station|stravenue|stream"
    "|streets|summit|throughway|trace|track|trafficway|tunnel|underpass|unions?|valleys?|via|viaduct|villages?|ville"
    "|wall|walks|ways|wells?|chase|dene"
)
"""Of an English street where its name is written in capitals."""
SMALL = (
    "a|an|the|this|that|my|your|our|their|his|her|its|in|on|at|to|of|for|from|by|with|and|or|down|up|off|per|is|are"
    "|was|be|it|we|you|i|they|minutes?|mins?|miles?|hours?|days?|weeks?|months?|years?|dollars?|euros?|items?|people"
    "|times?|more|different|next|same|which|what|where|no|any|new|each|every|am|pm|kms?|kilometers?|meters?|feet"
    "|percent|cars?|blocks?|bucks|degrees?|stars?|inch|inches|second|can|do|does|did|will|have|has|had"
)
"""Words that stand in no street's name."""
GLUED = tuple(
    "straße strasse str. str weg platz allee gasse ring damm ufer steig chaussee brücke graben hof straat laan plein"
    " gracht kade dreef singel dijk steenweg baan steeg pad boulevard gatan gata vägen väg stigen gränd torget vej"
    " gade allé stræde torv vænget veien vegen gaten vei svingen bakken haugen katu tie kuja polku rinne tänav"
    " maantee iela gatvė ulica ulice utca u. tér út útja körút köz sokak sokağı sk. caddesi cad. bulvarı ulice"
    " náměstí".split()
)
"""How a street's name ends, as a part of it or a word of its own, where the number comes last."""
TYPES_FIRST = frozenset(
    "rue avenue av av. boulevard bd place chemin impasse allée quai route cours via viale v.le piazza piazzale corso"
    " largo vicolo strada calle c/ cl avenida avda avda. plaza paseo camino carrer carretera ronda rambla rua"
    " travessa praça alameda estrada rodovia calzada colonia cerrada andador ul ul. al. aleja os. pl. ulica str."
    " bulevardul calea aleea jalan jl. ул ул. улица вулиця вул вул. проспект пр-т пр. пер. переулок провулок бульвар"
    " шоссе набережная наб. площадь пл. λεωφ. οδός οδ. am straße rruga acceso callejón callejon pasaje pasadizo"
    " glorieta cuesta urbanización travesía contrada borgo lungomare rotonda incrocio canale бул. ш. алл. туп."
    " вул".split()
)
"""What a street is, said before its name, where the number comes last."""
IN_NAMES = frozenset(
    "de del della dello dei di da do dos das la las los el le les du des der den dem y e i im an auf in unter"
    " zum zur".split()
)
"""Small words inside a street's name."""
