//! The image profile: which packages a medium installs, and from which modules (FORMAT.md M11).

use std::str::FromStr as _;

use quick_xml::escape::{escape, partial_escape};

use super::MediaError;
use crate::Epoch;
use crate::inspect::Node;
use crate::rules::{Level, PROFILE};

/// Most characters of a name.
const NAME_LIMIT: usize = 80;
/// Most characters of a creator.
const CREATOR_LIMIT: usize = 40;

/// An image profile. What is not known here is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    root: Node,
}

/// A package of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// Names of its payloads, each with the base name of its module.
    pub payloads: Vec<(String, String)>,
}

impl Profile {
    pub(super) fn new(root: Node) -> Self {
        Self { root }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.root.text_of("name").unwrap_or_default()
    }

    /// Who made it.
    pub fn creator(&self) -> &str {
        self.root.text_of("creator").unwrap_or_default()
    }

    /// Acceptance level, as written.
    pub fn level_text(&self) -> &str {
        self.root.text_of("acceptancelevel").unwrap_or_default()
    }

    /// Acceptance level, if it is one that is known.
    pub fn level(&self) -> Option<Level> {
        Level::from_str(self.level_text()).ok()
    }

    /// The packages, in their order.
    pub fn vibs(&self) -> Vec<Listed> {
        let list = self.root.child("viblist");
        let vibs = list.into_iter().flat_map(|list| list.named("vib"));
        vibs.map(|vib| Listed {
            id: vib.string("vib-id").unwrap_or_default(),
            payloads: vib
                .list("payloads")
                .iter()
                .map(|payload| {
                    let name = payload.attribute("payload-name").unwrap_or_default();
                    (name.to_owned(), payload.text().to_owned())
                })
                .collect(),
        })
        .collect()
    }

    pub(super) fn add(&mut self, listed: &Listed) {
        let payloads = listed.payloads.iter().map(|(name, file)| {
            let mut payload = Node::with_text("payload", file);
            payload
                .attributes
                .push(("payload-name".to_owned(), name.clone()));
            payload
        });
        let mut list = Node::with_text("payloads", "");
        list.children = payloads.collect();
        let mut vib = Node::with_text("vib", "");
        vib.children = vec![Node::with_text("vib-id", &listed.id), list];
        self.element("viblist").children.push(vib);
    }

    pub(super) fn remove(&mut self, id: &str) {
        self.element("viblist")
            .children
            .retain(|vib| vib.text_of("vib-id") != Some(id));
    }

    pub(super) fn set_level(&mut self, level: Level) {
        self.set("acceptancelevel", level.name());
    }

    pub(super) fn set_modified(&mut self, epoch: Epoch) {
        self.set("modifiedtime", &epoch.in_bulletin());
    }

    /// Gives it a name.
    pub(super) fn set_name(&mut self, name: &str) -> Result<(), MediaError> {
        self.limited("name", name, NAME_LIMIT)
    }

    pub(super) fn set_creator(&mut self, creator: &str) -> Result<(), MediaError> {
        self.limited("creator", creator, CREATOR_LIMIT)
    }

    fn limited(&mut self, element: &str, value: &str, limit: usize) -> Result<(), MediaError> {
        let length = value.chars().count();
        let sound = value.chars().all(|c| c == ' ' || c.is_ascii_graphic());
        if value.trim().is_empty() || length > limit || !sound {
            return Err(MediaError::one(
                PROFILE,
                format!("{element} {value:?}"),
                "cannot be that of a profile",
                format!("give it 1 to {limit} characters of printable ASCII"),
            ));
        }
        self.set(element, value);
        Ok(())
    }

    /// The name of a profile to which something is added: the old name is cut so that both fit.
    pub(super) fn name_with(&self, added: &str) -> String {
        let end = format!("+{added}");
        let old = self.name();
        if old.ends_with(&end) {
            return old.to_owned();
        }
        let room = NAME_LIMIT.saturating_sub(end.chars().count());
        old.chars().take(room).chain(end.chars()).collect()
    }

    /// The name without what [`Profile::name_with`] put there.
    pub(super) fn name_without(&self, removed: &str) -> String {
        let end = format!("+{removed}");
        self.name()
            .strip_suffix(&end)
            .unwrap_or(self.name())
            .to_owned()
    }

    fn set(&mut self, element: &str, text: &str) {
        *self.element(element) = Node::with_text(element, text);
    }

    /// The element of that name, which is made if there is none.
    fn element(&mut self, name: &str) -> &mut Node {
        let children = &mut self.root.children;
        let place = children.iter().position(|child| child.name == name);
        let place = place.unwrap_or_else(|| {
            children.push(Node::with_text(name, ""));
            children.len() - 1
        });
        &mut children[place]
    }

    /// One line of XML, without a declaration.
    pub fn to_xml(&self) -> String {
        let mut text = String::new();
        render(&self.root, &mut text);
        text
    }
}

fn render(node: &Node, out: &mut String) {
    out.extend(["<", &node.name]);
    for (name, value) in &node.attributes {
        out.extend([" ", name, "=\"", &escape(value), "\""]);
    }
    if node.children.is_empty() && node.text().is_empty() {
        out.push_str("/>");
        return;
    }
    out.push('>');
    out.push_str(&partial_escape(node.text()));
    for child in &node.children {
        render(child, out);
    }
    out.extend(["</", &node.name, ">"]);
}
