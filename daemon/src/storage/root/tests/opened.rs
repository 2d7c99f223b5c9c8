//! Roots with a directory that stays open.

use super::*;

#[test]
fn an_opened_root_is_left_for_what_links_lead_to_and_never_leads_out() {
    for kind in KINDS {
        let host = Host::new(kind);
        fs::create_dir_all(host.at("a/b")).unwrap();
        host.write("a/b/f", "in the opened");
        host.write("a/up", "above it");
        host.link("../up", "a/b/relative");
        host.link(host.at("a/up"), "a/b/absolute");
        host.link("../../../secret", "a/b/out");
        let opened = host.root.opened(&path("a/b")).unwrap();
        let read = |name: &str| {
            let (mut file, _stat) = opened.open_read(&path(name))?;
            let mut content = String::new();
            file.read_to_string(&mut content).unwrap();
            Ok(content)
        };
        for (name, content) in [
            ("a/b/f", Ok("in the opened")),
            ("a/b/relative", Ok("above it")),
            ("a/b/absolute", Ok("above it")),
            ("a/up", Ok("above it")),
            ("a/b/out", Err(Failure::LinkRefused)),
            ("a/b/c/f", Err(Failure::NotFound)),
        ] {
            assert_eq!(read(name), content.map(str::to_owned), "{kind:?} {name}");
        }
        let found = opened.resolve(&path("a/b/relative")).unwrap();
        assert_eq!(found, path("a/up"));
        assert_eq!(opened.stat(&path("a/b")), host.root.stat(&path("a/b")));
        // The attacker's move: the directory becomes a link to somewhere outside.
        fs::rename(host.at("a/b"), host.at("a/moved")).unwrap();
        host.link(host.directory.path(), "a/b");
        assert_ne!(read("a/b/secret"), Ok("secret".to_owned()));
        assert_eq!(
            host.root.opened(&path("a/b")).is_ok(),
            kind == RootKind::Paths
        );
    }
}

#[test]
fn a_path_is_resolved_to_a_root_opened_in_the_directory_that_was_reached() {
    for kind in KINDS {
        let host = Host::new(kind);
        fs::create_dir_all(host.at("a/b")).unwrap();
        host.write("a/b/f", "content");
        host.link("a/b/f", "link");
        host.link("../../../secret", "a/b/out");
        host.link(".", "a/b/here");
        let resolve = |name: &str| host.root.resolve_opened(&path(name));
        for name in ["a/b/f", "link"] {
            let (found, opened, stat) = resolve(name).unwrap();
            assert_eq!(found, path("a/b/f"), "{kind:?} {name}");
            assert_eq!(stat, opened.stat(&found).ok());
            assert_eq!(opened.stat(&found), host.root.stat(&path("a/b/f")));
        }
        for (name, failure) in [
            ("a/b/out", Failure::LinkRefused),
            ("a/b/here", Failure::IsADirectory),
            ("a/none/f", Failure::NotFound),
        ] {
            let refused = resolve(name).map(|(found, ..)| found);
            assert_eq!(refused, Err(failure), "{kind:?} {name}");
        }
        let root = host.root.resolve_opened(&VirtualPath::root());
        assert_eq!(root.map(drop), Err(Failure::IsADirectory));
    }
    // The attacker's move comes after the look; by paths, it would lead out.
    let host = Host::new(RootKind::Confined);
    fs::create_dir_all(host.at("a/b")).unwrap();
    let (new, opened, nothing) = host.root.resolve_opened(&path("a/b/new")).unwrap();
    assert_eq!(nothing, None);
    fs::rename(host.at("a/b"), host.at("a/moved")).unwrap();
    host.link(host.directory.path(), "a/b");
    opened.create_new(&new, 0o644).unwrap();
    assert!(host.at("a/moved/new").exists());
    assert!(!host.directory.path().join("new").exists());
}
