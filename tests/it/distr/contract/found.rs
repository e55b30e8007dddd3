//! Where what is printed for agents sends them: to the server that runs on the state folder, as far as a configuration leaves that open.

use super::sample::{EDGE, Sample};
use super::served_appliance::{CREDENTIALS, ServedAppliance};

/// The address in what is printed, and what is said about it.
fn printed(served: &ServedAppliance, more: &[&str]) -> (String, String) {
    let words = ["target", "connect", EDGE, "--new-secret"];
    let output = served.airlock(&[&words[..], more].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let command = String::from_utf8(output.stdout).unwrap();
    let address = command.split("http://").nth(1).unwrap().split('/').next().unwrap();
    (address.to_owned(), said)
}

#[test]
fn agents_are_sent_to_the_server_that_runs() {
    let mut served = ServedAppliance::serving(CREDENTIALS, &Sample::default().draft());
    let address = served.address().to_string();
    let (found, said) = printed(&served, &[]);
    assert_eq!(found, address);
    assert!(
        said.contains(&format!(
            "agents are sent to http://{address}, where the server that runs here is found; the configuration alone says http://127.0.0.1:5000"
        )),
        "{said}"
    );
    assert!(said.contains("has a secret, issued here: it stops working at once") || said.contains("new secret"));
    // A configuration that names the address counts, and that they differ is said.
    let named = served.state().with_file_name("named.toml");
    crate::support::appliance::write(&named, b"[agents]\naddress = \"appliance.example:5000\"\n");
    let (found, said) = printed(&served, &["--config", named.to_str().unwrap()]);
    assert_eq!(found, "appliance.example:5000");
    assert!(
        said.contains(&format!(
            "tells them http://{address}: give both the same configuration"
        )),
        "{said}"
    );
    assert!(
        said.contains("has a secret, issued here: it stops working at once"),
        "{said}"
    );
    // Nobody runs: what one said that has ended counts no more.
    served.kill();
    let (found, said) = printed(&served, &[]);
    assert_eq!(found, "127.0.0.1:5000");
    assert!(!said.contains("agents are sent to"), "{said}");
}
