//! As [`rows`](super::rows): the remedies about where images come from, and about releases without a release file.

use super::rows::Row::{self, Followed, PassedOn};

#[rustfmt::skip]
pub(super) const SOURCES: &[(&str, Row)] = &[
    ("?: pack it: `tar -cf {path}.tar -C {path} .`, then write docker-archive:{path}.tar", Followed(&["archives_of_docker_are_named_as_the_message_says"])),
    ("?: write docker-archive:{path}", Followed(&["archives_of_docker_are_named_as_the_message_says"])),
    ("?: write docker:{rest}", Followed(&["an_engine_is_found_as_the_message_says"])),
    ("Content name: add name: HOST/REPOSITORY:TAG to the image in the release file; without one write SOURCE HOST/REPOSITORY:TAG as a line of a file, and give that with --images FILE", Followed(&["images_are_named_as_the_message_says", "what_a_release_before_told_targets_is_kept_or_named_as_the_message_says"])),
    ("Content missing: name one of them in the source: docker-archive:PATH:NAME, or docker-archive:PATH@DIGEST with its id", Followed(&["archives_of_docker_are_named_as_the_message_says"])),
    ("Content missing: pull or build it there: `docker pull {name}`", Followed(&["an_engine_is_found_as_the_message_says"])),
    ("Content which-image: name one of them in the source: docker-archive:PATH:NAME, or docker-archive:PATH@DIGEST with its id", Followed(&["archives_of_docker_are_named_as_the_message_says"])),
    ("Format docker-archive: write docker-archive:{path}", Followed(&["an_engine_that_forgets_its_layers_is_read_by_its_list"])),
    ("Integrity source: save the image again", Followed(&["archives_of_docker_are_named_as_the_message_says"])),
    ("Io ENGINE: start the engine, or say where it listens with DOCKER_HOST=unix:///PATH; or save the image where the engine is with `docker save NAME -o FILE`, and write docker-archive:FILE", Followed(&["an_engine_is_found_as_the_message_says"])),
    ("Io REGISTRY: try again in {} s, as it asks; what was fetched so far is kept", Followed(&["what_a_registry_says_of_its_refusal_is_shown"])),
    ("?: write the line {} registry.example.com/app:1.0, with a name of yours, into a file, and give that with --images FILE", Followed(&["a_first_bundle_needs_no_release_file"])),
    ("?: try again later; where it stays so, its own log says why", Followed(&["what_a_registry_says_of_its_refusal_is_shown"])),
    ("Io REGISTRY: wait, and try again; where it counts by account, log in first with `docker login {}`", Followed(&["what_a_registry_says_of_its_refusal_is_shown"])),
    ("Limit expanded: raise the bound with --expand-limit SIZE", Followed(&["archives_of_docker_are_named_as_the_message_says"])),
    ("Usage ENGINE: start the engine, or say where it listens with DOCKER_HOST=unix:///PATH; or save the image where the engine is with `docker save NAME -o FILE`, and write docker-archive:FILE", Followed(&["an_engine_is_found_as_the_message_says"])),
    ("Usage client-certificate: put the key there, or take the certificate away", Followed(&["certificates_of_one_registry_are_found"])),
    ("Usage images: write a line like registry.example.com/team/app:1.0", Followed(&["lists_of_images_are_put_right_as_the_message_says"])),
    ("Usage missing-key: add a line for each, or give those options; `airlock vendor release new` writes a file that has all of them", Followed(&["what_a_release_file_lacks_or_mistypes_is_put_right_as_the_message_says"])),
    ("Usage output: write the file under another name with -o", Followed(&["what_a_release_file_lacks_or_mistypes_is_put_right_as_the_message_says"])),
    ("Usage value: write a reference in each, as in registry.example.com/team/app:1.0", Followed(&["lists_of_images_are_put_right_as_the_message_says"])),
    ("Usage what: say which one with --{what} NAME", Followed(&["lists_of_images_are_put_right_as_the_message_says"])),
    ("vendor_side/collect/layout.rs Format docker-archive: <remedy>", PassedOn),
    ("vendor_side/collect/registry.rs ?: <advice>", PassedOn),
    ("vendor_side/collect/sources.rs Io REGISTRY: <advice>", PassedOn),
    ("?: give it one: {path: …, name: manuals/installation.pdf}", Followed(&["files_and_repositories_are_put_right_as_the_message_says"])),
    ("?: give one of them another name: {path: …, name: …}", Followed(&["files_and_repositories_are_put_right_as_the_message_says"])),
    ("Content missing: correct tags or versions in the release file", Followed(&["files_and_repositories_are_put_right_as_the_message_says"])),
    ("Limit tags: say a narrower range, or newest: NUMBER beside versions", Followed(&["files_and_repositories_are_put_right_as_the_message_says"])),
];
