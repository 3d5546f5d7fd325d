//! What installs and runs Caspian: scripts, Dockerfile, systemd unit. None of it is executed here.

use std::process::Command;

use caspian_e2e::{binary, repository};

use crate::markdown::read;

#[test]
fn scripts_have_no_mistakes_of_syntax() {
    let mut count = 0;
    let folders = ["scripts", ".ci"].map(|name| repository().join(name));
    for entry in folders.iter().filter(|f| f.exists()).flat_map(|folder| std::fs::read_dir(folder).unwrap()) {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let first = text.lines().next().unwrap_or_default();
        let mut check = if first.contains("python3") {
            let mut python = Command::new("python3");
            python.args(["-c", "import ast, sys; ast.parse(open(sys.argv[1]).read())"]);
            python
        } else {
            assert_eq!(first, "#!/usr/bin/env bash", "{}", path.display());
            assert!(text.contains("\nset -euo pipefail\n"), "{} goes on after a failure", path.display());
            let mut bash = Command::new("bash");
            bash.arg("-n");
            bash
        };
        let output = check.arg(&path).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {stderr}", path.display());
        use std::os::unix::fs::PermissionsExt as _;
        let mode = path.metadata().unwrap().permissions().mode();
        let executable = mode & 0o111 == 0o111 || first.contains("python3");
        assert!(executable, "{} can't be executed", path.display());
        count += 1;
    }
    assert!(count >= 3, "{count}");
}

/// Instructions of the Dockerfile, continued lines joined.
fn instructions() -> Vec<(String, String)> {
    let text = read("packaging/Dockerfile").replace("\\\n", " ");
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once(' ').unwrap()).map(|(i, a)| (i.to_owned(), a.to_owned())).collect()
}

#[test]
fn the_dockerfile_keeps_the_rules() {
    let all = instructions();
    let of = |name: &str| all.iter().filter(|(i, _)| i == name).map(|(_, a)| a.as_str()).collect::<Vec<_>>();
    for (instruction, arguments) in &all {
        let known = "FROM WORKDIR COPY RUN USER VOLUME ENV EXPOSE ENTRYPOINT CMD LABEL ARG STOPSIGNAL";
        assert!(known.split(' ').any(|k| k == instruction), "{instruction} {arguments}");
        for word in ["SECRET", "PASSWORD", "TOKEN", "MASTER_KEY"] {
            let set = matches!(instruction.as_str(), "ENV" | "ARG" | "LABEL");
            assert!(!(set && arguments.to_uppercase().contains(word)), "a secret: {instruction} {arguments}");
        }
    }
    // Bases of a fixed version; the builder's is the Rust that the workspace needs at least.
    let bases = of("FROM");
    for base in &bases {
        let image = base.split(' ').next().unwrap();
        let (_, tag) = image.split_once(':').unwrap_or_else(|| panic!("{image} has no tag"));
        assert!(!tag.is_empty() && tag != "latest", "{image}");
    }
    let needed =
        read("Cargo.toml").split("rust-version = \"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert!(bases[0].starts_with(&format!("rust:{needed}")), "{} is not Rust {needed}", bases[0]);
    // Both stages have the same Debian, and with it the same libc.
    assert!(bases.iter().all(|base| base.contains("bookworm")), "{bases:?}");
    // What runs in the end is no root, and runs without a shell between it and its signals.
    let last = all.iter().rposition(|(i, _)| i == "FROM").unwrap();
    let user = all[last..].iter().find(|(i, _)| i == "USER").expect("USER in the last stage");
    assert!(!["root", "0"].contains(&user.1.as_str()), "{user:?}");
    let after_user = all.iter().skip_while(|step| *step != user).skip(1);
    assert!(after_user.into_iter().all(|(i, _)| i != "RUN" && i != "COPY"), "made after USER");
    for form in ["ENTRYPOINT", "CMD"] {
        assert!(of(form).iter().all(|a| a.starts_with('[')), "{form} runs in a shell");
    }
    let run = of("RUN").join("\n");
    assert!(run.contains("cargo build --locked --release -p caspian"), "{run}");
    assert!(run.contains("--no-install-recommends") && run.contains("rm -rf /var/lib/apt/lists/*"), "{run}");
    assert!(!run.contains("curl ") && !run.contains("sudo "), "{run}");
    // The data folder is a volume that its user alone can read.
    let volume = of("VOLUME");
    assert!(run.contains(&format!("-m 700 {}", volume[0])), "{run}");
    assert!(of("ENV").iter().any(|e| e.contains(&format!("CASPIAN_DATA={}", volume[0]))), "{all:?}");
    // The port that it listens on is the one it shows.
    let port = of("EXPOSE")[0];
    assert!(of("ENV").iter().any(|e| e.contains(&format!("CASPIAN_LISTEN=0.0.0.0:{port}"))), "{all:?}");
    // Nothing that was built here, or that is of one's own, goes into the build.
    let ignored = read(".dockerignore");
    for name in ["target", ".git", "caspian-data"] {
        assert!(ignored.lines().any(|line| line.trim_matches('/') == name), ".dockerignore lacks {name}");
    }
}

/// The environment variables that files of packaging set or name are those of `caspian serve`.
#[test]
fn variables_of_packaging_are_those_of_serve() {
    let help = Command::new(binary()).args(["serve", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap() + "CASPIAN_MASTER_KEY= CASPIAN_ALERT_SECRET=";
    let reference = read("packaging/caspian.toml");
    let keys: Vec<String> =
        reference.lines().filter_map(|line| Some(line.split_once(" = ")?.0.to_owned())).collect();
    for file in [
        "packaging/Dockerfile",
        "packaging/caspian.service",
        "packaging/caspian.toml",
        "docs/configuration.md",
        "docs/operations.md",
    ] {
        for word in read(file)
            .split(|c: char| !c.is_ascii_uppercase() && c != '_')
            .filter(|w| w.starts_with("CASPIAN_"))
        {
            let of_commands = ["CASPIAN_URL", "CASPIAN_TOKEN"].contains(&word);
            let path = word.strip_prefix("CASPIAN__").and_then(|path| path.split_once("__"));
            let of_key = path.is_some_and(|(section, key)| {
                let (section, key) = (section.to_lowercase(), key.to_lowercase());
                reference.contains(&format!("\n[{section}]\n")) && keys.contains(&key)
            });
            let form = word == "CASPIAN__SECTION__KEY";
            let known = of_commands || of_key || form || help.contains(&format!("{word}="));
            assert!(known, "{file}: {word} is nobody's");
        }
    }
}

#[test]
fn the_systemd_unit_is_valid() {
    let unit = read("packaging/caspian.service");
    let (mut section, mut keys) = (String::new(), Vec::new());
    for line in unit.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            Some(name) => section = name.to_owned(),
            None => {
                let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("no setting: {line}"));
                keys.push((section.clone(), key.to_owned(), value.to_owned()));
            }
        }
    }
    let value = |section: &str, key: &str| {
        let found = keys.iter().find(|(s, k, _)| s == section && k == key);
        found.unwrap_or_else(|| panic!("[{section}] {key} is missing")).2.clone()
    };
    assert_eq!(
        value("Service", "ExecStart"),
        "/usr/local/bin/caspian serve --config /etc/caspian/caspian.toml"
    );
    assert!(!["root", "0"].contains(&value("Service", "User").as_str()));
    assert_eq!(value("Service", "StateDirectoryMode"), "0700");
    assert_eq!(value("Service", "NoNewPrivileges"), "true");
    assert_eq!(value("Install", "WantedBy"), "multi-user.target");
    assert!(!keys.iter().any(|(_, k, v)| k == "Environment" && (v.contains("KEY") || v.contains("TOKEN"))));
    // Grace time of a shutdown, an effect's own timeout, and some more.
    let configuration = read("packaging/caspian.toml");
    let seconds = |key: &str| {
        let text = configuration.split(&format!("\n{key} = ")).nth(1).unwrap();
        text.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<u64>().unwrap()
    };
    let stop: u64 = value("Service", "TimeoutStopSec").parse().unwrap();
    assert!(stop >= seconds("grace_seconds") + seconds("request_timeout_seconds") + 5, "{stop}");

    // Where systemd is, it checks every name and value. The program must be there for it.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("caspian.service");
    std::fs::write(&file, unit.replace("/usr/local/bin/caspian", &binary().display().to_string())).unwrap();
    if let Ok(output) = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&file).output() {
        let said = String::from_utf8_lossy(&output.stderr);
        let about: Vec<&str> = said.lines().filter(|line| line.contains("caspian.service")).collect();
        assert!(about.is_empty(), "{about:#?}");
    }
}

/// Every metric of the code is explained, and every one that is explained exists.
#[test]
fn the_metrics_of_the_documents_are_those_of_the_code() {
    fn walk(folder: &std::path::Path, found: &mut std::collections::BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                for kind in ["counter!(\"", "gauge!(\"", "histogram!(\""] {
                    found.extend(
                        text.split(kind).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()),
                    );
                }
            }
        }
    }
    let mut of_code = std::collections::BTreeSet::new();
    walk(&repository().join("host/src"), &mut of_code);
    let text = read("docs/operations.md");
    let table = text.split("| metric | labels | meaning |").nth(1).unwrap().split("\n\n").next().unwrap();
    let cells = table.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let documented = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect();
    assert_eq!(of_code, documented, "left: host/src, right: docs/operations.md");
}
