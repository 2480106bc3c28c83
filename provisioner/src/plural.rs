//! Numbers of things, in words: one place knows when a noun takes its plural, and which.

use std::fmt::Display;

/// How many there are: `1 place`, `11 places`.
pub(crate) fn count<N: Display + PartialEq + From<u8> + Copy>(number: N, noun: &str) -> String {
    format!("{number} {}", noun_for(number, noun))
}

/// The noun alone, where its number is told otherwise: `version 3`, `versions 3, 4`.
pub(crate) fn noun_for<N: PartialEq + From<u8>>(number: N, noun: &str) -> String {
    if number == N::from(1) {
        return noun.to_owned();
    }
    match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ if noun.ends_with("sh") || noun.ends_with("ch") || noun.ends_with(['s', 'x']) => format!("{noun}es"),
        _ => format!("{noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_is_singular() {
        let counted = [0_usize, 1, 2, 11, 21, 101].map(|number| count(number, "place")).join(", ");
        assert_eq!(counted, "0 places, 1 place, 2 places, 11 places, 21 places, 101 places");
    }

    #[test]
    fn a_noun_takes_its_own_plural() {
        for (one, many) in
            [("push", "pushes"), ("entry", "entries"), ("day", "days"), ("use", "uses"), ("fix", "fixes")]
        {
            assert_eq!((noun_for(1_u64, one), noun_for(2_u64, one)), (one.to_owned(), many.to_owned()));
        }
    }
}
