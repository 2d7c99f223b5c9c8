//! The list of crates as `CycloneDX` 1.5 in JSON. It has neither a time nor a serial number: the same
//! lock file gives the same bytes.

use anyhow::{Context as _, Result, ensure};
use cyclonedx_bom::models::component::{Classification, Component, Components, Scope};
use cyclonedx_bom::models::dependency::{Dependencies, Dependency};
use cyclonedx_bom::models::external_reference::{
    ExternalReference, ExternalReferenceType, ExternalReferences,
};
use cyclonedx_bom::models::hash::{Hash, HashAlgorithm, HashValue, Hashes};
use cyclonedx_bom::models::license::{LicenseChoice, Licenses};
use cyclonedx_bom::models::metadata::Metadata;
use cyclonedx_bom::prelude::{Bom, Purl, SpdxExpression, SpecVersion, Uri, Validate as _};

use super::tree::{Crate, Id, Tree};

/// The newest version that the crate writes.
const VERSION: SpecVersion = SpecVersion::V1_5;

/// Licence of the daemon, as in the manifest of the workspace.
const OURS: &str = "Apache-2.0";

/// The document, with a newline at its end.
pub(super) fn document(tree: &Tree) -> Result<Vec<u8>> {
    let (name, version) = &tree.daemon;
    let mut daemon = Component::new(
        Classification::Application,
        name,
        version,
        Some(reference(&tree.daemon)?),
    );
    daemon.licenses = Some(expression(OURS));
    let components: Result<_> = tree.crates.iter().map(component).collect();
    let mut dependencies = Vec::new();
    for (id, needs) in &tree.needs {
        dependencies.push(Dependency {
            dependency_ref: reference(id)?,
            dependencies: needs.iter().map(reference).collect::<Result<_>>()?,
        });
    }
    let bom = Bom {
        serial_number: None,
        metadata: Some(Metadata {
            component: Some(daemon),
            ..Metadata::default()
        }),
        components: Some(Components(components?)),
        dependencies: Some(Dependencies(dependencies)),
        spec_version: VERSION,
        ..Bom::default()
    };
    let faults = bom.validate_version(VERSION);
    ensure!(faults.passed(), "the SBOM is not valid: {faults:?}");
    let mut bytes = Vec::new();
    bom.output_as_json(&mut bytes, VERSION)
        .context("the SBOM")?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn component((id, one): (&Id, &Crate)) -> Result<Component> {
    let (name, version) = id;
    let mut component =
        Component::new(Classification::Library, name, version, Some(reference(id)?));
    component.scope = Some(if one.is_linked {
        Scope::Required
    } else {
        Scope::Excluded
    });
    component.hashes = Some(Hashes(vec![Hash {
        alg: HashAlgorithm::SHA_256,
        content: HashValue(one.checksum.clone()),
    }]));
    component.licenses = Some(expression(one.licence.as_ref()));
    component.purl = Some(purl(id)?);
    component.external_references = one.repository.as_ref().map(|repository| {
        ExternalReferences(vec![ExternalReference::new(
            ExternalReferenceType::Vcs,
            Uri::new(repository),
        )])
    });
    Ok(component)
}

fn expression(text: &str) -> Licenses {
    Licenses(vec![LicenseChoice::Expression(SpdxExpression::new(text))])
}

fn purl((name, version): &Id) -> Result<Purl> {
    Purl::new("cargo", name, version).with_context(|| format!("{name} {version}"))
}

/// How the parts of the document name each other.
fn reference(id: &Id) -> Result<String> {
    Ok(purl(id)?.to_string())
}
