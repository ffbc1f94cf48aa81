//! JSON in canonical form: keys sorted by code point, no white space, so that equal documents are
//! equal bytes in every store, also after a database has normalized them.

use std::fmt::Write as _;

use serde::Serialize;

/// The canonical text of anything that serializes to JSON.
///
/// # Panics
/// When the value cannot be JSON at all (a map with keys that are no text): a defect of its type.
#[must_use]
pub fn canonical_json(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).expect("row documents have text keys only");
    let mut text = String::new();
    write(&value, &mut text);
    text
}

/// The canonical form of a document that a database returned.
///
/// # Errors
/// When the text is no JSON.
pub fn canonicalize(text: &str) -> Result<String, serde_json::Error> {
    Ok(canonical_json(&serde_json::from_str::<serde_json::Value>(text)?))
}

fn write(value: &serde_json::Value, text: &mut String) {
    match value {
        serde_json::Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        serde_json::Value::Object(fields) => {
            // Not left to the map's own order: a crate elsewhere may switch it to insertion order.
            let mut keys: Vec<&String> = fields.keys().collect();
            keys.sort_unstable();
            text.push('{');
            for (index, key) in keys.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(&serde_json::Value::String(key.clone()), text);
                text.push(':');
                write(&fields[key], text);
            }
            text.push('}');
        }
        // A negative zero does not survive a database's numeric type.
        serde_json::Value::Number(number) if number.as_f64() == Some(0.0) => text.push('0'),
        scalar => write!(text, "{scalar}").expect("a string takes any text"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_documents_are_equal_bytes() {
        let ours =
            canonical_json(&serde_json::json!({"b": [1, {"z": null, "a": "é\n"}], "a": -0.0}));

        assert_eq!(ours, r#"{"a":0,"b":[1,{"a":"é\n","z":null}]}"#);
        assert_eq!(canonicalize(r#"{ "b": [1, {"z":null,"a":"\u00e9\n"}],"a":0}"#).unwrap(), ours);
    }
}
