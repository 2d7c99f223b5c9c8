//! `boot.cfg` as the boot loader reads it, and edits that touch one value.

use packaging::media::BootConfig;
use proptest::prelude::*;

use super::fixture::{MODULES, medium};

fn parsed(text: &str) -> BootConfig {
    BootConfig::parse(text.as_bytes()).expect("the loader takes it")
}

fn refusal(bytes: &[u8]) -> String {
    BootConfig::parse(bytes).expect_err("refused").to_string()
}

fn names(config: &BootConfig) -> Vec<&str> {
    let modules = config.modules().iter();
    modules.map(|module| module.file.as_str()).collect()
}

#[test]
fn keys_are_compared_without_case_and_may_be_cut_short() {
    let config = parsed("KERNEL=/b.b00\r\nMod = a  ---b---  --- c x  y \r\n\r\n# title=no\n");
    assert_eq!(config.kernel().as_deref(), Some("/b.b00"));
    assert_eq!(names(&config), ["a", "b", "c"]);
    assert_eq!(config.modules()[2].options, "x  y");
    assert_eq!(config.value("title"), None);
}

#[test]
fn the_last_of_two_values_counts_and_unknown_keys_do_not() {
    let config = parsed("kernel=one\nkernel=two=2\nfuture=1\nno sign here\nmodules=a\nmodules=b\n");
    assert_eq!(config.kernel().as_deref(), Some("two=2"));
    assert_eq!(names(&config), ["b"]);
    assert_eq!(config.value("prefix"), None);
    let emptied = parsed("kernel=a\nprefix=x\nprefix=\n");
    assert_eq!(emptied.value("prefix"), None, "an empty value unsets it");
}

#[test]
fn a_kernel_has_to_be_named_and_numbers_are_numbers() {
    assert!(refusal(b"modules=a\n").contains("names no kernel"));
    assert!(refusal(b"").contains("names no kernel"));
    let text = refusal(b"kernel=a\ntimeout=soon\n");
    assert!(text.contains("timeout=\"soon\": is not a number"), "{text}");
    assert!(parsed("kernel=a\ntimeout=\n").value("timeout").is_none());
}

#[test]
fn hostile_configurations_have_an_end() {
    assert!(refusal(b"kernel=a\0b\n").contains("holds the character '\\0'"));
    assert!(refusal(b"kernel=\xff\n").contains("is not text in UTF-8"));
    let many = format!("kernel=a\nmodules={}\n", "m --- ".repeat(10_000));
    assert!(refusal(many.as_bytes()).contains("lists more than 4096"));
    let large = vec![b'#'; 2 << 20];
    assert!(refusal(&large).contains("has more than 1048576 bytes"));
    assert!(names(&parsed("kernel=a\nmodules=---------")).is_empty());
}

#[test]
fn an_edit_changes_the_bytes_of_the_list_only() {
    let text = "# by hand\r\nTITLE=x\r\nkernel=/b.b00\r\nmodules= /a.b00 ---  /IMGDB.TGZ--- /z.tgz\r\nzzz=1\r\n";
    let config = parsed(text);
    let new = ["/hello.t00".to_owned(), "/more.v00".to_owned()];
    let edited = config.insert_before("imgdb.tgz", &new).unwrap();
    assert_eq!(
        edited.text(),
        text.replace("/IMGDB", "/hello.t00 --- /more.v00 --- /IMGDB")
    );
    let back = edited.without("hello.t00").unwrap();
    assert_eq!(back.without("MORE.V00").unwrap().text(), text);
    let shorter = config.without("z.tgz").unwrap();
    assert!(
        shorter.text().contains("/IMGDB.TGZ\r\nzzz"),
        "{}",
        shorter.text()
    );
    let error = config.insert_before("none.tgz", &new).unwrap_err();
    assert!(error.to_string().contains("do not name none.tgz"));
}

#[test]
fn boot_options_are_added_to_the_line_that_is_there() {
    let config = parsed("kernel=/b.b00\r\nkernelopt=runweasel Key=1\r\nmodules=a\r\n");
    let edited = config.with_options("key=2 other=3").unwrap();
    assert_eq!(
        edited.text(),
        "kernel=/b.b00\r\nkernelopt=runweasel key=2 other=3\r\nmodules=a\r\n"
    );
    let edited = parsed("kernel=/b.b00\r\nmodules=a\r\n")
        .with_options("a=1")
        .unwrap();
    assert_eq!(
        edited.text(),
        "kernel=/b.b00\r\nkernelopt=a=1\r\nmodules=a\r\n"
    );
    let edited = parsed("kernel=/b.b00").with_options("a=1").unwrap();
    assert_eq!(edited.text(), "kernel=/b.b00\nkernelopt=a=1");
    for bad in ["a=\"1", "a='", "a=\\n", "a=\u{e4}", "a\nkernel=x"] {
        let error = config.with_options(bad).unwrap_err().to_string();
        assert!(error.contains("(FORMAT.md M12)"), "{error}");
    }
    let error = config.with_options(&"x".repeat(4096)).unwrap_err();
    assert!(error.to_string().contains("stay below 4096"), "{error}");
}

#[test]
fn the_configuration_of_media_is_read() {
    let config = BootConfig::parse(&medium("6.7").0["BOOT.CFG"]).unwrap();
    assert_eq!(config.modules().len(), MODULES.split(" --- ").count());
    assert_eq!(
        config.value("kernelopt").as_deref(),
        Some("runweasel cdromBoot")
    );
}

proptest! {
    #[test]
    fn what_is_inserted_and_taken_out_again_leaves_no_trace(
        before in prop::collection::vec("[a-z]{1,6}\\.[a-z][0-9]{2}( [a-z]=[0-9])?", 0..6),
        after in prop::collection::vec("[a-z]{1,6}\\.[a-z][0-9]{2}", 0..6),
        gaps in prop::collection::vec(prop::sample::select(vec!["---", " --- ", "\t---  ", "--- --- "]), 12),
        ending in prop::sample::select(vec!["", "\n", "\r\n", "\nupdated=0\n"]),
    ) {
        let mut list = String::new();
        let items = before.iter().map(String::as_str).chain(["imgdb.tgz"]);
        for (place, item) in items.chain(after.iter().map(String::as_str)).enumerate() {
            if place > 0 {
                list.push_str(gaps[place % gaps.len()]);
            }
            list.push_str(item);
        }
        let text = format!("kernel=k\nmodules={list}{ending}");
        let config = parsed(&text);
        let edited = config.insert_before("imgdb.tgz", &["UPPER.t00".to_owned()]).unwrap();
        prop_assert_eq!(edited.modules().len(), config.modules().len() + 1);
        let back = edited.without("upper.t00").unwrap();
        prop_assert_eq!(back.text(), text.as_str());
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(config) = BootConfig::parse(&bytes) {
            drop(config.with_options("a=1"));
            drop(config.insert_before("imgdb.tgz", &["a".to_owned()]));
        }
    }
}
