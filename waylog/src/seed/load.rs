//! Loads lines through the API, several at once, and tells in order what came of each.

use std::time::Duration;

use futures::{StreamExt as _, stream};
use service_kit::problem::ProblemDocument;

use super::item::Item;
use super::lines::{Line, Lines};
use crate::api::{Api, Request, Trouble};

/// How long a server may be away before loading stops.
const PATIENCE: Duration = Duration::from_secs(30);

/// What came of loading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// They are there: loaded now or before.
    pub(super) loaded: u64,
    /// They cannot be.
    pub(super) bad: u64,
}

/// What came of one line.
enum Came {
    Loaded,
    Bad(String),
    /// Neither, and nothing behind it will fare better.
    Stopped(Trouble),
}

/// Loads what the lines hold; `told` hears of each line in order how far it is, and why it is bad.
///
/// # Errors
/// When the lines cannot be read on, or the server is away for long or lets nobody do this. What
/// was loaded so far is there, and not loaded again by another run.
pub(super) async fn load(
    api: &Api,
    lines: Lines<'_>,
    concurrency: usize,
    mut told: impl FnMut(&Tally, u64, u64, Option<&str>),
) -> anyhow::Result<Tally> {
    api.reach().await?;
    let mut tally = Tally::default();
    let each = |line: std::io::Result<Line>| async move {
        let Line { number, item, until } = line?;
        let came = match item {
            Ok(item) => send(api, &item).await,
            Err(wrong) => Came::Bad(wrong),
        };
        anyhow::Ok((number, until, came))
    };
    let mut answers = stream::iter(lines).map(each).buffered(concurrency);
    while let Some(answer) = answers.next().await {
        let (number, until, came) = answer?;
        let bad = match came {
            Came::Loaded => {
                tally.loaded += 1;
                None
            }
            Came::Bad(wrong) => {
                tally.bad += 1;
                Some(wrong)
            }
            Came::Stopped(trouble) => {
                let error = anyhow::Error::new(trouble);
                return Err(error.context(format!(
                    "stopped at line {number}, after {} were loaded; run it again, and it goes on",
                    tally.loaded
                )));
            }
        };
        told(&tally, until, number, bad.as_deref());
    }
    Ok(tally)
}

async fn send(api: &Api, item: &Item) -> Came {
    let key = match item.key() {
        Ok(key) => key,
        Err(wrong) => return Came::Bad(wrong),
    };
    let request = Request::post(item.kind.path(), &item.body, key);
    match api.insist(&request, PATIENCE).await {
        Ok(_) => Came::Loaded,
        Err(Trouble::Refused(problem)) if item.named_by_content && problem.status == 409 => {
            Came::Loaded
        }
        Err(Trouble::Refused(problem)) if matches!(problem.status, 400 | 409..=422) => {
            Came::Bad(reason(&problem))
        }
        Err(trouble) => Came::Stopped(trouble),
    }
}

/// A refusal as one line.
fn reason(problem: &ProblemDocument) -> String {
    let said = problem.detail.as_ref().unwrap_or(&problem.title);
    let fields = problem.errors.iter().map(|error| match error.field.as_str() {
        "" => error.message.clone(),
        field => format!("{field} {}", error.message),
    });
    let fields: Vec<String> = fields.collect();
    if fields.is_empty() {
        format!("{said} ({})", problem.code)
    } else {
        format!("{} ({})", fields.join("; "), problem.code)
    }
}
