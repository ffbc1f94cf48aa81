//! Reads seeds line by line, in bounded memory: what cannot be read is said with its line, and the
//! rest is read on.

use std::io::{self, BufRead, BufReader, Read};

use serde::de::DeserializeOwned;

use super::item::{Item, Kind, OFFER_COLUMNS, OfferRow, PLACE_COLUMNS, PlaceRow};

/// Bytes of one line, or of one row of CSV: what a request's body may have.
const LINE_BYTES_MAX: u64 = 1024 * 1024;

/// One line, and how far into its source it ends.
#[derive(Debug)]
pub(crate) struct Line {
    /// From 1.
    pub(crate) number: u64,
    /// What is to be loaded, or what is wrong with it.
    pub(crate) item: Result<Item, String>,
    /// In bytes of a file, in items of anything else.
    pub(crate) until: u64,
}

/// Lines as they come.
pub(crate) type Lines<'a> = Box<dyn Iterator<Item = io::Result<Line>> + 'a>;

/// One JSON object a line; blank lines are passed over.
pub(crate) fn json_lines<'a>(source: impl Read + 'a) -> Lines<'a> {
    let mut source = BufReader::new(source);
    let (mut number, mut until) = (0, 0);
    Box::new(std::iter::from_fn(move || {
        loop {
            let mut text = Vec::new();
            match source.by_ref().take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut text) {
                Ok(0) => return None,
                Ok(read) => until += read as u64,
                Err(error) => return Some(Err(error)),
            }
            number += 1;
            let item = if text.len() as u64 > LINE_BYTES_MAX && !text.ends_with(b"\n") {
                match skip_line(&mut source) {
                    Ok(skipped) => until += skipped,
                    Err(error) => return Some(Err(error)),
                }
                Err(format!("is longer than {LINE_BYTES_MAX} bytes"))
            } else {
                let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&text).trim_ascii();
                if text.is_empty() {
                    continue;
                }
                Item::from_json(text)
            };
            return Some(Ok(Line { number, item, until }));
        }
    }))
}

/// Reads to the end of the line without keeping it; how many bytes that were.
fn skip_line(source: &mut impl BufRead) -> io::Result<u64> {
    let mut skipped = 0;
    loop {
        let buffer = source.fill_buf()?;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let length = end.map_or(buffer.len(), |end| end + 1);
        let over = end.is_some() || buffer.is_empty();
        source.consume(length);
        skipped += length as u64;
        if over {
            return Ok(skipped);
        }
    }
}

/// Rows of CSV under a header that tells what they are.
///
/// # Errors
/// When the header cannot be read, or names columns that neither destinations nor offers have.
pub(crate) fn csv_rows<'a>(source: impl Read + 'a) -> anyhow::Result<Lines<'a>> {
    let bounded = Bounded { source, left: LINE_BYTES_MAX };
    let mut rows = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bounded);
    let header = rows.headers()?.clone();
    let kind = kind_of(&header)?;
    let mut ended = false;
    Ok(Box::new(std::iter::from_fn(move || {
        if ended {
            return None;
        }
        rows.get_mut().left = LINE_BYTES_MAX;
        let mut row = csv::ByteRecord::new();
        let number = rows.position().line();
        let item = match rows.read_byte_record(&mut row) {
            Ok(false) => return None,
            Ok(true) => item(kind, row.clone(), &header),
            Err(error) => match error.into_kind() {
                csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                    Err(format!("has {len} columns instead of {expected_len}"))
                }
                csv::ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                    // Where the next row begins, nobody can tell.
                    ended = true;
                    Err(format!("{error}; nothing behind it is read"))
                }
                csv::ErrorKind::Io(error) => {
                    ended = true;
                    return Some(Err(error));
                }
                other => Err(format!("cannot be read: {other:?}")),
            },
        };
        let number = row.position().map_or(number, csv::Position::line);
        Some(Ok(Line { number, item, until: rows.position().byte() }))
    })))
}

fn kind_of(header: &csv::StringRecord) -> anyhow::Result<Kind> {
    let (kind, known) = if header.iter().any(|column| column == PLACE_COLUMNS[0]) {
        (Kind::Destination, PLACE_COLUMNS)
    } else {
        (Kind::Offer, OFFER_COLUMNS)
    };
    if let Some(strange) = header.iter().find(|column| !known.contains(column)) {
        anyhow::bail!(
            "line 1: there is no column `{strange}`; destinations have {}, offers have {}",
            PLACE_COLUMNS.join(","),
            OFFER_COLUMNS.join(",")
        );
    }
    Ok(kind)
}

fn item(kind: Kind, row: csv::ByteRecord, header: &csv::StringRecord) -> Result<Item, String> {
    let row = csv::StringRecord::from_byte_record(row).map_err(|_| "is not UTF-8")?;
    match kind {
        Kind::Destination => Ok(read::<PlaceRow>(&row, header)?.item()),
        Kind::Offer => read::<OfferRow>(&row, header)?.item(),
    }
}

fn read<T: DeserializeOwned>(
    row: &csv::StringRecord,
    header: &csv::StringRecord,
) -> Result<T, String> {
    row.deserialize(Some(header)).map_err(|error| match error.kind() {
        csv::ErrorKind::Deserialize { err, .. } => {
            let column = err.field().and_then(|field| header.get(usize::try_from(field).ok()?));
            column.map_or_else(|| err.kind().to_string(), |name| format!("{name}: {}", err.kind()))
        }
        _ => error.to_string(),
    })
}

/// A source that gives up on a row without an end.
struct Bounded<R> {
    source: R,
    /// Bytes until then.
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            let reason = "a row is longer than 1 MiB: is a quote left open?";
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
        }
        let read = self.source.read(buffer)?;
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers with what is wrong, or the slug or title that is to be loaded.
    fn outline(lines: Lines<'_>) -> Vec<(u64, String)> {
        let told = |line: Line| {
            let named = |item: Item| {
                let name = item.body.get("slug").or(item.body.get("title")).cloned();
                name.map_or_else(String::new, |name| name.to_string())
            };
            (line.number, line.item.map_or_else(|wrong| format!("wrong: {wrong}"), named))
        };
        lines.map(|line| told(line.unwrap())).collect()
    }

    #[test]
    fn what_cannot_be_read_is_said_with_its_line_and_the_rest_is_read() {
        let long = format!("{{\"slug\":\"{}\"}}", "x".repeat(1024 * 1024));
        let text = format!("\u{feff}{{\"slug\":\"a\"}}\r\n\n{long}\nnonsense\n{{\"slug\":\"b\"}}");

        let read = outline(json_lines(text.as_bytes()));

        assert_eq!(read[0], (1, "\"a\"".to_owned()));
        assert_eq!(read[1], (3, "wrong: is longer than 1048576 bytes".to_owned()));
        assert!(read[2].0 == 4 && read[2].1.starts_with("wrong: expected ident"), "{read:?}");
        assert_eq!(read[3], (5, "\"b\"".to_owned()));
    }

    #[test]
    fn rows_are_read_around_bad_ones() {
        let text = "slug,name,country,latitude,longitude,zone,tags\n\
                    a,A,PT,1.5,2,Europe/Lisbon,x|y\n\
                    b,B,PT,north,2,Europe/Lisbon,\n\
                    c,C\n\
                    \"d\",\"D,\nd\",PT,1,2,Europe/Lisbon,\n\
                    e,E,PT,1,2,Europe/Lisbon,\n";

        let read = outline(csv_rows(text.as_bytes()).unwrap());

        let expected = [
            (2, "\"a\""),
            (3, "wrong: latitude: invalid float literal"),
            (4, "wrong: has 2 columns instead of 7"),
            (5, "\"d\""),
            (7, "\"e\""),
        ];
        assert_eq!(read, expected.map(|(line, told)| (line, told.to_owned())));
    }

    #[test]
    fn an_offer_in_a_row_is_the_body_of_its_request() {
        let text = "kind,supplier,title,places,starts_at,ends_at,zone,capacity,price_amount,\
                    price_currency,cancellation\n\
                    tour,Voa,Walk,porto|lisbon,2027-05-01T08:00:00Z,2027-05-01T09:00:00Z,\
                    Europe/Lisbon,3,900,EUR,48:100|24:50\n";

        let line = csv_rows(text.as_bytes()).unwrap().next().unwrap().unwrap();

        let body = line.item.unwrap().body;
        assert_eq!(body["places"], serde_json::json!(["porto", "lisbon"]));
        assert_eq!(body["price"], serde_json::json!({ "amount": 900, "currency": "EUR" }));
        assert_eq!(body["cancellation"][1]["refund_percent"], 50);
        assert_eq!(body.get("seats"), None);
    }

    #[test]
    fn an_unknown_column_and_a_row_without_an_end_are_refused() {
        let open = format!("slug,name\na,\"{}", "x".repeat(3 * 1024 * 1024));

        let strange = csv_rows("slug,altitude\n".as_bytes()).map(|_| ());
        let endless = outline(csv_rows(open.as_bytes()).unwrap());

        assert!(strange.unwrap_err().to_string().contains("`altitude`"));
        assert_eq!(endless.len(), 1);
        assert!(endless[0].1.contains("quote left open"), "{endless:?}");
    }
}
