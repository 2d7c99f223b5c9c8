//! Taking packages out of a medium (FORMAT.md M7 to M10).

use super::changes::{Change, Changes, Content, Options};
use super::edit::{Course, refuse};
use super::image::Image;
use super::imgdb::Edit;
use super::{MediaError, Profile};
use crate::rules::{Finding, Level, PROFILE_LEVEL, SAME_PACKAGE};

impl Image {
    /// Removes packages, by name or id.
    ///
    /// # Errors
    /// If one of them is not there, or needed by others, or not made of modules alone.
    pub fn remove(&self, names: &[String], options: &Options) -> Result<Changes, MediaError> {
        self.ensure_editable()?;
        let mut findings = Vec::new();
        let mut course = Course::new();
        for name in names {
            let records = self.database.records();
            let mut found = records.map(|one| &one.descriptor);
            let Some(found) = found.find(|one| one.name == *name || one.id == *name) else {
                findings.push(Finding::new(
                    SAME_PACKAGE,
                    format!("{name:?}"),
                    "is not in the image",
                    "look for the name with `image show`",
                ));
                continue;
            };
            if let Some((path, record)) = self.database.record(&found.id) {
                course.gone.push((path.to_owned(), record.clone()));
            }
        }
        refuse(findings)?;
        course.gone.sort_by(|one, two| one.0.cmp(&two.0));
        course.gone.dedup_by(|one, two| one.0 == two.0);
        self.check(&mut course, &[])?;
        let mut taken = self.taken();
        for module in &course.modules {
            taken.remove(module);
        }
        self.ensure_numbered(&taken)?;
        let mut profile = self.database.profile().clone();
        let mut gone_names: Vec<_> = course
            .gone
            .iter()
            .map(|(_, one)| one.descriptor.name.clone())
            .collect();
        gone_names.reverse();
        for (_, record) in &course.gone {
            profile.remove(&record.descriptor.id);
        }
        for name in &gone_names {
            profile.set_name(&profile.name_without(name))?;
        }
        if let Some(name) = &options.name {
            profile.set_name(name)?;
        }
        if let Some(creator) = &options.creator {
            profile.set_creator(creator)?;
        }
        if let Some(epoch) = options.epoch {
            profile.set_modified(epoch);
        }
        match options.level {
            Some(level) => self.raise_level(&mut profile, &course, level)?,
            None => course.messages.push(format!(
                "the image keeps the acceptance level {}; --level sets another one",
                profile.level_text()
            )),
        }
        let edit = Edit {
            gone: course.gone.iter().map(|(path, _)| path.clone()).collect(),
            new: Vec::new(),
        };
        let mut changes = Changes::default();
        self.write_configs(&course.modules, &[], options, &mut changes)?;
        changes.write.push(Change {
            path: self.database_file(),
            content: Content::Bytes(self.database.edited(&edit, &profile, options.epoch)?),
        });
        self.finish(course, changes)
    }

    fn raise_level(
        &self,
        profile: &mut Profile,
        course: &Course,
        level: Level,
    ) -> Result<(), MediaError> {
        let gone = |id: &str| course.gone.iter().any(|(_, one)| one.descriptor.id == id);
        for record in self.database.records() {
            let own = record.descriptor.acceptance_level.as_deref();
            let own = own.and_then(|level| level.parse::<Level>().ok());
            if !gone(&record.descriptor.id) && own.is_none_or(|own| own < level) {
                return Err(MediaError::one(
                    PROFILE_LEVEL,
                    format!("--level {}", level.name()),
                    format!("is above that of {}", record.descriptor.id),
                    "remove that package too, or choose a lower level",
                ));
            }
        }
        profile.set_level(level);
        Ok(())
    }
}
