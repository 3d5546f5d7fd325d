//! Rust in the documents compiles against the SDK.

use std::path::Path;
use std::process::Command;

use caspian_e2e::binary;

use crate::markdown::{Block, blocks, read};

/// Checks a block against the SDK as it was built for this machine.
fn compile(block: &Block) {
    let text = block.text();
    let code = if text.contains("use caspian_sdk::prelude::*;") {
        text
    } else {
        // Statements of a workflow; the names that they take as there are what the text around them says.
        format!(
            "#![allow(unused)]\nuse std::time::Duration;\nuse caspian_sdk::prelude::*;\n\
             fn snippet(event: Event, patient: Row, contact: Row, text: &str) -> Result<(), Failure> {{\n{text}}}\n"
        )
    };
    let debug = binary().parent().map(Path::to_owned).unwrap();
    let sdk = debug.join("libcaspian_sdk.rlib");
    assert!(sdk.exists(), "{} is missing; run the tests with: make test", sdk.display());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("snippet.rs");
    std::fs::write(&file, &code).unwrap();
    let output = Command::new("rustc")
        .args(["--edition", "2024", "--crate-type", "lib", "--emit", "metadata", "--out-dir"])
        .arg(folder.path())
        .arg("--extern")
        .arg(format!("caspian_sdk={}", sdk.display()))
        .arg("-L")
        .arg(format!("dependency={}", debug.join("deps").display()))
        .arg(&file)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}:\n{code}\n{stderr}", block.place());
}

#[test]
fn the_rust_of_the_documents_compiles() {
    let all = ["README.md", "guest-sdk/rust/README.md"].map(blocks).concat();
    let rust: Vec<&Block> = all.iter().filter(|block| block.language == "rust").collect();
    assert!(rust.len() >= 3, "{rust:?}");
    rust.into_iter().for_each(compile);
}

#[test]
fn the_cargo_toml_of_the_sdk_is_that_of_a_plugin() {
    let block = blocks("guest-sdk/rust/README.md").into_iter().find(|b| b.language == "toml").unwrap();
    let plugin = read("plugins/patient-onboarding/Cargo.toml");
    for line in block.lines.iter().filter(|line| !line.is_empty()) {
        assert!(plugin.lines().any(|l| l == line), "{}: a plugin's Cargo.toml has no: {line}", block.place());
    }
}

#[test]
fn every_block_of_code_has_a_language_that_is_checked() {
    for file in crate::markdown::documents() {
        for block in blocks(&file) {
            let known = ["", "sh", "bash", "toml", "rust"].contains(&block.language.as_str());
            assert!(known, "{}: nothing checks '{}'", block.place(), block.language);
        }
    }
}
