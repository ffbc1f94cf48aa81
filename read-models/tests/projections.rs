//! The property that makes "live equals rebuilt" checkable, for every registered projection.

use proptest::prelude::*;
use read_models::projections;
use read_models::testing::harness::{check_order_does_not_matter, deliveries};

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn rows_are_the_same_for_every_interleaving_batching_and_repeat(
        (events, delivery) in deliveries()
    ) {
        for projection in projections() {
            check_order_does_not_matter(&*projection, &events, &delivery)?;
        }
    }
}

#[test]
fn names_of_projections_and_tables_are_their_own() {
    let projections = projections();
    let mut names: Vec<_> = projections.iter().map(|projection| projection.name()).collect();
    let mut tables: Vec<_> = projections
        .iter()
        .flat_map(|projection| projection.tables())
        .map(|table| table.name)
        .collect();
    // Copies in Redis are operated by their names, beside the others.
    let copies = read_models::projections().into_iter().filter_map(read_models::HotCopy::of);
    names.extend(copies.map(|copy| read_models::Projection::name(&copy)));
    let (projections, all) = (names.len(), tables.len());

    names.sort_unstable();
    names.dedup();
    tables.sort_unstable();
    tables.dedup();

    assert_eq!((names.len(), tables.len()), (projections, all));
}
