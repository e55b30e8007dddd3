//! What a person does about a finding, by its code.

/// Returns what to do about a finding before it is ended by hand, or that it ends by itself.
pub fn finding_advice(code: &str) -> &'static str {
    match code {
        "package-missing" => {
            "it ends when the package comes, which the site brings out again with `airlock status export DEST --again NUMBER` while its outbox has \
             it: before you acknowledge anything more; later packages cover what was not acknowledged"
        }
        "records-missing" => "it ends when a package covers these numbers; what the site let go before is gone",
        "new-instance" => {
            "where its reason is status-key and you took the new key with `airlock vendor enroll FILE --replace SITE`, nothing more is to be done; else ask the site what was done to its state folder: whether it was restored, copied, or got other keys"
        }
        "branches" => {
            "ask the site which of its state folders goes on: `airlock recover --as cloned` there lets its next package be what is shown; have the \
             other one taken out of use, or recovered as well"
        }
        "clock-back" | "clock-ahead" => "have the clock of the site set, and read its times with that in mind",
        "ledger-behind" => {
            "this ledger is an older copy, or somebody else signs with the ack key, which is then replaced in the root: give it the site's packages again with `airlock status verify FILE`, and releases that it does not know with \
             `airlock vendor ledger learn FILE`; it ends with the next acknowledgement that the site applies"
        }
        "foreign-release" => {
            "find out who signed that release: one of another workspace of yours is learned with `airlock vendor ledger learn FILE`; else a \
             release key is in other hands"
        }
        "unexpected-import" => "find out how the site came by a release that was made for others",
        "release-differs" => {
            "ask the site for its bundle of that release, and compare it with yours: one of both is not what was signed"
        }
        "receipt-differs" => {
            "what the head says counts: the release is known by it; ask the site for its bundle of that release, and whether its appliance is the \
             program that you know"
        }
        "receipt-row" => {
            "it ends when a package brings the row; where none does, ask the site for its log, `airlock audit export -o FILE`"
        }
        "gap-room" => "it ends when the packages come whose gaps tell of these records",
        "records-unexplained" => {
            "a fault of that appliance: have `airlock audit verify` run there; it ends when a later package explains them"
        }
        "key-replaced" => "where the new key's fingerprint was compared by voice, nothing more is to be done",
        "summary-instance" => {
            "it ends when a package of that life of the site comes; then give a summary again that is newer than the package"
        }
        "audit-discontinuity" | "lineage" | "package-number" | "previous" | "receipt" | "record" => {
            "ask the site whether its appliance was copied, turned back, or got other keys: there `airlock recover --as restored` (or cloned) begins \
             a new instance, whose packages are taken; what was refused lies in evidence/"
        }
        _ => "find out at the site how that came to be",
    }
}
