//! What messages say: a text for each template and language, filled with the facts of the message.
//!
//! A file's first line is the subject, the rest the text; `{name}` stands for a fact. Another
//! language is a file and a line here. Who reads a language that has no text gets English.

use read_models::projections::NotificationRow;
use serde_json::Value;

/// A text, filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// One line.
    pub subject: String,
    /// The text.
    pub text: String,
}

macro_rules! letters {
    ($($template:literal in $($language:literal),+;)+) => {
        fn source(template: &str, language: &str) -> Option<&'static str> {
            match (template, language) {
                $($(($template, $language) => {
                    Some(include_str!(concat!("letters/", $template, ".", $language, ".txt")))
                })+)+
                _ => None,
            }
        }

        #[cfg(test)]
        const ALL: &[(&str, &[&str])] = &[$(($template, &[$($language),+]),)+];
    };
}

letters! {
    "booking-confirmed" in "en", "de";
    "booking-cancelled" in "en", "de";
}

/// The message's text, to somebody of that name; none when nobody has written it.
pub(super) fn letter(row: &NotificationRow, name: &str) -> Option<Letter> {
    let language = row.locale.split('-').next().unwrap_or_default().to_ascii_lowercase();
    let source = source(&row.template, &language).or_else(|| source(&row.template, "en"))?;
    let german = language == "de";
    let (subject, text) = source.split_once('\n').unwrap_or((source, ""));
    let fill = |text: &str| {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('{') {
            let (key, after) = behind.split_once('}').unwrap_or((behind, ""));
            filled += before;
            match key {
                "name" => filled += name,
                "booking" => filled += &row.booking_id.to_string(),
                fact => filled += &said(&row.facts.0[fact], german),
            }
            rest = after;
        }
        filled + rest
    };
    Some(Letter { subject: fill(subject).trim().to_owned(), text: fill(text).trim().to_owned() })
}

/// A fact as people read it.
fn said(fact: &Value, german: bool) -> String {
    match fact {
        Value::Object(money) => match (money["amount"].as_i64(), money["currency"].as_str()) {
            (Some(amount), Some(currency)) => price(amount, currency, german),
            _ => String::new(),
        },
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn price(amount: i64, currency: &str, german: bool) -> String {
    let digits = match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX"
        | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    };
    let unit = 10_u64.pow(digits);
    let (whole, rest) = (amount.unsigned_abs() / unit, amount.unsigned_abs() % unit);
    let (sign, point) = (if amount < 0 { "-" } else { "" }, if german { ',' } else { '.' });
    match digits {
        0 => format!("{sign}{whole} {currency}"),
        digits => format!("{sign}{whole}{point}{rest:0width$} {currency}", width = digits as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_has_a_subject_and_a_text_in_every_language() {
        for (template, languages) in ALL {
            assert!(languages.contains(&"en"), "{template}: who else would read it?");
            for language in *languages {
                let text = source(template, language).unwrap();
                let (subject, rest) = text.split_once('\n').unwrap();
                assert!(!subject.trim().is_empty() && !rest.trim().is_empty(), "{template}");
                assert_eq!(text.matches('{').count(), text.matches('}').count(), "{template}");
            }
        }
    }

    #[test]
    fn money_is_read_as_people_write_it() {
        assert_eq!(price(12_900, "EUR", false), "129.00 EUR");
        assert_eq!(price(12_905, "EUR", true), "129,05 EUR");
        assert_eq!(price(-7, "EUR", false), "-0.07 EUR");
        assert_eq!(price(12_900, "JPY", true), "12900 JPY");
        assert_eq!(price(1_500, "KWD", false), "1.500 KWD");
    }
}
