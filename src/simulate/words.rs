//! Readable names for any number of clusters: a subject, an angle on it, and a format, such as
//! `jazz piano, improvisation, live sessions`.

/// Subjects of one field, and what people look for in them.
struct Field {
    subjects: [&'static str; SUBJECTS],
    angles: [&'static str; ANGLES],
}

const SUBJECTS: usize = 12;
const ANGLES: usize = 10;

/// More clusters than this cannot be told apart.
pub(super) const MAX_CLUSTERS: u32 = (FIELDS.len() * SUBJECTS * ANGLES * FORMATS.len()) as u32;

/// The keywords of the cluster at `index` (below [`MAX_CLUSTERS`]), unique among all indices.
///
/// Neighbours differ in field, and the first `FIELDS * SUBJECTS` clusters all differ in subject.
pub(super) fn keywords(index: u32) -> String {
    let (field, angle, format) = parts(index);
    format!("{}, {angle}, {format}", subject_of(field, index))
}

/// The first keyword of the cluster at `index`: what its items are called after.
pub(super) fn subject(index: u32) -> &'static str {
    subject_of(parts(index).0, index)
}

fn subject_of(field: &Field, index: u32) -> &'static str {
    field.subjects[index as usize / FIELDS.len() % SUBJECTS]
}

/// Shifting by the subject keeps early clusters from sharing one angle and one format; for a fixed subject each
/// variant still has its own pair of them.
fn parts(index: u32) -> (&'static Field, &'static str, &'static str) {
    let index = index as usize;
    let field = &FIELDS[index % FIELDS.len()];
    let place = index % (FIELDS.len() * SUBJECTS);
    let variant = index / (FIELDS.len() * SUBJECTS);
    let angle = field.angles[(variant + place) % ANGLES];
    let format = FORMATS[(variant / ANGLES + variant + place * 5) % FORMATS.len()];
    (field, angle, format)
}

const FORMATS: [&str; 13] = [
    "live sessions",
    "for beginners",
    "documentaries",
    "step by step",
    "interviews",
    "challenges",
    "reviews",
    "behind the scenes",
    "short clips",
    "deep dives",
    "comparisons",
    "daily vlogs",
    "best moments",
];

#[rustfmt::skip] // One word a line would bury the rest.
const FIELDS: [Field; 16] = [
    Field {
        subjects: [
            "jazz piano", "acoustic guitar", "techno", "opera", "hip hop", "string quartets", "synthesizers",
            "choral singing", "drumming", "folk music", "film scores", "bass guitar",
        ],
        angles: [
            "improvisation", "practice routines", "cover versions", "music theory", "home recording", "songwriting",
            "festivals", "vintage gear", "ear training", "mixing",
        ],
    },
    Field {
        subjects: [
            "sourdough bread", "ramen", "barbecue", "vegan cooking", "espresso", "pastry", "street food",
            "fermentation", "wine tasting", "curry", "chocolate", "fresh pasta",
        ],
        angles: [
            "recipes", "knife skills", "regional styles", "on a budget", "kitchen tools", "flavour pairing",
            "meal prep", "restaurant visits", "seasonal ingredients", "plating",
        ],
    },
    Field {
        subjects: [
            "football", "tennis", "road cycling", "bouldering", "swimming", "basketball", "marathon running",
            "surfing", "table tennis", "figure skating", "boxing", "cross-country skiing",
        ],
        angles: [
            "technique", "training plans", "tactics", "injury recovery", "equipment", "championships", "nutrition",
            "youth coaching", "mental strength", "famous rivalries",
        ],
    },
    Field {
        subjects: [
            "astronomy", "marine biology", "quantum physics", "volcanoes", "dinosaurs", "neuroscience", "chemistry",
            "meteorology", "genetics", "number theory", "botany", "archaeology",
        ],
        angles: [
            "experiments", "open questions", "field work", "great discoveries", "instruments", "common myths",
            "visual explanations", "famous papers", "history of ideas", "citizen science",
        ],
    },
    Field {
        subjects: [
            "electric cars", "smartphones", "robotics", "home servers", "3d printing", "drones",
            "mechanical keyboards", "virtual reality", "retro computers", "machine learning", "cameras",
            "smart homes",
        ],
        angles: [
            "repairs", "benchmarks", "product launches", "privacy", "custom builds", "firmware", "accessories",
            "teardowns", "buying advice", "automation",
        ],
    },
    Field {
        subjects: [
            "strategy games", "chess", "racing simulators", "role-playing games", "platformers", "board games",
            "speedrunning", "puzzle games", "card games", "sandbox games", "fighting games", "horror games",
        ],
        angles: [
            "openings", "walkthroughs", "tournaments", "hidden secrets", "modding", "world building", "tier lists",
            "co-op play", "game design", "soundtracks",
        ],
    },
    Field {
        subjects: [
            "japan", "patagonia", "night trains", "van life", "city breaks", "hiking trails", "island hopping",
            "national parks", "safaris", "desert crossings", "christmas markets", "camping",
        ],
        angles: [
            "hidden gems", "packing lists", "local customs", "itineraries", "slow travel", "travelling solo",
            "with children", "photography spots", "border crossings", "cheap stays",
        ],
    },
    Field {
        subjects: [
            "watercolour", "oil painting", "calligraphy", "street art", "sculpture", "comics", "pottery",
            "digital illustration", "printmaking", "portrait drawing", "origami", "museum tours",
        ],
        angles: [
            "colour mixing", "composition", "sketchbooks", "studio visits", "materials", "art history",
            "perspective", "commissions", "restoration", "abstract styles",
        ],
    },
    Field {
        subjects: [
            "vegetable gardens", "bonsai", "houseplants", "beekeeping", "roses", "orchards", "wild flowers",
            "composting", "ponds", "greenhouses", "herb gardens", "lawns",
        ],
        angles: [
            "pruning", "soil health", "propagation", "pest control", "planting calendars", "small spaces",
            "native species", "watering", "harvests", "garden design",
        ],
    },
    Field {
        subjects: [
            "cats", "dog training", "parrots", "aquariums", "horses", "reptiles", "rescue animals", "birdwatching",
            "wolves", "elephants", "insects", "penguins",
        ],
        angles: [
            "behaviour", "daily care", "funny moments", "habitats", "tricks", "veterinary advice", "breeds",
            "conservation", "communication", "night footage",
        ],
    },
    Field {
        subjects: [
            "woodworking", "knitting", "leather craft", "blacksmithing", "sewing", "model railways",
            "candle making", "upholstery", "jewellery making", "embroidery", "tiny houses", "home renovation",
        ],
        angles: [
            "hand tools", "joinery", "patterns", "finishing", "workshop tours", "upcycling", "gift ideas",
            "measuring", "traditional methods", "mistakes to avoid",
        ],
    },
    Field {
        subjects: [
            "roman history", "the cold war", "vikings", "ancient egypt", "the renaissance", "maritime history",
            "the silk road", "medieval castles", "the space race", "industrial heritage", "old maps",
            "family trees",
        ],
        angles: [
            "daily life", "battles", "biographies", "lost cities", "trade", "letters and diaries", "inventions",
            "myths and legends", "turning points", "museum objects",
        ],
    },
    Field {
        subjects: [
            "yoga", "meditation", "strength training", "pilates", "sleep", "skin care", "breathing",
            "healthy ageing", "posture", "physiotherapy", "dance fitness", "cold baths",
        ],
        angles: [
            "morning routines", "at home", "stretching", "thirty-day plans", "what research says", "stress relief",
            "without equipment", "back pain", "breaking habits", "guided exercises",
        ],
    },
    Field {
        subjects: [
            "personal finance", "startups", "index funds", "real estate", "freelancing", "negotiation",
            "public speaking", "marketing", "spreadsheets", "job interviews", "economics", "small shops",
        ],
        angles: [
            "case studies", "first steps", "tax basics", "long-term thinking", "pitching", "budgeting",
            "lessons learned", "leadership", "side projects", "market trends",
        ],
    },
    Field {
        subjects: [
            "science fiction", "crime novels", "poetry", "stand-up comedy", "silent films", "animation", "theatre",
            "fantasy sagas", "true crime", "sitcoms", "documentary film", "fairy tales",
        ],
        angles: [
            "plot twists", "character studies", "adaptations", "hidden references", "screenwriting",
            "award winners", "forgotten classics", "fan theories", "reading lists", "cinematography",
        ],
    },
    Field {
        subjects: [
            "street fashion", "sneakers", "hairstyles", "make-up", "vintage clothing", "wristwatches", "perfume",
            "tailoring", "nail art", "capsule wardrobes", "interior design", "minimalism",
        ],
        angles: [
            "lookbooks", "thrift finds", "colour analysis", "seasonal trends", "care and repair", "runway shows",
            "on camera", "collections", "sustainable choices", "before and after",
        ],
    },
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_cluster_has_a_name_of_its_own() {
        let all: HashSet<String> = (0..MAX_CLUSTERS).map(keywords).collect();
        assert_eq!(all.len(), MAX_CLUSTERS as usize);
    }

    #[test]
    fn early_clusters_differ_in_subject() {
        let subjects: HashSet<&str> = (0..192).map(subject).collect();
        assert_eq!(subjects.len(), 192);
        for index in 0..MAX_CLUSTERS {
            let keywords = keywords(index);
            assert!(keywords.starts_with(&format!("{}, ", subject(index))), "{keywords}");
            assert_eq!(keywords.split(", ").count(), 3, "{keywords}");
        }
    }
}
