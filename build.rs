// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Compiles `proto/` without protoc: Rust types for the canonical packages, and one descriptor set with everything in it, from which the dialects,
//! validation and reflection work at run time; the same once more with the comments, for documentation.

use std::error::Error;
use std::path::{Path, PathBuf};

use prost::Message;
use protox::Compiler;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    // Built in by a macro that does not notice new files.
    println!("cargo:rerun-if-changed=migrations");
    let mut files = Vec::new();
    collect(Path::new("proto"), &mut files)?;
    files.sort();

    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    // From protox, not from prost's types: those drop the options that the dialects are written in. A gateway needs no comments, and they are most of it.
    for (name, comments) in [("weiche.binpb", false), ("documented.binpb", true)] {
        let mut all = Compiler::new(["proto"])?;
        all.include_imports(true).include_source_info(comments);
        all.open_files(&files)?;
        std::fs::write(out.join(name), all.encode_file_descriptor_set())?;
    }

    let mut canonical = Compiler::new(["proto"])?;
    canonical.include_imports(true).include_source_info(true);
    canonical.open_files(files.iter().filter(|file| file.starts_with("proto/weiche")))?;
    let set = prost_types_set(&canonical.encode_file_descriptor_set())?;
    tonic_prost_build::configure().build_server(false).bytes(".").compile_fds(set)?;

    // What a case system with generated code works on: nothing of the program, the measure of benches/translate.rs.
    let mut dialects = Compiler::new(["proto"])?;
    dialects.include_imports(true);
    dialects.open_files(files.iter().filter(|file| file.starts_with("proto/dialects")))?;
    let (set, types) = (prost_types_set(&dialects.encode_file_descriptor_set())?, out.join("dialects"));
    std::fs::create_dir_all(&types)?;
    tonic_prost_build::configure().build_server(false).build_client(false).bytes(".").out_dir(types).compile_fds(set)?;
    Ok(())
}

fn prost_types_set(bytes: &[u8]) -> Result<prost_types::FileDescriptorSet, Box<dyn Error>> {
    Ok(prost_types::FileDescriptorSet::decode(bytes)?)
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|ext| ext == "proto") {
            files.push(path);
        }
    }
    Ok(())
}
