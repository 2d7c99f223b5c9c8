//! What a worker does, and what the session does itself.

use super::*;

#[test]
fn only_what_may_take_long_is_left_to_a_worker() {
    let long = |operation: &Operation| is_long(operation);
    let names = all_operations().into_iter();
    let names = names.filter(|(_, operation)| long(operation));
    let names: Vec<_> = names.map(|(name, _)| name).collect();
    assert_eq!(names, ["copy", "copy over", "digest"]);
    assert!(long(&long_lines("/")));
    for short in [Operation::Facts(path("/")), Operation::Space(path("/"))] {
        assert!(!long(&short), "{short:?}");
    }
}
