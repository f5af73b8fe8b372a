//! The form in which the names of holders are compared (`docs/format.md`, 2.3): two names with the same
//! form could be taken for each other. The tables are ours, since Unicode's change with its versions.

use crate::ledger::refusal::{Code, Refusal, ensure};
use crate::ledger::state::State;
use crate::record::KeyGrant;

/// From this code point on, the letter that each Latin letter with a mark is taken for; `.` for none.
const MARKED_LATIN: [(u32, &str); 2] = [
    (
        0x00C0,
        "aaaaaa.ceeeeiiiidnooooo.ouuuuyp.aaaaaa.ceeeeiiiidnooooo.ouuuuypy\
         aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiii..jjkkkllllll.\
         .llnnnnnnnnnoooooo..rrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzf\
         bbbb...ccdddd....ffg...ikkl..nn.oo..pp.....ttttuu.vyyzz.........\
         l............aaiioouuuuuuuuuu.aaaa..ggggkkoooo..j...gg..nnaa....\
         aaaaeeeeiiiioooorrrruuuusstt..hhnd..zzaaeeooooooooyylntj..acclt.\
         ...bu.eejjqqrryy",
    ),
    (
        0x1E00,
        "aabbbbbbccddddddddddeeeeeeeeeeffgghhhhhhhhhhiiiikkkkkkllllllllmm\
         mmmmnnnnnnnnoooooooopppprrrrrrrrssssssssssttttttttuuuuuuuuuuvvvv\
         wwwwwwwwwwxxxxyyzzzzzzhtwy......aaaaaaaaaaaaaaaaaaaaaaaaeeeeeeee\
         eeeeeeeeiiiioooooooooooooooooooooooouuuuuuuuuuuuuuyyyyyyyy......",
    ),
];

/// Greek and Cyrillic letters, Roman numerals and other letters of other shapes, each before the Latin letter that it is taken for.
const LOOK_ALIKES: &str = "ΑaΒbΕeΖzΗhΙiΚkΜmΝnΟoΡpΤtΥyΧxΆaΈeΉhΊiΌoΎyΪiΫy\
    αaοoρpνvυuιiκkχxγyτtωwάaόoύuίiϊiϋuϲcϹcϳjͿj\
    АaВbЕeЅsІiЇiЈjКkМmНhОoРpСcТtУyХxЁeЀeЍиЙиЌkЎy\
    аaвbеeѕsіiїiјjкkмmнhоoрpсcтtуyхxёeѐeѝийиќkўyҮyүyҺhһhԀdԁdԚqԛqԜwԝwѴvѵvӀlӏlӒaӓaӦoӧo\
    ⅠiⅤvⅩxⅬlⅭcⅮdⅯmⅰiⅴvⅹxⅼlⅽcⅾdⅿmℂcℊgℋhℌhℍhℎhℐiℑiℒlℓlℕnℙpℚqℛrℜrℝrℤz\u{212A}k\u{212B}aℬbℭcℯeℰeℱfℳmℴoℹi";

/// Letters and digits of other scripts that common fonts draw as a Latin letter or a digit, behind that one.
const OF_OTHER_SCRIPTS: &[(char, &[u32])] = &[
    ('2', &[0x01A7, 0x03E8, 0x14BF, 0xA644, 0xA6EF, 0xA75A]),
    (
        '3',
        &[0x01B7, 0x021C, 0x0417, 0x04E0, 0x2CCC, 0xA76A, 0xA7AB],
    ),
    ('4', &[0x13CE, 0xAB9E]),
    ('5', &[0x01BC]),
    ('6', &[0x0431, 0x13EE, 0x2CD2, 0xABBE]),
    ('8', &[0x0222, 0x0223, 0x09EA, 0x0A6A, 0x0B03]),
    ('9', &[0x09ED, 0x0A67, 0x0B68, 0x0D6D, 0x2CCA, 0xA76E]),
    ('a', &[0x0251, 0x13AA, 0x15C5, 0x1D00, 0xA4EE, 0xAB7A]),
    (
        'b',
        &[
            0x0184, 0x0299, 0x042C, 0x13CF, 0x13F4, 0x1472, 0x15AF, 0x15F7, 0xA4D0, 0xA7B4, 0xAB9F,
        ],
    ),
    ('c', &[0x13DF, 0x1D04, 0x2CA4, 0x2CA5, 0xA4DA, 0xABAF]),
    (
        'd',
        &[
            0x13A0, 0x13E7, 0x146F, 0x15DE, 0x15EA, 0x1D05, 0x2145, 0x2146, 0xA4D2, 0xA4D3, 0xAB70,
            0xABB7,
        ],
    ),
    (
        'e',
        &[
            0x04BD, 0x13AC, 0x1D07, 0x212E, 0x2147, 0x2D39, 0xA4F0, 0xAB32, 0xAB7C,
        ],
    ),
    (
        'f',
        &[
            0x03DC, 0x0584, 0x15B4, 0xA4DD, 0xA730, 0xA798, 0xA799, 0xAB35,
        ],
    ),
    (
        'g',
        &[
            0x018D, 0x0261, 0x0262, 0x050C, 0x0581, 0x13C0, 0x13F3, 0x1D83, 0xA4D6, 0xAB90,
        ],
    ),
    (
        'h',
        &[
            0x029C, 0x0570, 0x13BB, 0x13C2, 0x157C, 0x2C8E, 0xA4E7, 0xAB8B, 0xAB92,
        ],
    ),
    (
        'i',
        &[
            0x0269, 0x026A, 0x037A, 0x13A5, 0x2148, 0xA647, 0xAB75, 0x1D6A4,
        ],
    ),
    (
        'j',
        &[
            0x13AB, 0x148D, 0x1D0A, 0x2149, 0xA4D9, 0xA7B2, 0xAB7B, 0x1D6A5,
        ],
    ),
    ('k', &[0x13E6, 0x1D0B, 0x2C94, 0xA4D7, 0xABB6]),
    (
        'l',
        &[
            0x0196, 0x029F, 0x053C, 0x06F1, 0x13DE, 0x14AA, 0x2C92, 0x2CD0, 0x2D4F, 0xA4E1, 0xA4F2,
            0xABAE,
        ],
    ),
    (
        'm',
        &[0x03FA, 0x13B7, 0x15F0, 0x1D0D, 0x2C98, 0xA4DF, 0xAB87],
    ),
    ('n', &[0x0274, 0x0578, 0x057C, 0x2C9A, 0xA4E0]),
    (
        'o',
        &[
            0x03C3, 0x0555, 0x0585, 0x06F5, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B20, 0x0B66, 0x0BE6,
            0x0C66, 0x0CE6, 0x0D20, 0x0D66, 0x0E50, 0x0ED0, 0x101D, 0x1040, 0x10FF, 0x12D0, 0x1D0F,
            0x1D11, 0x2C9E, 0x2C9F, 0x2D54, 0x3007, 0xA4F3, 0xAB3D,
        ],
    ),
    (
        'p',
        &[
            0x03F1, 0x13E2, 0x146D, 0x1D18, 0x2CA2, 0x2CA3, 0xA4D1, 0xABB2,
        ],
    ),
    ('q', &[0x0563, 0x0566, 0x2D55]),
    (
        'r',
        &[
            0x01A6, 0x0280, 0x0433, 0x13A1, 0x13D2, 0x1587, 0x1D26, 0x2C85, 0xA4E3, 0xAB47, 0xAB48,
            0xAB71, 0xAB81, 0xABA2,
        ],
    ),
    (
        's',
        &[
            0x01BD, 0x054F, 0x13D5, 0x13DA, 0xA4E2, 0xA731, 0xABA5, 0xABAA,
        ],
    ),
    ('t', &[0x13A2, 0x1D1B, 0x2CA6, 0xA4D4, 0xAB72]),
    (
        'u',
        &[
            0x028B, 0x054D, 0x057D, 0x1200, 0x144C, 0x1D1C, 0xA4F4, 0xA79F, 0xAB4E, 0xAB52,
        ],
    ),
    (
        'v',
        &[
            0x06F7, 0x13D9, 0x142F, 0x1D20, 0x2D38, 0xA4E6, 0xA6DF, 0xABA9,
        ],
    ),
    (
        'w',
        &[
            0x026F, 0x0461, 0x0561, 0x13B3, 0x13D4, 0x1D21, 0xA4EA, 0xAB83, 0xABA4,
        ],
    ),
    (
        'x',
        &[
            0x1541, 0x157D, 0x166D, 0x166E, 0x2CAC, 0x2D5D, 0xA4EB, 0xA7B3,
        ],
    ),
    (
        'y',
        &[
            0x0263, 0x028F, 0x03D2, 0x10E7, 0x13A9, 0x13BD, 0x1D8C, 0x213D, 0x2CA8, 0xA4EC, 0xAB5A,
            0xAB79, 0xAB8D,
        ],
    ),
    ('z', &[0x13C3, 0x1D22, 0x2128, 0xA4DC, 0xAB93]),
];

/// A Greek letter of a mathematical style becomes the plain one.
fn plain_greek(c: char) -> char {
    let place = match u32::from(c) {
        code @ 0x1D6A8..=0x1D7CB => (code - 0x1D6A8) % 58,
        _ => return c,
    };
    let code = match place {
        0..=24 => 0x391 + place,
        26..=50 => 0x3B1 + place - 26,
        _ => return c,
    };
    char::from_u32(code).unwrap_or(c)
}

/// A letter that is written like an ASCII letter, or is one of its other forms.
fn letter(c: char) -> char {
    let c = plain_greek(c);
    let code = u32::from(c);
    let styled = match code {
        0x1D7CE..=0x1D7FF => char::from_digit((code - 0x1D7CE) % 10, 10),
        0x1FBF0..=0x1FBF9 => char::from_digit(code - 0x1FBF0, 10),
        0xFF01..=0xFF5E => char::from_u32(code - 0xFEE0),
        0x1D400..=0x1D6A3 => nth_letter(code - 0x1D400),
        0x24B6..=0x24E9 => nth_letter(code - 0x24B6),
        _ => None,
    };
    if let Some(styled) = styled {
        return styled;
    }
    for (first, letters) in MARKED_LATIN {
        let place = code
            .checked_sub(first)
            .and_then(|at| usize::try_from(at).ok());
        let found = place.and_then(|at| letters.as_bytes().get(at));
        if let Some(found) = found.filter(|found| **found != b'.') {
            return char::from(*found);
        }
    }
    let mut pairs = LOOK_ALIKES.chars();
    while let (Some(from), Some(to)) = (pairs.next(), pairs.next()) {
        if from == c {
            return to;
        }
    }
    let found = OF_OTHER_SCRIPTS
        .iter()
        .find(|(_, codes)| codes.contains(&code));
    found.map_or(c, |(to, _)| *to)
}

/// Of an alphabet that repeats.
fn nth_letter(place: u32) -> Option<char> {
    char::from_u32(u32::from('a') + place % 26)
}

/// Marks, spaces and punctuation: they tell no name from another.
fn is_left_out(c: char) -> bool {
    matches!(c, '\u{A0}'..='\u{BF}' | '\u{D7}' | '\u{F7}' | '\u{2B0}'..='\u{36F}'
        | '\u{2000}'..='\u{206F}' | '\u{3000}'..='\u{3003}' | '\u{30FB}' | '\u{FE20}'..='\u{FE2F}'
        | '\u{FF65}')
        || (c.is_ascii() && !c.is_ascii_alphanumeric())
}

/// The form in which a name is compared (`docs/format.md`, 2.3).
pub(crate) fn compared(name: &str) -> String {
    let letters = name.chars().filter_map(|c| {
        let c = match letter(c).to_ascii_lowercase() {
            '0' => 'o',
            '1' | 'i' | '|' => 'l',
            other => other,
        };
        (!is_left_out(c)).then_some(c)
    });
    let letters: String = letters.collect();
    letters.replace("rn", "m").replace("vv", "w")
}

/// Whether one holder's name could be taken for another's (`docs/format.md`, 2.3): then the ledger admits only one of
/// them.
pub fn names_look_alike(one: &str, other: &str) -> bool {
    compared(one) == compared(other)
}

/// Checks that nobody but the holder itself ever had a name that could be taken for one of these.
pub(in crate::ledger) fn check_names(state: &State, grant: &KeyGrant) -> Result<(), Refusal> {
    let holder = state.holder(&grant.holder).map(|known| known.number);
    for name in names(grant) {
        let other = state.holder_named(&compared(name));
        ensure(other.is_none() || other == holder, || {
            Refusal::new(
                Code::NameTaken,
                format!("{name:?} could be taken for the name of another holder"),
                "choose a name that differs in more than marks, spaces, case and letters that look alike",
            )
        })?;
    }
    Ok(())
}

/// The names that a grant gives its holder: the short one and the one for people.
pub(in crate::ledger) fn names(grant: &KeyGrant) -> [&str; 2] {
    [grant.holder.as_str(), grant.display_name.as_str()]
}

#[cfg(test)]
mod tests {
    use super::{LOOK_ALIKES, MARKED_LATIN, OF_OTHER_SCRIPTS, compared};

    #[test]
    fn the_tables_are_whole() {
        let [(_, first), (_, second)] = MARKED_LATIN;
        assert_eq!((first.len(), second.len()), (0x190, 0x100));
        assert_eq!(LOOK_ALIKES.chars().count() % 2, 0);
    }

    #[test]
    fn the_third_table_is_that_of_the_format() {
        let format = include_str!("../../../docs/format.md");
        let table = format.split("belongs to the one before:\n\n```text\n");
        let table = table.last().unwrap().split("```").next().unwrap();
        let mut rows: Vec<(char, Vec<u32>)> = Vec::new();
        for word in table.split_whitespace() {
            match (word.len(), rows.last_mut()) {
                (1, _) => rows.push((word.chars().next().unwrap(), Vec::new())),
                (_, Some((_, codes))) => codes.push(u32::from_str_radix(word, 16).unwrap()),
                (_, None) => panic!("{word}"),
            }
        }
        let ours = OF_OTHER_SCRIPTS
            .iter()
            .map(|(to, codes)| (*to, codes.to_vec()));
        assert_eq!(ours.collect::<Vec<_>>(), rows);
    }

    #[test]
    fn names_that_look_alike_have_one_form() {
        for (one, other) in [
            ("City Ride", "CITY-RIDE"),
            ("City Ride", "Сity Rіde"),
            ("Modern Trees", "Modem Trees"),
            ("Oak 10", "Oak lO"),
            ("Việt Xanh", "Vie\u{302}\u{323}t Xanh"),
            ("Greenhands", "Ｇｒｅｅｎｈａｎｄｓ"),
            ("Evvia", "Ewia"),
            ("Green Oasis", "\u{261}reen \u{585}\u{251}sis"),
            ("Oasis", "\u{1D6B6}asis"),
            ("Dale", "\u{13A0}\u{13AA}\u{13DE}\u{13AC}"),
            ("Bank", "\u{299}\u{1D00}\u{274}\u{1D0B}"),
            ("Tik 31", "\u{1D70F}\u{1D6A4}k \u{1D7DB}\u{1D7ED}"),
            ("Oak 100", "Oak 1\u{966}\u{1D7CE}"),
        ] {
            assert_eq!(compared(one), compared(other), "{one} {other}");
        }
        for (one, other) in [
            ("City Ride", "City Rides"),
            ("森林", "森木"),
            ("Лес", "Лис"),
        ] {
            assert_ne!(compared(one), compared(other), "{one} {other}");
        }
    }
}
