//! All points of the compatibility checklist that belong to the appliance are there as tests, each once.

/// The files that hold them.
const FILES: [&str; 6] = [
    include_str!("checklist_connect.rs"),
    include_str!("checklist_login.rs"),
    include_str!("checklist_resources.rs"),
    include_str!("checklist_status.rs"),
    include_str!("checklist_registry.rs"),
    include_str!("checklist_lifecycle.rs"),
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
