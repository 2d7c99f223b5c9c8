//! A medium: an extracted tree or an ISO image, and whether its parts agree (FORMAT.md M2, M3).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufReader, Read};

use super::MediaError;
use super::bootcfg::{self, BootConfig, base_name};
use super::imgdb::Database;
use crate::rules::{DATABASE, Finding, MEDIUM, RELEASE_OF_MEDIUM, Releases};

/// The configuration that UEFI firmware leads to.
const UEFI_CONFIG: &str = "efi/boot/boot.cfg";
const BIOS_CONFIG: &str = "boot.cfg";
const DATABASE_NAME: &str = "imgdb.tgz";
/// Most files of a medium. Those of the vendor have fewer than 300.
const MOST_FILES: usize = 20_000;

/// A file of a medium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediumFile {
    /// Path from the root of the medium, with slashes, as spelled there.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
}

/// Where the files of a medium come from.
pub trait Medium {
    /// All files.
    ///
    /// # Errors
    /// If they cannot be listed.
    fn files(&self) -> io::Result<Vec<MediumFile>>;

    /// Reads a file, which is named as [`Medium::files`] names it.
    ///
    /// # Errors
    /// If it cannot be opened.
    fn open<'m>(&'m self, path: &str) -> io::Result<Box<dyn Read + 'm>>;

    /// How firmware starts the medium, one line for each way. A tree does not say.
    fn boot_entries(&self) -> Vec<String> {
        Vec::new()
    }
}

/// What a medium holds.
#[derive(Debug)]
pub struct Image {
    /// By path in lower case.
    pub(super) files: BTreeMap<String, MediumFile>,
    /// Paths and contents of one or two configurations.
    pub(super) configs: Vec<(String, BootConfig)>,
    pub(super) database_path: String,
    pub(super) database: Database,
    pub(super) release: Releases,
    pub(super) build: Option<String>,
    pub(super) problems: Vec<Finding>,
    pub(super) boot_entries: Vec<String>,
    /// Whether a module is gzipped, by its path in lower case.
    pub(super) gzipped: BTreeMap<String, bool>,
}

impl Image {
    /// Reads a medium.
    ///
    /// # Errors
    /// If it is none of 5.0 or later, damaged, or of which release cannot be told. That its parts do
    /// not agree is no error here: see [`Image::problems`].
    pub fn read(medium: &dyn Medium) -> Result<Self, MediaError> {
        let listed = medium.files().map_err(MediaError::io("medium"))?;
        if listed.len() > MOST_FILES {
            return Err(no_medium(format!("holds more than {MOST_FILES} files")));
        }
        let mut files = BTreeMap::new();
        for file in listed {
            let lower = file.path.to_ascii_lowercase();
            if let Some(other) = files.insert(lower, file.clone()) {
                return Err(no_medium(format!(
                    "holds {:?} and {:?}, which boot loaders do not tell apart",
                    other.path, file.path
                )));
            }
        }
        let configs = configs(medium, &files)?;
        let Some((_, first)) = configs.first() else {
            return Err(if fingerprint_of_4(&files) {
                MediaError::one(
                    RELEASE_OF_MEDIUM,
                    "medium",
                    "is one of 4.x, whose packages are of another kind",
                    "use media of 5.0 or later",
                )
            } else {
                no_medium("has no boot.cfg".to_owned())
            });
        };
        let mut problems = Vec::new();
        let database = resolve(&files, "", first, first.modules(), DATABASE_NAME);
        let database_path = database
            .or_else(|| {
                files
                    .contains_key(DATABASE_NAME)
                    .then(|| DATABASE_NAME.into())
            })
            .ok_or_else(|| no_medium("has no imgdb.tgz, or boot.cfg does not name it".into()))?;
        let path = |lower: &str| files.get(lower).map_or("", |file| file.path.as_str());
        let stored = medium
            .open(path(&database_path))
            .map_err(MediaError::io(DATABASE_NAME))?;
        let database = Database::read(&mut BufReader::new(stored))?;
        let build = configs.iter().find_map(|(_, config)| config.value("build"));
        let release = release(build.as_deref(), &database)?;
        for (_, config) in &configs {
            let name =
                |module: &&bootcfg::Module| module.base_name().eq_ignore_ascii_case(DATABASE_NAME);
            if !config.modules().iter().any(|module| name(&module)) {
                problems.push(disagrees("boot.cfg modules", "do not name imgdb.tgz"));
            }
        }
        let mut image = Self {
            boot_entries: medium.boot_entries(),
            files,
            configs,
            database_path,
            database,
            release,
            build,
            problems,
            gzipped: BTreeMap::new(),
        };
        image.compare_configs();
        image.find_modules(medium)?;
        image.compare_profile();
        Ok(image)
    }

    /// What does not agree in it. A medium of which this says something is not edited.
    pub fn problems(&self) -> &[Finding] {
        &self.problems
    }

    /// The release, as a set of one.
    pub fn release(&self) -> Releases {
        self.release
    }

    /// The image database.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The configurations with their paths.
    pub fn configs(&self) -> &[(String, BootConfig)] {
        &self.configs
    }

    /// The path of a module, in lower case.
    pub(super) fn module_path(&self, base: &str) -> Option<String> {
        let (path, config) = self.configs.first()?;
        resolve(&self.files, folder(path), config, config.modules(), base)
    }

    fn compare_configs(&mut self) {
        let [(one_path, one), (two_path, two)] = self.configs.as_slice() else {
            return;
        };
        let names = |config: &BootConfig| {
            let modules = config.modules().iter();
            let name = |file: &str| base_name(file).to_ascii_lowercase();
            let listed = modules.map(|one| (name(&one.file), one.options.clone()));
            (
                name(&config.kernel().unwrap_or_default()),
                listed.collect::<Vec<_>>(),
            )
        };
        if names(one) != names(two) {
            self.problems.push(disagrees(
                format!("{one_path} and {two_path}"),
                "list different modules",
            ));
        }
    }

    /// Looks at every file that a configuration names.
    fn find_modules(&mut self, medium: &dyn Medium) -> Result<(), MediaError> {
        let mut problems = Vec::new();
        for (path, config) in &self.configs {
            let mut seen = BTreeSet::new();
            let kernel = config.kernel().unwrap_or_default();
            let kernel = kernel.split(' ').next().unwrap_or_default();
            let modules = config.modules().iter().map(|one| one.file.as_str());
            for file in std::iter::once(kernel).chain(modules) {
                let base = base_name(file).to_ascii_lowercase();
                if !seen.insert(base) {
                    problems.push(disagrees(format!("{path}: {file}"), "is listed twice"));
                }
                let place = find(&self.files, folder(path), config, file);
                let Some((lower, found)) = place
                    .and_then(|key| Some((self.files.get(&key)?, key)))
                    .map(|(found, key)| (key, found))
                else {
                    problems.push(disagrees(
                        format!("{path}: {file}"),
                        "is not on the medium, and the boot loader would stop there",
                    ));
                    continue;
                };
                if let Entry::Vacant(entry) = self.gzipped.entry(lower) {
                    let mut magic = [0; 2];
                    let mut data = medium
                        .open(&found.path)
                        .map_err(MediaError::io(found.path.as_str()))?;
                    let is_whole = data.read_exact(&mut magic).is_ok();
                    entry.insert(is_whole && magic == [0x1f, 0x8b]);
                }
            }
        }
        self.problems.extend(problems);
        Ok(())
    }

    fn compare_profile(&mut self) {
        let mut problems = Vec::new();
        let mut problem = |place: &str, problem: String| {
            problems.push(Finding::new(
                DATABASE,
                place,
                problem,
                "take a sound medium, or have the vendor's Image Builder export it again",
            ));
        };
        let profile = self.database.profile();
        let vibs = profile.vibs();
        let mut ids = BTreeSet::new();
        for listed in &vibs {
            if !ids.insert(listed.id.as_str()) {
                problem(&listed.id, "is in the profile twice".to_owned());
            }
            let Some((_, record)) = self.database.record(&listed.id) else {
                problem(
                    &listed.id,
                    "is in the profile, and has no record".to_owned(),
                );
                continue;
            };
            for payload in &record.descriptor.payloads {
                let file = listed
                    .payloads
                    .iter()
                    .find(|(name, _)| *name == payload.name);
                let from_module = matches!(payload.kind.as_str(), "tgz" | "vgz");
                match file {
                    None => problem(
                        &listed.id,
                        format!(
                            "has a payload {:?} without a file in the profile",
                            payload.name
                        ),
                    ),
                    Some((_, file)) if from_module && self.module_path(file).is_none() => problem(
                        &listed.id,
                        format!("needs the module {file:?}, which boot.cfg does not name"),
                    ),
                    Some(_) => {}
                }
            }
        }
        for record in self.database.records() {
            if !ids.contains(record.descriptor.id.as_str()) {
                problem(
                    &record.descriptor.id,
                    "has a record, and is not in the profile".to_owned(),
                );
            }
        }
        if profile.level().is_none() {
            let level = profile.level_text();
            problem(
                "acceptancelevel",
                format!("is {level:?}, which is no level"),
            );
        }
        self.problems.extend(problems);
    }
}

fn configs(
    medium: &dyn Medium,
    files: &BTreeMap<String, MediumFile>,
) -> Result<Vec<(String, BootConfig)>, MediaError> {
    let read = |file: &MediumFile| {
        let mut bytes = Vec::new();
        medium
            .open(&file.path)
            .and_then(|data| data.take(bootcfg::MOST_BYTES + 1).read_to_end(&mut bytes))
            .map_err(MediaError::io(file.path.as_str()))?;
        Ok::<_, MediaError>(bytes)
    };
    let mut bios = BIOS_CONFIG.to_owned();
    if let Some(file) = files.get("isolinux.cfg") {
        let text = String::from_utf8_lossy(&read(file)?).to_ascii_lowercase();
        let mut words = text.split_whitespace();
        if words.any(|word| word == "-c")
            && let Some(named) = words.next().map(|word| word.trim_start_matches('/'))
            && files.contains_key(named)
        {
            named.clone_into(&mut bios);
        }
    }
    let mut configs = Vec::new();
    for path in [bios.as_str(), UEFI_CONFIG] {
        if let Some(file) = files.get(path) {
            configs.push((file.path.clone(), BootConfig::parse(&read(file)?)?));
        }
    }
    Ok(configs)
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The file that a module's base name stands for.
fn resolve(
    files: &BTreeMap<String, MediumFile>,
    folder: &str,
    config: &BootConfig,
    modules: &[bootcfg::Module],
    base: &str,
) -> Option<String> {
    let mut modules = modules.iter();
    let module = modules.find(|one| one.base_name().eq_ignore_ascii_case(base))?;
    find(files, folder, config, &module.file)
}

/// The path, in lower case, that a name in a configuration leads to.
fn find(
    files: &BTreeMap<String, MediumFile>,
    folder: &str,
    config: &BootConfig,
    file: &str,
) -> Option<String> {
    let lower = file.to_ascii_lowercase();
    let path = match lower.strip_prefix('/') {
        Some(absolute) => absolute.trim_start_matches('/').to_owned(),
        // A tree for the network is itself what the prefix leads to.
        None if config.value("prefix").is_some() || folder.is_empty() => lower,
        None => format!("{}/{lower}", folder.to_ascii_lowercase()),
    };
    files.contains_key(&path).then_some(path)
}

fn fingerprint_of_4(files: &BTreeMap<String, MediumFile>) -> bool {
    files.contains_key("isolinux.cfg")
        && ["sys.vgz", "image.tgz", "imagedd.bz2"]
            .iter()
            .any(|name| files.contains_key(*name))
}

/// One release, by all that speaks of it.
fn release(build: Option<&str>, database: &Database) -> Result<Releases, MediaError> {
    let base = database
        .records()
        .find(|one| one.descriptor.name == "esx-base");
    let base = base.map(|one| one.descriptor.version.as_str());
    let words: Vec<_> = [("build", build), ("esx-base", base)]
        .into_iter()
        .filter_map(|(word, text)| Some((word, text?)))
        .collect();
    let mut found: Option<Releases> = None;
    for (word, text) in &words {
        let Ok(release) = text.parse::<Releases>() else {
            return Err(MediaError::one(
                RELEASE_OF_MEDIUM,
                format!("{word} {text:?}"),
                "names no release that is known",
                "take a medium of 5.0 to 9.0",
            ));
        };
        if found.is_some_and(|found| found != release) {
            let words: Vec<_> = words
                .iter()
                .map(|(word, text)| format!("{word} {text}"))
                .collect();
            return Err(MediaError::one(
                RELEASE_OF_MEDIUM,
                "medium",
                format!("says two things about its release: {}", words.join(", ")),
                "take a sound medium",
            ));
        }
        found = Some(release);
    }
    found.ok_or_else(|| {
        MediaError::one(
            RELEASE_OF_MEDIUM,
            "medium",
            "does not say its release: build is empty, and there is no esx-base",
            "take a medium of the vendor, or one that Image Builder made",
        )
    })
}

fn disagrees(place: impl Into<String>, problem: &str) -> Finding {
    Finding::new(
        MEDIUM,
        place,
        problem,
        "take a sound medium, or extract it again",
    )
}

fn no_medium(problem: String) -> MediaError {
    MediaError::one(
        MEDIUM,
        "medium",
        problem,
        "name the ISO image, or the folder with the files of its root",
    )
}
