//! Nothing of the machine is visible to a guest.

use caspian_e2e::{HostOptions, ManifestBuilder, Site, SiteOptions};

#[tokio::test]
async fn a_guest_sees_no_environment_no_files_and_no_network() {
    let environment = vec![("CASPIAN_TEST_SECRET".to_owned(), "in-the-environment".to_owned())];
    let host = HostOptions { environment, ..HostOptions::default() };
    let site = Site::with(SiteOptions { host, ..SiteOptions::default() }).await;
    let run = site.one_run(&ManifestBuilder::probe("world", "world"), &["succeeded"]).await;
    let result = run["result"].as_str().unwrap();
    let seen = |name: &str| {
        let line = result.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_else(|| panic!("no {name} in: {result}"))
    };
    assert_eq!(seen("env"), "[]");
    assert_eq!(seen("args"), "[]");
    assert_eq!(seen("stdin"), "0 bytes");
    for name in ["open", "create", "create-here", "read-dir", "tcp-connect", "tcp-listen", "udp", "resolve"] {
        assert!(seen(name).starts_with("refused"), "{name}: {}", seen(name));
    }
    assert!(!std::path::Path::new("/tmp/probe").exists());
    let here = std::env::current_dir().unwrap().display().to_string();
    assert!(!result.contains(&here) && !result.contains("in-the-environment"), "{result}");
}
