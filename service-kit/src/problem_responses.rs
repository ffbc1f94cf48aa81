//! Problems in an OpenAPI description: which statuses a route may answer with, and what they mean.

use std::collections::BTreeMap;

use utoipa::ToSchema as _;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

use crate::problem::{PROBLEM_MEDIA_TYPE, ProblemDocument};

/// One response a status, each with the one schema of all problems.
#[must_use]
pub fn problem_responses(descriptions: &[(&str, &str)]) -> BTreeMap<String, RefOr<Response>> {
    let problem = Ref::from_schema_name(ProblemDocument::name());
    let content = ContentBuilder::new().schema(Some(problem)).build();
    let response = |description: &str| {
        ResponseBuilder::new()
            .description(description)
            .content(PROBLEM_MEDIA_TYPE, content.clone())
            .build()
    };
    descriptions
        .iter()
        .map(|(status, description)| ((*status).to_owned(), response(description).into()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_refers_to_the_one_schema() {
        let described = problem_responses(&[("404", "Not there"), ("503", "Away")]);

        let json = serde_json::to_value(&described).unwrap();
        assert_eq!(json["404"]["description"], "Not there");
        let content = &json["503"]["content"][PROBLEM_MEDIA_TYPE];
        assert_eq!(content["schema"]["$ref"], "#/components/schemas/Problem");
    }
}
