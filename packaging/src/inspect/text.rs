//! What was found, for people.

use std::fmt::{Display, Formatter, Result, Write as _};

use super::{
    Archive, Bulletin, Bundle, Checksum, ChecksumState, Contents, DepotVib, Descriptor, Entry,
    EntryKind, Extension, Flavour, Inspection, LegacyVib, Member, Payload, Program, Signature,
    SupplyChain, Vib,
};
use crate::Elf;
use crate::sign::Fault;

/// Owner of what a package should hold.
const ROOT: (u64, u64) = (0, 0);

/// Several lines, the last one with a newline at its end.
impl Display for Inspection {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        match &self.contents {
            Contents::Vib(vib) => vib.fmt(out),
            Contents::LegacyVib(vib) => vib.fmt(out),
            Contents::Bundle(bundle) => bundle.fmt(out),
            Contents::WrappedBundle { inner, bundle } => {
                let inner = Plain(inner);
                writeln!(
                    out,
                    "zip around the offline bundle {inner}; hosts want that one"
                )?;
                bundle.fmt(out)
            }
            Contents::Archive(archive) => {
                writeln!(
                    out,
                    "gzipped archive, no package: {} entries",
                    archive.entries.len()
                )?;
                archive.fmt(out)
            }
        }
    }
}

impl Display for Vib {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        self.descriptor.fmt(out)?;
        signature(out, self)?;
        members(out, &self.members)?;
        self.payloads
            .iter()
            .try_for_each(|payload| payload.fmt(out))?;
        self.supply_chain.fmt(out)
    }
}

/// What is said of a signature, signers and faults below it.
fn signature(out: &mut Formatter<'_>, vib: &Vib) -> Result {
    let check = vib.signature_check.as_ref();
    let state = match (vib.signature, check) {
        (Signature::Empty, _) => "none",
        (_, Some(check)) if check.faults.contains(&Fault::Unchecked) => "present, not checked",
        (Signature::NotPem, _) => "present, but not in the form that hosts read",
        (Signature::Pem, Some(check)) if !check.holds() => "present, but it does not hold",
        (Signature::Pem, Some(check)) if check.trust_checked => "signed, by a trusted signer",
        (Signature::Pem, _) => "signed; whether by whom it says is not checked",
    };
    field(out, "signature", state)?;
    let Some(check) = check else {
        return Ok(());
    };
    for signer in &check.signers {
        field(out, "  signer", &signer.subject)?;
        field(out, "  issuer", &signer.issuer)?;
        let validity = format!("{} to {}", signer.not_before, signer.not_after);
        field(out, "  valid", &validity)?;
    }
    check
        .faults
        .iter()
        .try_for_each(|fault| field(out, "  fault", &fault.to_string()))
}

impl Display for Descriptor {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        writeln!(out, "VIB {}", Plain(&self.id))?;
        field(out, "summary", &or_dash(&self.summary))?;
        field(out, "description", &or_dash(&self.description))?;
        field(out, "released", &or_dash(&self.release_date))?;
        field(out, "acceptance", &or_dash(&self.acceptance_level))?;
        let (install, remove) = (&self.live_install_allowed, &self.live_remove_allowed);
        field(
            out,
            "live",
            &format!("install {}, remove {}", or_dash(install), or_dash(remove)),
        )?;
        let (install, remove) = (
            &self.maintenance_mode_install,
            &self.maintenance_mode_remove,
        );
        let or_true = |text: &Option<String>| {
            let text = text.as_deref();
            text.unwrap_or("true (not said)").to_owned()
        };
        field(
            out,
            "maintenance",
            &format!("install {}, remove {}", or_true(install), or_true(remove)),
        )?;
        let (cimom, stateless) = (&self.cimom_restart, &self.stateless_ready);
        let flags = format!(
            "cimom-restart {}, stateless-ready {}, overlay {}",
            or_dash(cimom),
            or_dash(stateless),
            or_dash(&self.overlay)
        );
        field(out, "flags", &flags)?;
        for url in &self.urls {
            field(out, "url", &format!("{} {}", url.key, url.url))?;
        }
        let relations = &self.relationships;
        for (name, list) in relations.in_order() {
            if !list.is_empty() {
                let list: Vec<_> = list.iter().map(ToString::to_string).collect();
                field(out, name, &list.join(", "))?;
            }
        }
        for (name, list) in [
            ("tags", &self.software_tags),
            ("hardware", &self.hardware_platforms),
            ("releases", &self.software_platforms),
        ] {
            if !list.is_empty() {
                field(out, name, &list.join(", "))?;
            }
        }
        field(out, "file list", &format!("{} files", self.files.len()))
    }
}

impl Display for SupplyChain {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        if self.is_empty() {
            return Ok(());
        }
        writeln!(out, "supply chain")?;
        for (name, paths) in [("SBOM", &self.sboms), ("licence", &self.licences)] {
            paths.iter().try_for_each(|path| field(out, name, path))?;
        }
        Ok(())
    }
}

impl Display for Payload {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        write!(
            out,
            "payload {} ({}): ",
            Plain(&self.name),
            Plain(&self.kind)
        )?;
        match self.size {
            None => write!(out, "not in the file")?,
            Some(size) => write!(out, "{size} bytes")?,
        }
        if let Some(size) = self.unpacked_size {
            write!(out, ", {size} unpacked")?;
        }
        if let Some(name) = &self.vfat_name {
            write!(out, ", in the boot bank as {}", Plain(name))?;
        }
        if self.kind == "vzstd" {
            write!(out, "; what zstd holds is not unpacked")?;
        }
        writeln!(out)?;
        self.checksums
            .iter()
            .try_for_each(|checksum| checksum.fmt(out))?;
        self.archive.iter().try_for_each(|archive| archive.fmt(out))
    }
}

impl Display for Checksum {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        let value = Plain(&self.declared.value);
        let state = match &self.state {
            ChecksumState::Verified => format!("verified {value}"),
            ChecksumState::Differs { actual } => {
                format!("DIFFERS, declared {value}, actual {actual}")
            }
            ChecksumState::Unverified { reason } => format!("not verified ({reason}) {value}"),
        };
        field(out, &self.declared.label(), &state)
    }
}

/// An owner that all entries have is told once.
impl Display for Archive {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        let owner = |entry: &Entry| (entry.uid, entry.gid);
        let first = self.entries.first().map(owner);
        let common = first
            .filter(|first| *first != ROOT && self.entries.len() > 1)
            .filter(|first| self.entries.iter().all(|entry| owner(entry) == *first));
        if let Some((uid, gid)) = common {
            let count = self.entries.len();
            writeln!(out, "  all {count} entries belong to {uid}:{gid}")?;
        }
        for entry in &self.entries {
            entry.line(out, common.unwrap_or(ROOT))?;
            writeln!(out)?;
        }
        Ok(())
    }
}

/// One line without a newline: mode, size, path, and what is special.
impl Display for Entry {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        self.line(out, ROOT)
    }
}

impl Entry {
    /// The line; `owner` is one that is not worth a word.
    fn line(&self, out: &mut Formatter<'_>, owner: (u64, u64)) -> Result {
        let mode = format!("0{:03o}", self.mode);
        write!(out, "{mode:>7} {:>10} {}", self.size, Plain(&self.path))?;
        if let Some(link) = &self.link {
            let arrow = if self.kind == EntryKind::Symlink {
                "->"
            } else {
                "is"
            };
            write!(out, " {arrow} {}", Plain(link))?;
        }
        let mut notes = Vec::new();
        if self.is_sticky() {
            notes.push("sticky".to_owned());
        }
        if self.kind == EntryKind::Special {
            notes.push("device, pipe or unknown".to_owned());
        }
        if (self.uid, self.gid) != owner {
            notes.push(format!("owner {}:{}", self.uid, self.gid));
        }
        match self.flavour {
            Flavour::Gnu | Flavour::Visor => {}
            Flavour::Posix => notes.push("POSIX tar".to_owned()),
            Flavour::Old => notes.push("old tar".to_owned()),
        }
        match self.extension {
            Some(Extension::GnuLongName) => notes.push("GNU long name".to_owned()),
            Some(Extension::Pax) => notes.push("pax record".to_owned()),
            Some(Extension::PaxOfMacos) => notes.push("pax record of macOS".to_owned()),
            None => {}
        }
        if let Some(program) = &self.program {
            notes.push(program.to_string());
        }
        if notes.is_empty() {
            return Ok(());
        }
        write!(out, "  [{}]", notes.join(", "))
    }
}

impl Display for Program {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        match self {
            Self::Unreadable { problem } => write!(out, "ELF, not read: {}", Plain(problem)),
            Self::Read {
                bits,
                machine,
                elf_type,
                interpreter,
                needed,
            } => {
                let machine = Elf::machine_name(*machine);
                if elf_type == "relocatable" {
                    return write!(out, "kernel module for {machine}, ELF{bits}");
                }
                let dynamic = interpreter.is_some() || !needed.is_empty();
                let linked = if dynamic { "dynamic" } else { "static" };
                write!(out, "ELF{bits} {elf_type} for {machine}, {linked}")
            }
        }
    }
}

impl Display for LegacyVib {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        writeln!(
            out,
            "VIB {} of ESX 4.x, kind {}",
            Plain(&self.id),
            Plain(&self.vib_type)
        )?;
        field(out, "vendor", &self.vendor)?;
        for (name, value) in [
            ("built", &self.build_date),
            ("maintenance", &self.maintenance_mode),
            ("reboot", &self.reboot_required),
            ("destination", &self.destination),
        ] {
            if let Some(value) = value {
                field(out, name, value)?;
            }
        }
        field(out, "releases", &self.platforms.join(", "))?;
        field(
            out,
            "signature",
            if self.signed {
                "present, not checked"
            } else {
                "none"
            },
        )?;
        members(out, &self.members)?;
        for (name, archive) in [("control", &self.control), ("data", &self.data)] {
            if let Some(archive) = archive {
                writeln!(out, "{name}:")?;
                archive.fmt(out)?;
            }
        }
        Ok(())
    }
}

impl Display for Bundle {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        for vendor in &self.vendors {
            let text = |text: &Option<String>| Plain(text.as_deref().unwrap_or("-")).to_string();
            writeln!(
                out,
                "offline bundle of {} ({})",
                text(&vendor.name),
                text(&vendor.code)
            )?;
            let releases = vendor
                .metadata
                .iter()
                .filter_map(|metadata| metadata.version.clone());
            field(out, "releases", &releases.collect::<Vec<_>>().join(", "))?;
        }
        field(out, "metadata", &self.metadata.join(", "))?;
        if !self.profiles.is_empty() {
            field(out, "profiles", &self.profiles.join(", "))?;
        }
        for path in &self.undescribed {
            field(out, "no metadata", path)?;
        }
        self.bulletins
            .iter()
            .try_for_each(|bulletin| bulletin.fmt(out))?;
        self.vibs.iter().try_for_each(|vib| vib.fmt(out))
    }
}

impl Display for Bulletin {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        writeln!(out, "bulletin {}", Plain(&self.id))?;
        match &self.component {
            Some(part) => {
                let text = format!("{} {} ({})", part.name, part.version, part.ui_name);
                field(out, "component", &text)?;
            }
            None => field(
                out,
                "component",
                "none: esxcli software component does not see it",
            )?,
        }
        field(out, "releases", &self.platforms.join(", "))?;
        field(out, "VIBs", &self.vibs.join(", "))
    }
}

impl Display for DepotVib {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        let path = Plain(self.relative_path.as_deref().unwrap_or("-"));
        match &self.vib {
            None => writeln!(out, "VIB {}: not in the bundle ({path})", Plain(&self.id)),
            Some(vib) => {
                vib.fmt(out)?;
                writeln!(out, "in the bundle")?;
                field(out, "file", &path.to_string())?;
                let state = match (&self.sha256, &self.actual_sha256) {
                    (Some(declared), Some(actual)) if declared == actual => "verified",
                    (Some(_), Some(_)) => "DIFFERS",
                    _ => "not declared",
                };
                let size = self.actual_size.unwrap_or_default();
                field(out, "file sha-256", &format!("{state}, {size} bytes"))
            }
        }
    }
}

fn members(out: &mut Formatter<'_>, members: &[Member]) -> Result {
    let list = members
        .iter()
        .map(|member| format!("{} ({})", member.name, member.size));
    field(out, "members", &list.collect::<Vec<_>>().join(", "))
}

fn field(out: &mut Formatter<'_>, name: &str, value: &str) -> Result {
    writeln!(out, "  {:<14} {}", Plain(name).to_string(), Plain(value))
}

/// Foreign text on one line, without characters that a terminal would obey.
struct Plain<'a>(&'a str);

impl Display for Plain<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        for character in self.0.chars() {
            match character {
                '\n' | '\r' | '\t' => out.write_char(' ')?,
                control if control.is_control() => write!(out, "{}", control.escape_default())?,
                other => out.write_char(other)?,
            }
        }
        Ok(())
    }
}
