//! Words for full-text search, normalized here and not by a database, so that every store finds the
//! same rows: compatibility forms and accents folded, lower case, split at everything else.

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Characters of a word that count; what is longer is found by its beginning.
pub const WORD_CHARACTERS_MAX: usize = 64;
/// Bytes of the words of one row; words beyond, in order of the alphabet, are not found.
pub const WORDS_BYTES_MAX: usize = 200_000;
/// Words of a search that count.
pub const QUERY_WORDS_MAX: usize = 16;

/// The distinct words of the texts, sorted, with single spaces between.
#[must_use]
pub fn search_words<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let words: BTreeSet<String> = texts.into_iter().flat_map(words).collect();
    let mut text = String::new();
    for word in words {
        if text.len() + word.len() + 1 > WORDS_BYTES_MAX {
            break;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&word);
    }
    text
}

/// The words of a search, in its order. A row is found when each begins one of its words.
#[must_use]
pub fn query_words(query: &str) -> Vec<String> {
    words(query).take(QUERY_WORDS_MAX).collect()
}

/// The words of a text, in its order.
pub(crate) fn words(text: &str) -> impl Iterator<Item = String> {
    let folded: String =
        text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect();
    folded
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| word.chars().take(WORD_CHARACTERS_MAX).collect())
        .collect::<Vec<String>>()
        .into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_folded_sorted_and_distinct() {
        let words = search_words(["São Tomé, SÃO!", "l'Été ２０２６"]);

        assert_eq!(words, "2026 ete l sao tome");
        assert_eq!(query_words("été-SAO"), ["ete", "sao"]);
    }

    #[test]
    fn words_stay_within_their_bounds() {
        let many: String = (0..40_000).map(|number| format!("word{number} ")).collect();

        assert!(search_words([many.as_str()]).len() <= WORDS_BYTES_MAX);
        assert_eq!(search_words(["x".repeat(100).as_str()]).len(), WORD_CHARACTERS_MAX);
        assert_eq!(query_words(&many).len(), QUERY_WORDS_MAX);
    }
}
