// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Clients that share no line with the gateway, with client certificates, over real sockets: grpcio in Python, and buf curl.
//!
//! Both are optional on a developer's machine; `scripts/test` installs them. With `WEICHE_COMPLETE=1` their absence is a failure.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How long the gateway may take until it listens; slow machines build their first TLS in a second or two.
const PATIENCE: Duration = Duration::from_secs(60);

/// A gateway as `weiche init` and `weiche serve` make it, in a folder of its own.
struct Gateway {
    folder: tempfile::TempDir,
    process: Child,
    institutions: SocketAddr,
}

impl Gateway {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let init = Command::new(env!("CARGO_BIN_EXE_weiche")).arg("init").arg(folder.path()).output().unwrap();
        assert!(init.status.success(), "weiche init: {}", shown(&init));
        let config = folder.path().join("weiche.toml");
        let institutions = on_free_ports(&config);
        let log = std::fs::File::create(folder.path().join("serve.log")).unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_weiche"))
            .args(["serve", "--config"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut gateway = Self { folder, process, institutions };
        let begun = Instant::now();
        while TcpStream::connect(gateway.institutions).is_err() {
            let ended = gateway.process.try_wait().unwrap();
            assert!(ended.is_none() && begun.elapsed() < PATIENCE, "weiche serve does not listen ({ended:?}):\n{}", gateway.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        gateway
    }

    fn directory(&self) -> &Path {
        self.folder.path()
    }

    /// `localhost`, since that is what the server's certificate says.
    fn address(&self) -> String {
        format!("localhost:{}", self.institutions.port())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory().join("serve.log")).unwrap_or_default()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Moves every listener of the configuration to a port that is free now, so that tests do not meet; returns the institutions' one.
fn on_free_ports(config: &Path) -> SocketAddr {
    let table: toml::Table = std::fs::read_to_string(config).unwrap().parse().unwrap();
    let mut value = toml::Value::Table(table);
    let mut moved = Vec::new();
    move_ports(&mut value, "", &mut moved);
    std::fs::write(config, toml::to_string(&value).unwrap()).unwrap();
    let (_, institutions) = moved.iter().find(|(key, _)| key.contains("institution")).expect("the configuration names the institutions' listener");
    // The others are let go of only now, so that no port was chosen twice.
    institutions.local_addr().unwrap()
}

fn move_ports(value: &mut toml::Value, key: &str, moved: &mut Vec<(String, TcpListener)>) {
    match value {
        toml::Value::Table(table) => table.iter_mut().for_each(|(name, inner)| move_ports(inner, &format!("{key}.{name}"), moved)),
        toml::Value::Array(array) => array.iter_mut().for_each(|inner| move_ports(inner, key, moved)),
        toml::Value::String(text) if text.replace("localhost:", "127.0.0.1:").parse::<SocketAddr>().is_ok() => {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            *text = listener.local_addr().unwrap().to_string();
            moved.push((key.to_owned(), listener));
        }
        _ => {}
    }
}

fn project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The first of `candidates` that answers to `arguments`; none, with a note, if the client is not installed.
fn installed(what: &str, candidates: &[PathBuf], arguments: &[&str]) -> Option<PathBuf> {
    let works = |program: &&PathBuf| Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success());
    let found = candidates.iter().find(works).cloned();
    if found.is_none() {
        assert!(std::env::var("WEICHE_COMPLETE").as_deref() != Ok("1"), "{what} is missing, and WEICHE_COMPLETE=1 demands it");
        eprintln!("left out: {what} is not installed; scripts/test installs it");
    }
    found
}

fn shown(output: &Output) -> String {
    format!("{}\n{}\n{}", output.status, String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_python_client_carries_a_referral_natively_and_canonically() {
    let candidates = [project().join(".venv/bin/python"), PathBuf::from("python3")];
    let Some(python) = installed("grpcio for Python", &candidates, &["-c", "import grpc, grpc_tools"]) else { return };
    let gateway = Gateway::start();
    let story = Command::new(python)
        .arg("-B")
        .arg(project().join("tests/foreign/python_client.py"))
        .args([gateway.directory().as_os_str(), gateway.address().as_ref()])
        .output()
        .unwrap();
    assert!(story.status.success(), "{}\nthe gateway's log:\n{}", shown(&story), gateway.log());
}

#[test]
fn buf_curl_calls_native_and_canonical_methods_with_a_client_certificate() {
    let Some(buf) = installed("buf", &[project().join("node_modules/.bin/buf"), PathBuf::from("buf")], &["--version"]) else { return };
    let gateway = Gateway::start();
    let call = |institution: &str, method: &str, request: &str| {
        Command::new(project().join("examples/buf-curl/call.sh"))
            .env("BUF", &buf)
            .env("BUF_CACHE_DIR", gateway.directory().join("buf"))
            .arg(gateway.directory())
            .args([&gateway.address(), institution, method, request])
            .output()
            .unwrap()
    };
    let canonical = call("drk-bremen", "weiche.exchange.v1.ReferralService/ListReferrals", "{}");
    assert!(canonical.status.success(), "{}\n{}", shown(&canonical), gateway.log());
    let native = call("caritas-bremen", "caritas.v1.SessionService/ListSessions", "{}");
    assert!(native.status.success(), "{}\n{}", shown(&native), gateway.log());

    // The same door with the wrong key: another institution's dialect, and what only operators may do.
    for method in ["caritas.v1.SessionService/ListSessions", "weiche.admin.v1.AdminService/ListInstitutions"] {
        let refused = call("drk-bremen", method, "{}");
        let says = shown(&refused);
        let plainly = says.contains("permission_denied") || says.contains("unimplemented");
        assert!(!refused.status.success() && plainly, "{method}: {says}");
    }
}
