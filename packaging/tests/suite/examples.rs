//! The examples of the library, which are compiled and run here as they stand.

use std::io::Cursor;

#[expect(dead_code, reason = "an example is a program of its own, too")]
#[path = "../../examples/build_in_memory.rs"]
mod build_in_memory;
#[expect(dead_code, reason = "an example is a program of its own, too")]
#[path = "../../examples/list_bundle.rs"]
mod list_bundle;
#[expect(dead_code, reason = "an example is a program of its own, too")]
#[path = "../../examples/verify_one.rs"]
mod verify_one;

#[test]
fn what_one_example_builds_the_others_read() {
    let (vib, bundle) = build_in_memory::build().unwrap();
    for file in [&vib, &bundle] {
        let findings = verify_one::findings(Cursor::new(file)).unwrap();
        assert!(findings.is_empty(), "{findings:?}");
    }
    let damaged = &vib[..vib.len() - 20];
    let findings = verify_one::findings(Cursor::new(damaged)).unwrap();
    assert_eq!(findings.len(), 1);
    assert_eq!(
        list_bundle::list(Cursor::new(&bundle)).unwrap(),
        [
            "acme_bootbank_hello_1.2.0-1",
            "  0755          0 opt/",
            "  0755          0 opt/hello/",
            "  0755          0 opt/hello/bin/",
            "  0755         21 opt/hello/bin/hello",
        ]
    );
    assert!(list_bundle::list(Cursor::new(&vib)).is_err());
}
