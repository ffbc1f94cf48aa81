//! Guards over texts, for every aggregate that keeps some. A text comes back as it is kept, without
//! white space around it. Characters are Unicode scalar values, counted after that.

/// What is wrong with a text; each aggregate says it under a code of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It must say something.
    Blank { field: &'static str },
    /// It is too long.
    TooLong { field: &'static str, characters: usize, characters_max: usize },
    /// It holds control characters.
    Unprintable { field: &'static str },
}

/// One line that says something.
pub(crate) fn said_line(
    field: &'static str,
    text: &str,
    characters_max: usize,
) -> Result<String, Fault> {
    said(field, line(field, text, characters_max)?)
}

/// The text, unless it is blank.
pub(crate) fn said(field: &'static str, text: String) -> Result<String, Fault> {
    if text.is_empty() { Err(Fault::Blank { field }) } else { Ok(text) }
}

/// One line; may be blank.
pub(crate) fn line(
    field: &'static str,
    text: &str,
    characters_max: usize,
) -> Result<String, Fault> {
    let text = lines(field, text, characters_max)?;
    if text.contains(['\n', '\r', '\t']) { Err(Fault::Unprintable { field }) } else { Ok(text) }
}

/// Lines; may be blank. Control characters but line ends and tabs are refused: databases refuse
/// some (NUL), terminals obey others.
pub(crate) fn lines(
    field: &'static str,
    text: &str,
    characters_max: usize,
) -> Result<String, Fault> {
    let text = text.trim();
    let characters = text.chars().count();
    if characters > characters_max {
        return Err(Fault::TooLong { field, characters, characters_max });
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(Fault::Unprintable { field });
    }
    Ok(text.to_owned())
}

/// Words of somebody outside, as far as they can be kept: a fact is not refused for its wording.
/// Control characters become spaces, and what is too long is cut.
pub(crate) fn readable(text: &str, characters_max: usize) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let kept: String = text.trim().chars().map(plain).take(characters_max).collect();
    kept.trim().to_owned()
}

/// An aggregate's refusals for faulty texts: its own `TextBlank`, `TextTooLong`, `TextUnprintable`.
macro_rules! faults_refuse {
    ($refusal:ident) => {
        impl From<$crate::text::Fault> for $refusal {
            fn from(fault: $crate::text::Fault) -> Self {
                use $crate::text::Fault;
                match fault {
                    Fault::Blank { field } => Self::TextBlank { field },
                    Fault::TooLong { field, characters, characters_max } => {
                        Self::TextTooLong { field, characters, characters_max }
                    }
                    Fault::Unprintable { field } => Self::TextUnprintable { field },
                }
            }
        }
    };
}
pub(crate) use faults_refuse;
