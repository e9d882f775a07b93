//! What generated rows are made of. Invented; several scripts, and the texts that break careless readers.

/// People and places of one script.
pub(super) struct Script {
    pub first: &'static [&'static str],
    pub last: &'static [&'static str],
    pub places: &'static [Place],
}

#[derive(Clone, Copy)]
pub(super) struct Place {
    pub street: &'static str,
    pub city: &'static str,
    pub state: &'static str,
    pub postal_code: &'static str,
    pub country: &'static str,
}

const fn place(
    street: &'static str,
    city: &'static str,
    state: &'static str,
    postal_code: &'static str,
    country: &'static str,
) -> Place {
    Place { street, city, state, postal_code, country }
}

/// Row scripts by four bits of the row's hash: half of the rows are Latin.
pub(super) fn script(bits: u64) -> &'static Script {
    const BY_BITS: [&Script; 16] = [
        &LATIN, &LATIN, &LATIN, &LATIN, &LATIN, &LATIN, &LATIN, &LATIN, &CYRILLIC, &GREEK, &ARABIC, &HEBREW, &JAPANESE,
        &CHINESE, &HINDI, &ODD,
    ];
    BY_BITS[(bits % 16) as usize]
}

static LATIN: Script = Script {
    first: &[
        "Amelia",
        "Björn",
        "Chloé",
        "Dvořák",
        "Emil",
        "François",
        "Grażyna",
        "Håkon",
        "Iñigo",
        "João",
        "Kåre",
        "Łucja",
        "Müge",
        "Noël",
        "Ølver",
        "Petra",
        "Quinn",
        "Renée",
        "Søren",
        "Tomás",
        "Ülle",
        "Václav",
        "William",
        "Zoë",
    ],
    last: &[
        "Åkesson",
        "Błaszczyk",
        "Çelik",
        "D'Angelo",
        "Étienne",
        "Fernández",
        "Großmann",
        "Hernández",
        "Ibáñez",
        "Jørgensen",
        "Kowalski",
        "Löwenstein",
        "Müller",
        "Nguyễn",
        "O'Brien",
        "Pröll",
        "Quiñones",
        "Rodríguez",
        "Šimek",
        "Thorsson",
        "Ünal",
        "van der Berg",
        "Weiß",
        "Żurek",
        "Smith-Jones",
        "García Márquez",
    ],
    places: &[
        place("Königstraße", "Stuttgart", "Baden-Württemberg", "70173", "Deutschland"),
        place("Rue de l'Église", "Besançon", "Bourgogne-Franche-Comté", "25000", "France"),
        place("Unit 4\nHigh Street", "St Albans", "Hertfordshire", "AL1 1AA", "United Kingdom"),
        place("Łąkowa", "Łódź", "Łódzkie", "90-001", "Polska"),
        place("Market St, Suite \"B\"", "San Francisco", "CA", "94105", "United States"),
        place("Rua São João", "São Paulo", "SP", "01035-000", "Brasil"),
        place("Østergade", "Århus", "Midtjylland", "8000", "Danmark"),
        place("Calle Núñez de Balboa", "Málaga", "Andalucía", "29001", "España"),
    ],
};

static CYRILLIC: Script = Script {
    first: &["Алексей", "Борис", "Вера", "Галина", "Дмитрий", "Олена", "Ёлка", "Юлия"],
    last: &["Иванова", "Петров", "Щербаков", "Шевченко", "Ковальчук", "Чайковский", "Ђорђевић"],
    places: &[
        place("Невский проспект", "Санкт-Петербург", "Ленинградская область", "191186", "Россия"),
        place("вулиця Хрещатик", "Київ", "Київ", "01001", "Україна"),
    ],
};

static GREEK: Script = Script {
    first: &["Αλέξανδρος", "Ελένη", "Ιωάννης", "Κατερίνα", "Ζωή"],
    last: &["Παπαδόπουλος", "Γεωργίου", "Οικονόμου", "Αθανασιάδης"],
    places: &[place("Οδός Ερμού", "Αθήνα", "Αττική", "105 63", "Ελλάδα")],
};

static ARABIC: Script = Script {
    first: &["أحمد", "فاطمة", "محمد", "ليلى", "يوسف"],
    last: &["الحسن", "العلي", "المصري", "بن سعيد"],
    places: &[place("شارع التحرير", "القاهرة", "القاهرة", "11511", "مصر")],
};

static HEBREW: Script = Script {
    first: &["דוד", "שרה", "יעקב", "רחל"],
    last: &["כהן", "לוי", "מזרחי", "בן־דוד"],
    places: &[place("רחוב דיזנגוף", "תל אביב", "תל אביב", "6433222", "ישראל")],
};

static JAPANESE: Script = Script {
    first: &["太郎", "花子", "健一", "さくら", "ユミ", "髙志"],
    last: &["佐藤", "鈴木", "髙橋", "渡邊", "𠮷田"],
    places: &[place("千代田区丸の内", "東京", "東京都", "100-0005", "日本")],
};

static CHINESE: Script = Script {
    first: &["伟", "芳", "秀英", "娜", "志明"],
    last: &["王", "李", "张", "欧阳", "陳"],
    places: &[place("南京东路", "上海", "上海市", "200001", "中国")],
};

static HINDI: Script = Script {
    first: &["आरव", "प्रिया", "रोहन", "अनन्या"],
    last: &["शर्मा", "वर्मा", "गुप्ता", "श्रीवास्तव"],
    places: &[place("महात्मा गांधी मार्ग", "मुंबई", "महाराष्ट्र", "400001", "भारत")],
};

/// Values that are names and look like something else.
static ODD: Script = Script {
    first: &["N/A", "null", "👩‍👩‍👧", " Leading", "Trailing ", "True", "José\u{301}", "=SUM(A1)"],
    last: &["Null", "N/A", "#N/A", "O\"Neil", "Smith, Jr.", "🦄 Unicorn", "\\N", "'Quoted'", "0042", "<b>Bold</b>"],
    places: &[place("c/o \"The Barn\", Lane 1\r\nBack door", "N/A", "null", "00000", "Côte d’Ivoire")],
};

pub(super) const EMAIL_NAMES: &[&str] =
    &["amelia", "bjorn", "chloe", "emil", "francois", "grazyna", "joao", "lucja", "noel", "petra", "soren", "zoe"];
pub(super) const EMAIL_DOMAINS: &[&str] =
    &["example.com", "example.org", "mail.example.net", "sub.domain.example.co.uk"];

pub(super) const COMPANY_HEADS: &[&str] = &[
    "Acme",
    "Brücken",
    "Cœur",
    "Delta",
    "Edge",
    "Förder",
    "Global",
    "Horizont",
    "Ígnea",
    "Južna",
    "Kyoto 京都",
    "Lumière",
    "Müller & Söhne",
    "Nordlys",
    "Ocean",
    "Пример",
    "Quartz",
    "Röhren",
    "Solaris",
    "Tōkai",
    "Umbrella",
    "Vértice",
    "Ω",
    "\"Quoted\"",
];
pub(super) const COMPANY_CORES: &[&str] = &[
    "Consulting",
    "Energy",
    "Foods",
    "Health",
    "Industries",
    "Logistics",
    "Media",
    "Robotics",
    "Software",
    "Textiles",
    "Transport",
    "Water",
];
pub(super) const COMPANY_TAILS: &[&str] = &["AG", "GmbH", "Inc.", "LLC", "Ltd", "NV", "S.A.", "SpA", "株式会社", "Oy"];

pub(super) const DEALS: &[&str] =
    &["Add-on", "Expansion", "Migration", "New Business", "Pilot", "Renewal", "Support, 3 years", "Upgrade"];

/// Short texts: titles, departments and whatever else has no meaning of its own.
pub(super) const PHRASES: &[&str] = &[
    "Head of Sales",
    "Chief Executive Officer",
    "Engineer",
    "Analyst",
    "Buyer",
    "Vice-présidente",
    "Geschäftsführerin",
    "Director, EMEA",
    "Finance",
    "Human Resources",
    "Research & Development",
    "Operations",
    "Legal",
    "IT",
    "Marketing",
    "Assistant to the \"Director\"",
    "N/A",
    "null",
    "#N/A",
    "none",
    "-",
    " padded ",
    "tab\there",
    "部長",
    "инженер",
    "Ingénieur·e",
    "🚀 Growth",
    "0",
    "1,000",
    "TRUE",
];

/// Texts of several lines, with both kinds of line break and everything that CSV readers trip over.
pub(super) const PARAGRAPHS: &[&str] = &[
    "Met at the trade fair in Köln.\nWants a call back next week, mornings only.\nPrefers e-mail over phone.",
    "Said: \"We will decide in Q3\".\r\nBudget approved, contract pending.\r\nSee attachment, page 4.",
    "Follow-up:\n- send offer\n- arrange demo\n- ask about the old system, if any",
    "Long-standing customer since 1998;\npays on time, complains rarely.\n\nContact person changed in May.",
    "お世話になっております。\n来週の会議の件、よろしくお願いいたします。",
    "Спасибо за звонок.\nПерезвоним в понедельник, после 10:00.",
    "Line one\nLine two, with a comma\nLine \"three\" with quotes\n\n\nLine six after two empty ones",
    "Delivery address differs from billing address!\r\nAsk the \"night porter\", ring twice 🔔🔔.",
    "Said he'd think about it.\nCaveat: price, price, price.\nNext step: none",
    "Notes from the call:\n\t1. pricing is fine\n\t2. security review needed\n\t3. legal wants changes to §4(b)",
    "¿Qué tal? Todo bien.\nLlamar después de las 16:00 h, por favor.",
    "a;b;c\n\"a\",\"b\",\"c\"\n'a','b','c'\n\\\"escaped\\\"",
    "Met\u{a0}with non-breaking\u{a0}spaces and “curly quotes”, – dashes —\nand an ellipsis…",
    "Trailing newline follows\n",
    "مرحبا، شكرا على وقتكم.\nسنتصل بكم يوم الأحد.",
    "Please do not call on Fridays.\nRef: INV-2024-00017, PO \"A/7\"\nOpen amount: 1.234,56 €",
];

pub(super) const RICH: &[&str] = &[
    "<p>Hello &amp; welcome</p>",
    "<ul><li>one</li><li>two, <b>three</b></li></ul>",
    "<p style=\"color:red\">Überfällig</p>\n<p>日本語</p>",
];
pub(super) const URLS: &[&str] = &[
    "https://www.example.com/",
    "http://example.org/a?b=c&d=%20e",
    "https://müller.example/übersicht#top",
    "example.net",
];
pub(super) const TIME_ZONES: &[&str] = &["GMT", "America/Los_Angeles", "Europe/Berlin", "Asia/Tokyo"];
pub(super) const JSON: &[&str] = &["{\"a\":1,\"b\":[true,null]}", "{}", "{\"text\":\"\\\"quoted\\\"\\n😀\"}"];
pub(super) const FLOATS: &[&str] = &["[0.25,-1.5,3.0E8]", "[]", "[1]"];
pub(super) const TEXTS: &[&str] = &["[\"a\",\"b\"]", "[]", "[\"comma, quote \\\" and 😀\"]"];
pub(super) const BLOBS: &[&[u8]] = &[b"hello", b"\x00\x01\x02\xff", b"%PDF-1.7\n"];
