//! Whether two schemas of one record can stand beside each other: each must read what the other
//! wrote (`FULL`), whatever the order in which they came (`TRANSITIVE`).

use std::error::Error;

use apache_avro::Schema;
use apache_avro::schema_compatibility::{Compatibility, SchemaCompatibility};

/// Two schemas cannot read each other's data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Incompatible(pub String);

/// Checks that each schema reads everything that the other wrote.
///
/// # Errors
/// [`Incompatible`] names the field, and which of the two could not read it.
pub fn check(older: &Schema, newer: &Schema) -> Result<(), Incompatible> {
    readable(older, newer).map_err(|reason| Incompatible(format!("older data: {reason}")))?;
    readable(newer, older).map_err(|reason| Incompatible(format!("for older readers: {reason}")))
}

fn readable(written: &Schema, read: &Schema) -> Result<(), String> {
    match SchemaCompatibility::can_read(written, read) {
        Ok(Compatibility::Full) => Ok(()),
        Ok(Compatibility::Partial) => Err(format!(
            "some values of {} cannot be read: an enumeration without a default, or a union that \
             lost a branch",
            partly_readable(written, read)
        )),
        Err(error) => {
            let mut reason = error.to_string();
            let mut cause = error.source();
            while let Some(error) = cause {
                reason = format!("{reason}: {error}");
                cause = error.source();
            }
            Err(reason)
        }
    }
}

/// The field of a record that is readable in part only.
fn partly_readable(written: &Schema, read: &Schema) -> String {
    let (Schema::Record(written), Schema::Record(read)) = (written, read) else {
        return "the schema".to_owned();
    };
    let partial = written.fields.iter().find(|field| {
        let other = read.fields.iter().find(|other| other.name == field.name);
        other.is_some_and(|other| {
            SchemaCompatibility::can_read(&field.schema, &other.schema) != Ok(Compatibility::Full)
        })
    });
    partial.map_or_else(|| "the record".to_owned(), |field| format!("field '{}'", field.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(fields: &str) -> Schema {
        let json = format!(r#"{{"type": "record", "name": "R", "fields": [{fields}]}}"#);
        Schema::parse_str(&json).unwrap()
    }

    const TITLE: &str = r#"{"name": "title", "type": "string"}"#;

    #[test]
    fn a_field_with_a_default_may_come_and_go() {
        let with = record(&format!(
            r#"{TITLE}, {{"name": "note", "type": ["null", "string"], "default": null}}"#
        ));

        assert_eq!(check(&record(TITLE), &with), Ok(()));
        assert_eq!(check(&with, &record(TITLE)), Ok(()));
    }

    #[test]
    fn a_symbol_may_come_where_readers_have_a_default() {
        let kinds = |symbols: &str| {
            record(&format!(
                r#"{{"name": "kind", "type": {{"type": "enum", "name": "K",
                "symbols": {symbols}, "default": "a"}}}}"#
            ))
        };

        assert_eq!(check(&kinds(r#"["a"]"#), &kinds(r#"["a", "b"]"#)), Ok(()));
    }

    #[test]
    fn an_incompatible_change_names_its_field() {
        let kind = |symbols: &str| {
            format!(
                r#"{TITLE}, {{"name": "kind", "type": {{"type": "enum", "name": "K",
                "symbols": {symbols}}}}}"#
            )
        };
        for (older, newer, field) in [
            (TITLE, &*format!(r#"{TITLE}, {{"name": "note", "type": "string"}}"#), "note"),
            (&*format!(r#"{TITLE}, {{"name": "note", "type": "string"}}"#), TITLE, "note"),
            (TITLE, r#"{"name": "title", "type": "long"}"#, "title"),
            (&kind(r#"["a"]"#), &kind(r#"["a", "b"]"#), "kind"),
        ] {
            let refused = check(&record(older), &record(newer)).unwrap_err();

            assert!(refused.to_string().contains(&format!("'{field}'")), "{refused}");
        }
    }
}
