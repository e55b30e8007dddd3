//! A double of the Distr agents, made of recordings, and the compatibility checklist of the wire contract.
//!
//! | File | What it does |
//! |---|---|
//! | [`recording`] | reads `recordings/*.jsonl`: what a real hub and its real agents said to each other |
//! | [`release`] | releases with images, documents and a desired state, signed and packed in memory |
//! | [`mirror`] | makes a release whose desired state is the recorded one: same ids, documents, shapes of images |
//! | [`served_appliance`] | an appliance with that release, served by the built binary on loopback |
//! | [`wire`] | connections that stay open as the agents' did |
//! | [`replay`] | sends every recorded request in its order and compares every answer |
//! | [`compare`] | answers side by side, field by field |
//! | [`differences`] | where we answer otherwise on purpose, each with its reason |
//! | [`found`] | where what is printed for agents sends them |
//! | [`recorded`] | one test per recording |
//! | [`checklist`] | one test per point of the checklist, named by its number |

mod checklist;
mod compare;
mod differences;
mod found;
mod mirror;
mod recorded;
mod recording;
mod release;
mod replay;
mod sample;
mod served_appliance;
mod stored;
mod wire;
