//! What the strict JSON reader refuses, and how it says so.

use serde::Deserialize;
use serde_json::json;

use super::*;

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Trip {
    title: String,
    period: Period,
    #[serde(default)]
    lines: Vec<Line>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Period {
    start: String,
    end: String,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Line {
    quantity: u32,
}

fn refused(body: impl AsRef<[u8]>) -> (u16, String, serde_json::Value) {
    let document = parse::<Trip>(body.as_ref()).unwrap_err().into_document();
    let errors = serde_json::to_value(document.errors).unwrap();
    (document.status, document.code, errors)
}

#[track_caller]
fn assert_field(body: &serde_json::Value, field: &str, message: &str) {
    let (status, code, errors) = refused(body.to_string());

    assert_eq!((status, code.as_str()), (400, "invalid_field"));
    assert_eq!(errors[0]["field"], field);
    assert!(errors[0]["message"].as_str().unwrap().starts_with(message), "{errors}");
}

#[test]
fn a_well_formed_body_is_read() {
    let body = json!({"title": "Rome", "period": {"start": "a", "end": "b"}});

    let trip = parse::<Trip>(body.to_string().as_bytes()).unwrap();

    assert_eq!(trip.period, Period { start: "a".into(), end: "b".into() });
}

#[test]
fn a_wrong_type_names_its_path() {
    assert_field(
        &json!({"title": "Rome", "period": {"start": 7, "end": "b"}}),
        "period.start",
        "invalid type: integer `7`, expected a string",
    );
    assert_field(
        &json!({"title": "x", "period": {"start": "a", "end": "b"}, "lines": [{"quantity": -1}]}),
        "lines[0].quantity",
        "invalid value: integer `-1`, expected a whole number, not negative and not too large",
    );
}

#[test]
fn an_array_is_no_object_at_any_depth() {
    assert_field(
        &json!(["Rome", {"start": "a", "end": "b"}]),
        "",
        "invalid type: sequence, expected an object",
    );
    assert_field(
        &json!({"title": "Rome", "period": ["a", "b"]}),
        "period",
        "invalid type: sequence, expected an object",
    );
    assert_field(
        &json!({"title": "Rome", "period": {"start": "a", "end": "b"}, "lines": [[2]]}),
        "lines[0]",
        "invalid type: sequence, expected an object",
    );
    assert_field(
        &json!({"title": "Rome", "period": 7}),
        "period",
        "invalid type: integer `7`, expected an object",
    );
}

#[test]
fn an_unknown_field_names_its_path() {
    assert_field(
        &json!({"title": "Rome", "period": {"start": "a", "end": "b", "middle": "c"}}),
        "period.middle",
        "unknown field `middle`",
    );
    assert_field(&json!({"titel": "Rome"}), "titel", "unknown field `titel`");
}

#[test]
fn a_missing_field_names_its_path() {
    assert_field(
        &json!({"title": "Rome", "period": {"start": "a"}}),
        "period.end",
        "missing field `end`",
    );
}

#[test]
fn a_field_given_twice_is_refused() {
    let (status, code, errors) = refused(r#"{"title": "a", "title": "b"}"#);

    assert_eq!((status, code.as_str()), (400, "invalid_field"));
    assert_eq!(errors[0]["field"], "title");
}

#[test]
fn what_is_not_one_json_value_in_utf_8_is_malformed() {
    let deep = "[".repeat(10_000);
    let nested = r#"{"title": "x", "period": "#.to_owned() + &r#"{"a":"#.repeat(10_000);
    let whole = r#"{"title": "x", "period": {"start": "a", "end": "b"}}"#;

    let also_wrong = r#"{"title": 7, "#;

    for body in [
        "",
        "{",
        also_wrong,
        &nested,
        "nonsense",
        &deep,
        &format!("{whole} {whole}"),
        &format!("{whole}]"),
    ] {
        let (status, code, _) = refused(body);

        assert_eq!((status, code.as_str()), (400, "malformed_json"), "{body:.60}");
    }
    assert_eq!(refused(b"{\"title\": \"\xff\"}").1, "malformed_json");
}

#[test]
fn depth_is_bounded_for_types_that_take_anything() {
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);

    let problem = parse::<serde_json::Value>(deep.as_bytes()).unwrap_err();

    assert_eq!(problem.code(), "malformed_json");
}

#[test]
fn a_message_never_quotes_more_than_a_bounded_piece_of_the_body() {
    let body = json!({"title": "Rome", "period": "é".repeat(10_000)});

    let (_, _, errors) = refused(body.to_string());

    assert!(errors[0]["message"].as_str().unwrap().len() <= MESSAGE_BYTES_MAX);
}

#[test]
fn only_json_media_types_pass() {
    for (content_type, passes) in [
        ("application/json", true),
        ("Application/JSON; charset=utf-8", true),
        ("application/merge-patch+json", true),
        ("text/json", false),
        ("application/jsonp", false),
        ("application/x-www-form-urlencoded", false),
        ("json", false),
    ] {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, content_type.parse().unwrap())]);

        assert_eq!(require_json(&headers).is_ok(), passes, "{content_type}");
    }
    assert_eq!(require_json(&HeaderMap::new()).unwrap_err().status(), 415);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_whether_its_length_is_stated_or_not() {
    let stated = Body::from(vec![b' '; BODY_BYTES_MAX + 1]);
    let chunk = || Ok::<_, std::io::Error>(Bytes::from(vec![b' '; BODY_BYTES_MAX / 2 + 1]));
    let streamed = Body::from_stream(futures::stream::iter([chunk(), chunk()]));

    assert_eq!(read_body(stated).await.unwrap_err().code(), "body_too_large");
    assert_eq!(read_body(streamed).await.unwrap_err().code(), "body_too_large");
    assert!(read_body(Body::from(vec![b' '; BODY_BYTES_MAX])).await.is_ok());
}

#[tokio::test]
async fn a_body_that_breaks_off_is_incomplete() {
    let pieces = [Ok(Bytes::from("{")), Err(std::io::Error::other("reset"))];

    let problem = read_body(Body::from_stream(futures::stream::iter(pieces))).await.unwrap_err();

    assert_eq!((problem.status().as_u16(), problem.code()), (400, "incomplete_body"));
}
