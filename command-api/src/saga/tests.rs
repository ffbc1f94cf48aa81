//! What the routes of sagas make of requests.

use domain::saga::Command as Saga;
use domain::{Command, Refusal, RefusalKind};
use http::StatusCode;
use lanes::CommandError;

use crate::itinerary::tests::{World, body};

const SAGA: &str = "0190b3a0-0000-7000-8000-000000000005";

fn retry() -> String {
    format!("/v1/sagas/{SAGA}/retry")
}

fn resolution() -> String {
    format!("/v1/sagas/{SAGA}/resolution")
}

#[tokio::test]
async fn an_operator_interferes_in_words_that_say_what_with() {
    let refund = || "refund".to_owned();
    let cases = [
        (retry(), "{}", Saga::Retry { reason: String::new() }),
        (
            retry(),
            r#"{"step":"refund","reason":"It is back."}"#,
            Saga::Force { step: refund(), reason: "It is back.".to_owned() },
        ),
        (
            resolution(),
            r#"{"step":"refund","reason":"Paid by hand."}"#,
            Saga::Resolve { step: Some(refund()), reason: "Paid by hand.".to_owned() },
        ),
        (
            resolution(),
            r#"{"reason":"All done by hand."}"#,
            Saga::Resolve { step: None, reason: "All done by hand.".to_owned() },
        ),
    ];

    for (path, sent, expected) in cases {
        let world = World::accepting();
        let answer = world.send_as("operator", "POST", &path, sent).await;

        assert_eq!(answer.status(), StatusCode::OK, "{sent}");
        assert_eq!(answer.headers()["etag"], "\"3\"");
        let request = world.only_command();
        assert_eq!(request.stream.to_string(), format!("saga-{SAGA}"));
        assert_eq!(request.command, Command::Saga(expected));
    }
}

#[tokio::test]
async fn nobody_but_operators_interferes() {
    for roles in ["traveller", "support"] {
        for path in [retry(), resolution()] {
            let world = World::accepting();
            let answer = world.send_as(roles, "POST", &path, r#"{"reason":"Why not."}"#).await;

            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{roles} {path}");
            assert!(world.nothing_sent());
        }
    }
}

#[tokio::test]
async fn what_no_saga_accepts_never_reaches_a_lane() {
    let long = serde_json::json!({ "reason": "x".repeat(1_001) }).to_string();
    let cases = [
        (resolution(), r#"{"reason":" "}"#, 422, "saga_text_blank"),
        (resolution(), r#"{"step":"refund"}"#, 400, "invalid_field"),
        (resolution(), long.as_str(), 422, "saga_text_too_long"),
        (retry(), long.as_str(), 422, "saga_text_too_long"),
        (retry(), r#"{"steps":"refund"}"#, 400, "invalid_field"),
    ];

    for (path, sent, status, code) in cases {
        let world = World::accepting();
        let answer = world.send_as("operator", "POST", &path, sent).await;

        assert_eq!(answer.status().as_u16(), status, "{sent}");
        assert_eq!(body(answer).await["code"], code);
        assert!(world.nothing_sent(), "{sent}");
    }
}

#[tokio::test]
async fn a_refusal_says_which_rule_was_broken() {
    let refusal: Refusal = domain::saga::Refusal::NotStuck.into();
    assert_eq!(refusal.kind, RefusalKind::Rule);
    let world = World::answering(Err(CommandError::Refused(refusal)));

    let answer = world.send_as("operator", "POST", &retry(), "{}").await;

    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(body(answer).await["code"], "saga_not_stuck");
}
