// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The binary as an operator meets it: answers, exit codes, signals.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than anything here takes, even on a busy machine.
const AGES: Duration = Duration::from_secs(60);

fn weiche(arguments: &[&str]) -> Output {
    weiche_in(&[], arguments)
}

/// Under these variables.
fn weiche_in(environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weiche"));
    command.args(arguments).env_remove("WEICHE_LOG").envs(environment.iter().copied()).output().unwrap()
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs a verb that must end with this code; its output.
pub fn ends(code: i32, arguments: &[&str]) -> String {
    let output = weiche(arguments);
    assert_eq!(output.status.code(), Some(code), "weiche {}: {}", arguments.join(" "), told(&output));
    told(&output)
}

pub fn json(code: i32, arguments: &[&str]) -> Value {
    let output = weiche(&[arguments, &["--output", "json"]].concat());
    assert_eq!(output.status.code(), Some(code), "weiche {}: {}", arguments.join(" "), told(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A folder that `weiche init` made, with ports of its own.
pub struct Folder {
    dir: tempfile::TempDir,
    verifier_key: String,
    pub port: u16,
    operators: u16,
    ops: u16,
}

impl Folder {
    pub fn new() -> Self {
        Self::made(&[])
    }
    /// With other options for `weiche init`.
    pub fn made(options: &[&str]) -> Self {
        Self::made_in(&[], options)
    }
    /// Under these variables.
    pub fn made_in(environment: &[(&str, &str)], options: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let made = weiche_in(environment, &[&["init", dir.path().to_str().unwrap(), "--output", "json"], options].concat());
        assert!(made.status.success(), "{}", told(&made));
        let made: Value = serde_json::from_slice(&made.stdout).unwrap();
        Self::with_ports(dir, made["verifier_key"].as_str().unwrap().to_owned())
    }
    /// A second gateway of the same installation, on another machine, as it were.
    pub fn beside(&self) -> Self {
        let dir = tempfile::tempdir().unwrap();
        assert!(Command::new("cp").arg("-a").arg(self.dir.path().join(".")).arg(dir.path()).status().unwrap().success());
        Self::with_ports(dir, self.verifier_key.clone())
    }
    fn with_ports(dir: tempfile::TempDir, verifier_key: String) -> Self {
        let ports: Vec<_> = (0..3).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: Vec<u16> = ports.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        let folder = Self { verifier_key, port: ports[0], operators: ports[1], ops: ports[2], dir };
        folder.edit("weiche.toml", |text| {
            let mut port = ports.iter();
            let line = |line: &str| match line.starts_with("listen = ") {
                true => format!("listen = \"127.0.0.1:{}\"", port.next().unwrap()),
                false => line.replace("#: drain_seconds = 20", "drain_seconds = 10"),
            };
            text.lines().map(line).collect::<Vec<_>>().join("\n")
        });
        folder
    }
    pub fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }
    pub fn config(&self) -> String {
        self.path("weiche.toml")
    }
    pub fn edit(&self, name: &str, change: impl Fn(String) -> String) {
        let path = self.path(name);
        std::fs::write(&path, change(std::fs::read_to_string(&path).unwrap())).unwrap();
    }
    pub fn serve(&self) -> Serving {
        self.serve_with(env!("CARGO_BIN_EXE_weiche"), &[])
    }
    /// The same by another program, or under these variables.
    pub fn serve_with(&self, program: &str, environment: &[(&str, &str)]) -> Serving {
        let log = std::fs::File::create(self.path("serve.log")).unwrap();
        let child = Command::new(program)
            .args(["serve", "--config", &self.config()])
            .env_remove("WEICHE_LOG")
            .envs(environment.iter().copied())
            .stderr(log)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut serving = Serving { child, log: self.path("serve.log").into() };
        serving.until("ready");
        serving
    }
    /// The exit code of a real call as a member.
    fn call(&self) -> (Option<i32>, String) {
        let endpoint = format!("https://127.0.0.1:{}", self.port);
        let [cert, key, ca] =
            ["institution/awo-bremen.pem", "institution/awo-bremen.key", "servers-ca.pem"].map(|name| self.path(&format!("certs/{name}")));
        let output = weiche(&["check", "--endpoint", &endpoint, "--cert", &cert, "--key", &key, "--ca", &ca]);
        (output.status.code(), told(&output))
    }
    /// Runs a verb as an admin; it must end with this code.
    pub fn admin(&self, code: i32, verb: &[&str]) -> String {
        self.operator(code, "admin", verb)
    }
    /// The same as another operator.
    pub fn operator(&self, code: i32, name: &str, verb: &[&str]) -> String {
        let file = |name: &str| self.path(&format!("certs/{name}"));
        let endpoint = format!("https://127.0.0.1:{}", self.operators);
        let [cert, key, ca] = [file(&format!("operator/{name}.pem")), file(&format!("operator/{name}.key")), file("servers-ca.pem")];
        ends(code, &[&["--output", "json"], verb, &["--endpoint", &endpoint, "--cert", &cert, "--key", &key, "--ca", &ca]].concat())
    }
    /// What a scraper reads.
    fn metrics(&self) -> String {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", self.ops)).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }
    /// The present value of a metric without labels.
    pub fn measure(&self, name: &str) -> f64 {
        let text = self.metrics();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("{name} is not among\n{text}")).parse().unwrap()
    }
    /// Entries of the log, exported and verified.
    pub fn entries(&self, to: &str) -> u64 {
        json(0, &["audit", "export", "--config", &self.config(), &self.path(to)]);
        let verified = json(0, &["audit", "verify", &self.path(to), "--key", &self.verifier_key]);
        verified["entries"].as_u64().unwrap()
    }
}

pub struct Serving {
    child: Child,
    log: PathBuf,
}

impl Serving {
    pub fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap().success());
    }
    /// Waits for words in the log.
    pub fn until(&mut self, words: &str) {
        self.until_said(&[words], 1);
    }
    /// One or the other, so many times since it started.
    pub fn until_said(&mut self, words: &[&str], times: usize) {
        let since = Instant::now();
        while words.iter().map(|words| self.said().matches(words).count()).sum::<usize>() < times {
            assert!(self.child.try_wait().unwrap().is_none() && since.elapsed() < AGES, "never: {words:?}\n{}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
    pub fn ended(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn init_makes_everything_once_and_overwrites_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    let text = ends(0, &["init", path]);
    assert!(text.contains("weiche serve --config") && text.contains("weiche.example.invalid+"), "{text}");
    let key = std::fs::read(dir.path().join("keys/ledger.key")).unwrap();
    assert!(ends(1, &["init", path]).contains("exists already; nothing was made"));
    // Even a folder with nothing but a key in it is left alone.
    for name in ["weiche.toml", "agreement.toml", "keys/ledger.guard", "keys/vault.key", "weiche.db"] {
        std::fs::remove_file(dir.path().join(name)).unwrap();
    }
    std::fs::remove_dir_all(dir.path().join("certs")).unwrap();
    ends(1, &["init", path]);
    assert_eq!(std::fs::read(dir.path().join("keys/ledger.key")).unwrap(), key);
    assert!(!dir.path().join("certs").exists());
}

#[test]
fn what_init_makes_passes_the_check_and_nobody_else_can_read_its_secrets() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    let checked = json(0, &["check", "--config", &folder.config()]);
    assert_eq!(checked["ok"], true, "{checked:#}");
    for secret in ["keys/ledger.key", "keys/vault.key", "certs/gateway.key", "certs/p12-password"] {
        assert_eq!(std::fs::metadata(folder.path(secret)).unwrap().permissions().mode() & 0o077, 0, "{secret}");
    }
}

#[test]
fn connections_for_which_there_are_too_few_open_files_are_refused() {
    let folder = Folder::new();
    let serve = format!("ulimit -n 1000 && exec {} serve --config {}", env!("CARGO_BIN_EXE_weiche"), folder.config());
    let output = Command::new("sh").args(["-c", &serve]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    assert!(told(&output).contains("512 connections need 1536 open files, this process may have 1000"), "{}", told(&output));
    assert!(told(&output).contains("LimitNOFILE"), "{}", told(&output));
}

#[test]
fn check_names_every_problem_of_a_configuration_with_its_line_and_what_to_do() {
    let folder = Folder::new();
    folder.edit("weiche.toml", |text| {
        text.replace("trust_domain =", "trust_domian =").replace("[vault]", "[valut]").replace("#: lease_seconds = 30", "lease_seconds = 1")
    });
    let text = ends(2, &["check", "--config", &folder.config()]);
    for part in [
        "unknown key `trust_domian`",
        "`trust_domain` is missing",
        "[vault] is missing",
        "unknown key `valut`",
        "`deliveries.lease_seconds` is out of range",
        "between 5 and 600",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.matches("help: ").count() >= 5, "{text}");
    // The same from the verb that would start.
    assert_eq!(ends(2, &["serve", "--config", &folder.config()]), text);
}

#[test]
fn check_looks_behind_the_configuration_and_names_every_file_that_is_wrong() {
    let folder = Folder::new();
    std::fs::remove_file(folder.path("keys/vault.key")).unwrap();
    std::fs::remove_file(folder.path("weiche.db")).unwrap();
    std::fs::copy(folder.path("certs/operators-ca.key"), folder.path("certs/gateway.key")).unwrap();
    folder.edit("agreement.toml", |text| text.replace("dialect = \"awo.v1\"", "dialect = \"klingonisch.v1\"").replace("jmd-vahr", "JMD Vahr"));
    let text = ends(2, &["check", "--config", &folder.config()]);
    for part in ["vault.key", "there is no database", "gateway.pem", "JMD Vahr"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    folder.edit("agreement.toml", |text| text.replace("JMD Vahr", "jmd-vahr"));
    assert!(ends(2, &["check", "--config", &folder.config()]).contains("awo-bremen speaks `klingonisch.v1`"));
    assert!(!Path::new(&folder.path("weiche.db")).exists(), "a check makes nothing");
    ends(2, &["serve", "--config", &folder.config()]);
    assert!(!Path::new(&folder.path("weiche.db")).exists(), "a start makes nothing either");
}

#[test]
fn a_gateway_serves_reloads_drains_and_comes_back_after_a_kill() {
    let folder = Folder::new();
    let mut serving = folder.serve();
    let (code, text) = folder.call();
    assert_eq!(code, Some(0), "{text}\n{}", serving.said());
    assert!(text.contains("TLSv1_3") && text.contains("healthy"), "{text}");
    assert_eq!(folder.entries("log"), 1, "the agreement is the first entry");
    assert!(ends(1, &["serve", "--config", &folder.config()]).contains("is another gateway running?"));

    let status: Value = serde_json::from_str(&folder.admin(0, &["status"])).unwrap();
    assert_eq!((&status["condition"], &status["engine"], &status["log_size"]), (&"ready".into(), &"sqlite".into(), &1.into()), "{status}");
    assert!(status["recipients"].as_array().unwrap().iter().any(|row| row["recipient"] == "drk-bremen" && row["delivery"] == "pull"), "{status}");
    let metrics = folder.metrics();
    for line in
        ["weiche_queue_open{recipient=\"drk-bremen\"} 0", "weiche_recalls_overdue 0", "weiche_log_size 1", "weiche_writer_waiting{lane=\"urgent\"} 0"]
    {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    let nowhere = "0193b2c4-7d1e-4a6b-9c3d-0123456789ab";
    assert_eq!(folder.admin(0, &["queue", "list", "--dead"]), "[]\n");
    assert_eq!(folder.admin(0, &["queue", "list", "--recipient", "drk-bremen"]), "[]\n");
    for verb in ["requeue", "show", "park", "unpark"] {
        assert!(folder.admin(1, &["queue", verb, nowhere]).contains("not found"), "{verb}");
    }
    ends(2, &["queue", "park"]);
    ends(2, &["queue", "list"]);

    // A wrong agreement is not taken over, a changed one is, and is a leaf.
    folder.edit("agreement.toml", |text| text.replace("version = \"2026-1\"", "version = 2026"));
    serving.signal("-HUP");
    serving.until("reload refused");
    folder.edit("agreement.toml", |text| text.replace("version = 2026", "version = \"2026-2\""));
    serving.signal("-HUP");
    serving.until("change=Taken");
    let since = Instant::now();
    while folder.entries("log") != 2 {
        assert!(since.elapsed() < AGES, "{}", serving.said());
    }
    assert_eq!(folder.call().0, Some(0), "new connections after the reload");

    serving.signal("-KILL");
    assert_eq!(serving.ended(), None);
    let mut serving = folder.serve();
    assert_eq!(folder.call().0, Some(0));
    assert_eq!(folder.entries("log"), 2, "the agreement in force is not noted again");

    folder.admin(0, &["queue", "park", "--recipient", "drk-bremen", "--request", nowhere]);
    folder.admin(0, &["queue", "park", "--recipient", "drk-bremen", "--request", nowhere]);
    assert_eq!(folder.entries("log"), 3, "every action of an operator is an entry, and once");
    assert!(folder.admin(0, &["status"]).contains("9999-12-30"));
    folder.admin(0, &["queue", "unpark", "--recipient", "drk-bremen"]);
    assert!(folder.admin(1, &["queue", "unpark", "--recipient", "drk-bremen"]).contains("not parked"));
    assert!(folder.admin(0, &["status", "--stuck"]).contains("\"recipients\": []"), "nothing is stuck");

    let asked = Instant::now();
    serving.signal("-TERM");
    assert_eq!(serving.ended(), Some(0), "{}", serving.said());
    assert!(asked.elapsed() < Duration::from_secs(10), "the deadline is 10 s");
    let mut serving = folder.serve();
    assert!(folder.admin(0, &["drain"]).contains("ended_by"));
    assert_eq!(serving.ended(), Some(0), "{}", serving.said());
    assert_eq!(folder.entries("log"), 5);
    assert_ne!(folder.call().0, Some(0));
    assert!(folder.call().1.contains("no connection to the port"), "{}", folder.call().1);
}

#[test]
fn an_export_verifies_and_one_flipped_byte_does_not() {
    let folder = Folder::new();
    assert!(ends(1, &["audit", "export", "--config", &folder.config(), &folder.path("log")]).contains("start the gateway once"));
    let mut serving = folder.serve();
    serving.signal("-INT");
    assert_eq!(serving.ended(), Some(0));
    assert_eq!(folder.entries("log"), 1);
    let (dir, older) = (folder.path("log"), folder.path("log/checkpoint"));
    let verify = |code, more: &[&str]| ends(code, &[&["audit", "verify", &dir], more].concat());
    assert!(verify(0, &["--key", &folder.verifier_key, "--older", &older]).contains("continues the earlier checkpoint"));
    let policy = folder.path("policy");
    std::fs::write(&policy, format!("log {}\nquorum none\n", folder.verifier_key)).unwrap();
    verify(0, &["--policy", &policy]);
    verify(2, &[]);
    verify(2, &["--key", "no-key"]);
    let mut files = Vec::new();
    files_below(Path::new(&dir), &mut files);
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        let right = std::fs::read(&file).unwrap();
        let mut wrong = right.clone();
        let middle = wrong.len() / 2;
        wrong[middle] ^= 1;
        std::fs::write(&file, wrong).unwrap();
        assert!(verify(3, &["--key", &folder.verifier_key]).contains("NOT the log that was signed"), "{}", file.display());
        std::fs::write(&file, right).unwrap();
    }
    verify(0, &["--key", &folder.verifier_key]);
}

fn files_below(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files_below(&path, files) } else { files.push(path) }
    }
}

#[test]
fn a_database_that_was_put_back_does_not_start_and_the_check_says_why() {
    let folder = Folder::new();
    let serve_once = || {
        let mut serving = folder.serve();
        serving.signal("-TERM");
        assert_eq!(serving.ended(), Some(0));
    };
    serve_once();
    std::fs::copy(folder.path("weiche.db"), folder.path("backup")).unwrap();
    folder.edit("agreement.toml", |text| text.replace("2026-1", "2026-2"));
    serve_once();
    std::fs::copy(folder.path("backup"), folder.path("weiche.db")).unwrap();
    assert!(ends(3, &["check", "--config", &folder.config()]).contains("restored from an older state"));
    assert!(ends(3, &["audit", "export", "--config", &folder.config(), &folder.path("log")]).contains("restored from an older state"));
    assert!(ends(3, &["serve", "--config", &folder.config()]).contains("restored from an older state"));
}

#[test]
fn the_examples_of_all_dialects_translate_and_the_report_says_what_was_withheld() {
    let examples = [
        ("agentur", "vermittlungsvorgang"),
        ("awo", "fall"),
        ("caritas", "session"),
        ("diakonie", "vorgang"),
        ("drk", "task"),
        ("jobcenter", "zuweisung"),
    ];
    let dir = tempfile::tempdir().unwrap();
    let report = dir.path().join("report.json").display().to_string();
    for (from, file) in examples {
        let path = format!("{}/proto/dialects/{from}/examples/{file}.json", env!("CARGO_MANIFEST_DIR"));
        let to = if from == "jobcenter" { "awo" } else { "jobcenter" };
        let out = weiche(&["dialect", "translate", "--from", from, "--to", to, "--categories", "IDENT", "--report", &report, &path]);
        let translated: Value = serde_json::from_slice(&out.stdout).unwrap();
        assert!(translated.as_object().is_some_and(|fields| !fields.is_empty()), "{from}: {}", told(&out));
        let report: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
        let rendered = report["rendered"].as_array().unwrap();
        assert!(rendered.iter().any(|row| row["outcome"] == "withheld"), "{from}: {rendered:?}");
    }
}

#[test]
fn dialects_are_listed_checked_and_explained() {
    let listed = json(0, &["dialect", "list"]);
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["canonical", "agentur", "awo", "caritas", "diakonie", "drk", "jobcenter"]);
    ends(0, &["dialect", "check"]);
    let rows = json(0, &["dialect", "explain", "awo", "jobcenter", "--categories", "IDENT,CONTACT"]);
    assert!(rows.as_array().unwrap().iter().any(|row| row["loss"] == "withheld: category not covered"));
    assert!(ends(2, &["dialect", "explain", "awo", "jobcentre"]).contains("there are canonical, agentur"));
    assert!(ends(2, &["dialect", "explain", "awo", "jobcenter", "--categories", "EVERYTHING"]).contains("not a data category"));
    let empty = tempfile::tempdir().unwrap();
    assert!(ends(1, &["dialect", "check", empty.path().to_str().unwrap()]).contains("no .proto file"));
}

/// A folder of the tests' own dialects.
fn dialects(name: &str) -> String {
    format!("{}/tests/cases/dialects/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_vendors_folder_is_checked_explained_documented_and_used_without_a_gateway() {
    let (seven, onboarding) = (dialects("seven"), dialects("onboarding"));
    assert!(ends(0, &["dialect", "check", &seven]).contains("A seventh system"));
    let broken = format!("{}/tests/cases/dialect-errors/unknown-path", env!("CARGO_MANIFEST_DIR"));
    let told = ends(1, &["dialect", "check", &broken]);
    assert!(told.contains("seven.proto:") && told.contains("help: did you mean"), "{told}");

    let rows = json(0, &["dialect", "explain", "nova", "altsys", "--dialects", &onboarding]);
    assert!(rows.as_array().unwrap().iter().any(|row| row["source"] == "client.dobMs" && row["target"] == "GEBDAT"), "{rows:#}");
    let pairs = json(0, &["dialect", "matrix", "--dialects", &onboarding, "--categories", "IDENT"]);
    assert_eq!(pairs.as_array().unwrap().len(), 9 * 8);
    let pair = pairs.as_array().unwrap().iter().find(|pair| pair["from"] == "nova.v1" && pair["to"] == "altsys.v1").unwrap();
    let loss = |path: &str| pair["losses"].as_array().unwrap().iter().find(|loss| loss["path"] == path).unwrap_or_else(|| panic!("{path}: {pair:#}"));
    assert_eq!((&loss("assignee")["kind"], &loss("assignee")["always"]), (&"dropped".into(), &true.into()));
    assert_eq!(loss("needs")["kind"], "withheld");
    assert!(ends(0, &["dialect", "matrix"]).contains("awo.v1"));

    let page = ends(0, &["dialect", "doc", &onboarding, "--format", "html", "--output", "text"]);
    assert!(page.contains("<html lang=\"en\">") && page.contains("<th scope=\"row\"><code>client.dobMs</code></th>"));
    assert!(!page.contains("<script") && !page.contains("http-equiv") && !page.contains("src="), "a page needs nothing but itself");
    let out = tempfile::tempdir().unwrap();
    ends(0, &["dialect", "doc", "awo", "--out", out.path().to_str().unwrap()]);
    let markdown = std::fs::read_to_string(out.path().join("awo.v1.md")).unwrap();
    assert!(markdown.contains("| /awo.v1.Vermittlung/FallSenden | you call the gateway |"), "{markdown}");
    assert!(markdown.contains(
        "| geb | Geburtsdatum TT.MM.JJJJ; unbekannter Tag oder Monat 00, etwa 00.00.1991. | subject.birth_date | date TT.MM.JJJJ | both |"
    ));
    assert!(out.path().join("awo.v1.html").exists());
    assert!(ends(2, &["dialect", "doc", "klingonisch"]).contains("is no folder either"));
}

#[test]
fn a_difference_says_what_changed_in_meaning_and_ends_badly_where_bytes_break() {
    let dir = tempfile::tempdir().unwrap();
    let source = std::fs::read_to_string(format!("{}/seven.proto", dialects("seven"))).unwrap();
    let version = |name: &str, text: &str| {
        let folder = dir.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("seven.proto"), text).unwrap();
        folder.display().to_string()
    };
    let old = version("old", &source);
    assert!(ends(0, &["dialect", "diff", &old, &old]).contains("Nothing changed"));

    let meaning = source.replace("nationality/iso2", "nationality/iso3").replace("width: 40", "width: 30");
    let meaning = meaning.replace(
        "  string goal = 7",
        "  string mail = 11 [(weiche.dialect.v1.field) = { at: \"subject.contact_points[system=email].value\" }];\n  string goal = 7",
    );
    let changes = json(0, &["dialect", "diff", &old, &version("meaning", &meaning)]);
    let said = |weight: &str, place: &str, part: &str| {
        let found = changes
            .as_array()
            .unwrap()
            .iter()
            .any(|change| change["weight"] == weight && change["place"] == place && change["change"].as_str().unwrap().contains(part));
        assert!(found, "{weight} {place} {part}: {changes:#}");
    };
    said("meaning", "Client.nations", "codes nationality/iso2, and now as subject.nationalities[], codes nationality/iso3");
    said("meaning", "Client.given_family", "at most 30 characters");
    said("addition", "Client.mail", "a new field, 11");

    let breaking = source.replace("int32 born_year = 4", "string born_year = 4");
    let breaking = breaking.lines().filter(|line| !line.contains("string level = 10")).collect::<Vec<_>>().join("\n");
    let told = ends(1, &["dialect", "diff", &old, &version("breaking", &breaking)]);
    assert!(told.contains("was int32 and is string") && told.contains("the field 10 is gone; reserve its number"), "{told}");
    let next = source
        .replace("package seven.v1", "package seven.v2")
        .replace("version: \"1\"", "version: \"2\"")
        .replace("int32 born_year = 4", "string born_year = 4");
    assert!(ends(0, &["dialect", "diff", &old, &version("next", &next)]).contains("was int32 and is string"));
}

#[test]
fn many_messages_are_translated_line_by_line_with_a_summary() {
    let dir = tempfile::tempdir().unwrap();
    let right: Value = serde_json::from_str(include_str!("../../proto/dialects/awo/examples/fall.json")).unwrap();
    let mut wrong = right.clone();
    wrong["geb"] = "31.02.1991".into();
    let file = dir.path().join("cases.jsonl");
    std::fs::write(&file, format!("{right}\n\n{wrong}\nnonsense\n{right}\n")).unwrap();
    let output = weiche(&["dialect", "translate", "--batch", "--from", "awo", "--to", "caritas", "--output", "json", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    let lines: Vec<Value> = String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let at: Vec<u64> = lines.iter().map(|line| line["line"].as_u64().unwrap()).collect();
    assert_eq!(at, [1, 3, 4, 5]);
    assert!(lines[0]["problems"].as_array().unwrap().is_empty() && lines[0]["message"]["user"]["lastName"].is_string());
    assert!(lines[1]["problems"][0].as_str().unwrap().starts_with("geb: ") && lines[2]["message"].is_null());
    let summary: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((&summary["messages"], &summary["refused"]), (&4.into(), &2.into()));
    assert!(summary["losses"].as_object().unwrap().keys().any(|loss| loss.starts_with("dropped ")), "{summary:#}");
}
