//! The compatibility checklist of the wire contract, point by point: each is one test here, named by its number, and stands nowhere
//! else.

mod connect;
mod lifecycle;
mod login;
mod registry;
mod resources;
mod spy_engine;
mod status;

/// The files that hold the points.
const FILES: [&str; 6] = [
    include_str!("connect.rs"),
    include_str!("login.rs"),
    include_str!("resources.rs"),
    include_str!("status.rs"),
    include_str!("registry.rs"),
    include_str!("lifecycle.rs"),
];

#[test]
fn every_point_from_1_to_51_is_a_test() {
    let mut numbers = Vec::new();
    for file in FILES {
        let lines: Vec<&str> = file.lines().collect();
        for pair in lines.windows(2) {
            let Some(name) = pair[1].strip_prefix("fn point_") else {
                continue;
            };
            assert_eq!(pair[0], "#[test]", "point_{name} is no test");
            numbers.push(name[..2].parse::<u8>().unwrap());
        }
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=51).collect::<Vec<u8>>());
}
