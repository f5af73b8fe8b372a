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

/// A letter that is written like an ASCII letter, or is one of its other forms.
fn letter(c: char) -> char {
    let code = u32::from(c);
    let styled = match code {
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
    c
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
    use super::{LOOK_ALIKES, MARKED_LATIN, compared};

    #[test]
    fn the_tables_are_whole() {
        let [(_, first), (_, second)] = MARKED_LATIN;
        assert_eq!((first.len(), second.len()), (0x190, 0x100));
        assert_eq!(LOOK_ALIKES.chars().count() % 2, 0);
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
