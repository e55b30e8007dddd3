//! Where a bundle is written: what stands there is not lost unsaid, and a folder that is missing is told before any work.
#![allow(clippy::disallowed_methods, reason = "tests read what they wrote")]

use std::fs;

use super::cli::{CREATE, CommandFolder};
use crate::support::image_set::ImageSet;

fn vendor() -> CommandFolder {
    let folder = CommandFolder::new();
    let mut set = ImageSet::default();
    let image = set.image("linux/amd64", b"a layer");
    set.tag("1.0", &image);
    set.write_folder(&folder.path("layout"), &[image]);
    folder.release_file("oci:layout");
    folder
}

#[test]
fn a_bundle_of_another_release_is_kept_or_replaced_as_the_message_says() {
    let folder = vendor();
    folder.good(&CREATE);
    let first = fs::read(folder.path("out.airlock")).unwrap();
    // The same release is made again.
    folder.good(&CREATE);
    let second = [&CREATE[..], &["--sequence", "2"]].concat();
    for more in [&[][..], &["--dry-run"]] {
        let (class, code, event) = folder.refused(&[&second[..], more].concat());
        assert_eq!((class.as_str(), code.as_str()), ("E-USAGE", "output"));
        let found = event["found"].as_str().unwrap();
        assert_eq!(
            found,
            "out.airlock is release 1 (1) of app/stable, and this is release 2 of app/stable"
        );
        assert_eq!(
            event["remedy"],
            "give another name, or move it away; where it may be lost, --replace"
        );
        assert!(fs::read(folder.path("out.airlock")).unwrap() == first);
    }
    // As it says: another name, moved away, or lost.
    folder.good(&[&CREATE[..7], &["two.airlock", "--sequence", "2"]].concat());
    assert!(fs::read(folder.path("out.airlock")).unwrap() == first);
    fs::rename(folder.path("out.airlock"), folder.path("one.airlock")).unwrap();
    folder.good(&second);
    folder.good(&[&CREATE[..], &["--sequence", "3", "--replace"]].concat());
    assert_eq!(
        folder.good(&["bundle", "inspect", "out.airlock"])["head"]["sequence"],
        3
    );
    // A bundle that cannot be read is lost to nobody.
    let cut = fs::read(folder.path("one.airlock")).unwrap();
    fs::write(folder.path("out.airlock"), &cut[..600]).unwrap();
    folder.good(&[&CREATE[..], &["--sequence", "4"]].concat());
}

#[test]
fn a_folder_that_is_missing_is_told_before_any_work() {
    let folder = vendor();
    // Nothing can be collected, and that is not even tried.
    fs::remove_dir_all(folder.path("layout")).unwrap();
    let create = [&CREATE[..7], &["usb/out.airlock"]].concat();
    let (class, code, event) = folder.refused(&create);
    assert_eq!((class.as_str(), code.as_str()), ("E-IO", "io"), "{event}");
    assert_eq!(event["remedy"], "check the path, and that the medium is mounted");
    let told = |event: &serde_json::Value| event["found"].as_str().unwrap().starts_with("cannot write into usb:");
    assert!(told(&event), "{event}");
    fs::create_dir(folder.path("usb")).unwrap();
    let (_, _, event) = folder.refused(&create);
    assert!(!told(&event), "{event}");
}
