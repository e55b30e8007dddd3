//! Who gets a seat, and who gives way.

use super::*;

fn peer(text: &str) -> Peer {
    Peer::of(format!("{text}:1").parse().unwrap())
}

/// Eight seats, two of them reserved, five for one peer; idle at once.
fn seats() -> Seats {
    let limits = Limits {
        connections: 8,
        connections_per_address: 5,
        ..Limits::default()
    };
    Seats::with(&limits, Duration::ZERO)
}

fn many(seats: &Seats, from: &str, count: usize) -> Vec<Seat> {
    (0..count).map(|_| seats.take(peer(from)).unwrap()).collect()
}

fn gave_way(held: &[Seat]) -> Vec<bool> {
    held.iter().map(|seat| seat.holder.give_way.is_cancelled()).collect()
}

#[test]
fn the_peer_with_most_gives_way_and_its_longest_idle_connection_first() {
    let seats = seats();
    let (most, few) = (many(&seats, "10.0.0.1", 4), many(&seats, "10.0.0.2", 2));
    assert_eq!(seats.lock().count, 6, "the rest is reserved");
    let new = seats.take(peer("10.0.0.3")).unwrap();
    assert_eq!(gave_way(&most), [true, false, false, false]);
    assert_eq!(gave_way(&few), [false, false]);
    let counts = || {
        let taken = seats.lock();
        (taken.count, taken.leaving)
    };
    assert_eq!(counts(), (6, 1));
    drop(most);
    assert_eq!(counts(), (3, 0));
    drop((few, new));
    assert_eq!(counts(), (0, 0));
    assert!(seats.lock().by_peer.is_empty());
}

#[test]
fn who_is_at_work_never_gives_way() {
    let seats = seats();
    let held = many(&seats, "10.0.0.1", 5);
    let more = many(&seats, "10.0.0.2", 1);
    let work: Vec<AtWork> = held.iter().map(|seat| seat.activity().begin()).collect();
    more[0].activity().set_unsent(true);
    assert!(seats.take(peer("10.0.0.3")).is_none());
    assert!(seats.take(peer("10.0.0.1")).is_none(), "nor for its own peer");
    more[0].activity().set_unsent(false);
    let _third = seats.take(peer("10.0.0.3")).unwrap();
    assert_eq!(gave_way(&more), [true]);
    drop(work);
    assert!(held.iter().all(|seat| !seat.activity().is_at_work()));
    let _own = seats.take(peer("10.0.0.1")).unwrap();
    assert_eq!(gave_way(&held), [true, false, false, false, false]);
}

#[test]
fn known_peers_have_seats_of_their_own_and_give_way_only_to_each_other() {
    let seats = seats();
    let strangers = many(&seats, "10.0.0.1", 5)
        .into_iter()
        .chain(many(&seats, "10.0.0.2", 1));
    let strangers: Vec<Seat> = strangers.collect();
    let work: Vec<AtWork> = strangers.iter().map(|seat| seat.activity().begin()).collect();
    assert!(seats.take(peer("10.0.0.9")).is_none());
    // Credentials shown on any connection of the address count.
    let agent = Acquaintance {
        seats: seats.clone(),
        peer: peer("10.0.0.9"),
        guest: false,
    };
    agent.note();
    let known = many(&seats, "10.0.0.9", 2);
    assert!(
        seats.take(peer("10.0.0.3")).is_none(),
        "no stranger takes a known peer's"
    );
    assert_eq!(gave_way(&known), [false, false]);
    // A second known peer: all is taken, so the first, which has two, gives one up.
    Acquaintance {
        seats: seats.clone(),
        peer: peer("10.0.0.8"),
        guest: false,
    }
    .note();
    let _second = seats.take(peer("10.0.0.8")).unwrap();
    assert_eq!(gave_way(&known), [true, false]);
    // With strangers idle again they give way first.
    drop(work);
    let _third = seats.take(peer("10.0.0.8")).unwrap();
    assert_eq!(gave_way(&known), [true, false]);
    assert_eq!(gave_way(&strangers).iter().filter(|gone| **gone).count(), 1);
}

#[test]
fn one_ipv6_network_and_one_mapped_address_are_one_peer() {
    let seats = seats();
    let work = |seat: &Seat| seat.activity().begin();
    let network: Vec<Seat> = (1..=5)
        .map(|host| seats.take(peer(&format!("[fd00:1:2:3::{host}]"))).unwrap())
        .collect();
    let busy: Vec<AtWork> = network.iter().map(work).collect();
    assert!(seats.take(peer("[fd00:1:2:3:ffff::1]")).is_none());
    assert!(seats.take(peer("[fd00:1:2:4::1]")).is_some());
    drop((busy, network));
    let mapped: Vec<Seat> = (0..5).map(|_| seats.take(peer("[::ffff:10.0.0.1]")).unwrap()).collect();
    let _busy: Vec<AtWork> = mapped.iter().map(work).collect();
    assert!(seats.take(peer("10.0.0.1")).is_none());
}

#[test]
fn a_connection_has_time_for_its_request_and_few_may_be_leaving() {
    let limits = Limits {
        connections: 200,
        connections_per_address: 200,
        ..Limits::default()
    };
    let patient = Seats::with(&limits, Duration::from_secs(60));
    let held = many(&patient, "10.0.0.1", 150);
    let guests = many(&patient, "10.0.0.2", 50 / LENT);
    assert!(guests.iter().all(|seat| seat.acquaintance().is_guest()));
    assert!(patient.take(peer("10.0.0.2")).is_none(), "all are too new to give way");
    drop((held, guests));
    let seats = Seats::with(&limits, Duration::ZERO);
    let _held = many(&seats, "10.0.0.1", 150);
    let newcomers: Vec<Seat> = (0..150).filter_map(|_| seats.take(peer("10.0.0.2"))).collect();
    assert_eq!(
        newcomers.len(),
        LEAVING,
        "connections that do not go are no room for others"
    );
}

#[test]
fn a_guest_that_shows_credentials_is_none_any_more_and_the_others_leave_room() {
    let limits = Limits {
        connections: 32,
        connections_per_address: 24,
        ..Limits::default()
    };
    let seats = Seats::with(&limits, Duration::ZERO);
    let strangers = many(&seats, "10.0.0.1", 24);
    assert!(strangers.iter().all(|seat| !seat.acquaintance().is_guest()));
    let work: Vec<AtWork> = strangers.iter().map(|seat| seat.activity().begin()).collect();
    let guests = many(&seats, "10.0.0.2", 2);
    assert!(guests.iter().all(|seat| seat.acquaintance().is_guest()));
    let busy: Vec<AtWork> = guests.iter().map(|seat| seat.activity().begin()).collect();
    assert!(seats.take(peer("10.0.0.3")).is_none(), "two are lent and no more");
    // What one of them shows counts for its peer.
    guests[0].acquaintance().note();
    assert!(guests.iter().all(|seat| !seat.acquaintance().is_guest()));
    let more = many(&seats, "10.0.0.2", 2);
    assert!(
        more.iter().all(|seat| !seat.acquaintance().is_guest()),
        "these are its own"
    );
    let next = seats.take(peer("10.0.0.3")).unwrap();
    assert!(next.acquaintance().is_guest(), "what was lent is free for the next");
    drop((busy, work));
}
