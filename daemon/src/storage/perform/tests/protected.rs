//! Names that can be listed and fetched, and never changed.

use protocol::request::{Timestamp, UploadStart};

use super::{copy, do_it, rename};
use crate::{
    accounts::Rights,
    config::Config,
    storage::{
        perform::{Failure, Operation},
        sample::{BOTH, Sample, path},
        upload::Upload,
    },
};

fn sample(choice: crate::config::RootChoice) -> Sample {
    let sample = Sample::new(choice, Rights::protecting(&["*.vmx", "kept"]));
    for name in ["vm.vmx", "other"] {
        sample.write(name, name);
    }
    std::fs::create_dir(sample.path("kept")).unwrap();
    std::os::unix::fs::symlink("vm.vmx", sample.path("link")).unwrap();
    sample
}

fn upload(sample: &Sample, name: &str, start: UploadStart) -> Result<(), Failure> {
    let (root, rights) = (sample.files.root(), sample.files.rights());
    let config = Config::default();
    Upload::prepare(root, rights, &config, &path(name), start, false).map(drop)
}

#[test]
fn protected_names_are_neither_changed_nor_given_to_anything() {
    let modified = Timestamp {
        seconds: 0,
        nanoseconds: 0,
    };
    for choice in BOTH {
        let sample = sample(choice);
        for operation in [
            Operation::RemoveFile(path("vm.vmx")),
            Operation::RemoveDirectory(path("kept")),
            Operation::MakeDirectory(path("new.vmx")),
            Operation::SetMode {
                path: path("vm.vmx"),
                mode: 0o777,
            },
            Operation::SetMode {
                path: path("link"),
                mode: 0o777,
            },
            Operation::SetModified {
                path: path("vm.vmx"),
                modified,
            },
            rename("vm.vmx", "free"),
            rename("other", "vm.vmx"),
            rename("other", "new.vmx"),
            rename("kept", "free"),
            copy("other", "vm.vmx"),
            copy("other", "link"),
            copy("other", "new.vmx"),
        ] {
            let what = format!("{operation:?}");
            let result = do_it(&sample.files, operation);
            assert_eq!(result, Err(Failure::AccountForbids), "{what}");
        }
        for (name, start) in [
            ("vm.vmx", UploadStart::Replace),
            ("vm.vmx", UploadStart::End),
            ("vm.vmx", UploadStart::At(1)),
            ("new.vmx", UploadStart::Replace),
            ("link", UploadStart::Replace),
        ] {
            let result = upload(&sample, name, start);
            assert_eq!(result, Err(Failure::AccountForbids), "{name} {start:?}");
        }
        assert_eq!(sample.read("vm.vmx"), b"vm.vmx");
    }
}

#[test]
fn beside_protected_names_everything_works() {
    for choice in BOTH {
        let sample = sample(choice);
        for operation in [
            copy("vm.vmx", "copy"),
            rename("copy", "moved"),
            Operation::RemoveFile(path("moved")),
            Operation::MakeDirectory(path("kept/inside")),
            // The link has another name; what it leads to stays.
            Operation::RemoveFile(path("link")),
        ] {
            let what = format!("{operation:?}");
            assert!(do_it(&sample.files, operation).is_ok(), "{what}");
        }
        // The server chooses another name.
        assert_eq!(upload(&sample, "new.vmx", UploadStart::Suggested), Ok(()));
        assert_eq!(upload(&sample, "other", UploadStart::Replace), Ok(()));
    }
}

/// Clients show a user what the facts say may be done.
#[test]
fn the_facts_of_protected_names_permit_to_look_only() {
    for choice in BOTH {
        let sample = sample(choice);
        let facts = |name: &str| {
            let facts = sample.files.entry_facts(&path(name)).unwrap();
            facts.permissions
        };
        let file = facts("vm.vmx");
        assert!(file.retrieve && !(file.append || file.write || file.delete || file.rename));
        let link = facts("link");
        assert!(link.delete && link.rename && !(link.append || link.write));
        let directory = facts("kept");
        assert!(directory.enter && directory.list && directory.create);
        assert!(!(directory.delete || directory.rename));
        let other = facts("other");
        assert!(other.append && other.write && other.delete && other.rename);
    }
}
