//! The chain of commits on an object store, to the end of its states: create-only objects, fences,
//! floors, packs and deletion, processes that stop for any time or crash, requests that land late or
//! twice.
//!
//! Each rule that `src/store/blobs/chain.rs` names is left out once, and the checker must then find
//! what goes wrong. Not modelled: bytes, entries, and what `tests/chain_simulation.rs` does with the
//! real code. The real code refuses some of what is found here, for it compares sessions and heads:
//! the rules must do without that.
//!
//! `ARBORLOG_MODEL=3,3,2,1 cargo test --test chain_model -- --nocapture`: three processes, three
//! places, two sessions, one request that gets loose.
#![cfg(feature = "cli")]

use stateright::{Checker as _, HasDiscoveries, Model, Property};

/// An object: whose it is, and whether it is a fence. Its place is where it stands. A session sends
/// one batch for a place at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Object {
    session: u8,
    fence: bool,
}

/// An object for a place.
type Put = (u8, Object);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Mode {
    /// It reads.
    Follows,
    /// It read this fence, or nothing, at its next place, and looks for a floor next.
    Read(Option<Object>),
    /// It found the end. It may send a fence, at any time from now on.
    AtEnd,
    /// Its request is under way; whether a copy of it is loose.
    Sends(Object, bool),
    /// Its fence landed. It looks for a floor next.
    Fenced(Object),
    /// Another's fence is where its batch was to go. It looks for a floor next.
    Met(Object),
    Leads,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Process {
    session: u8,
    /// What it takes for the log.
    known: Vec<Object>,
    mode: Mode,
}

impl Process {
    fn next(&self) -> u8 {
        self.known.len() as u8
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    /// By place.
    objects: Vec<Option<Object>>,
    floor: u8,
    /// What packs have below the floor.
    packed: Vec<Object>,
    /// Places where a sweep found a batch below the floor, as bits: it deletes what is there, now or
    /// later, once or again.
    sweeping: u8,
    processes: Vec<Process>,
    /// Requests whose senders know nothing of them any more. They land at some time, or never.
    loose: Vec<Put>,
    acknowledged: Vec<Put>,
    /// Batches of which it was said that nothing of them is kept.
    denied: Vec<Put>,
    sessions: u8,
    crashes: u8,
    lost: u8,
    /// Somebody made a pack that contradicts another.
    contradiction: bool,
    void: bool,
    landed_below: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Action {
    Get(usize),
    LookForFloor(usize),
    SendFence(usize),
    SendBatch(usize),
    /// A copy of the request gets loose: it is sent again.
    Resend(usize),
    Land(usize),
    /// The sender gives up, and its request is loose.
    GiveUp(usize),
    LandLoose(usize),
    Vanish(usize),
    Pack(usize),
    Sweep(u8),
    Delete(u8),
    Crash(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LeftOut {
    Nothing,
    /// Rule 1.
    FencesStay,
    /// Rule 2.
    CandidatesLook,
    /// Rule 3, for readers.
    ReadersLook,
    /// Rule 3, for a leader whose batch meets a fence.
    LeadersLook,
}

#[derive(Clone, Copy, Debug)]
struct Protocol {
    left_out: LeftOut,
    processes: usize,
    places: u8,
    sessions: u8,
    lost: u8,
}

impl World {
    /// Whether the object of a place is this one afterwards.
    fn create(&mut self, (place, object): Put) -> bool {
        let found = &mut self.objects[place as usize];
        if found.is_none() {
            *found = Some(object);
            self.landed_below |= place < self.floor;
        }
        *found == Some(object)
    }

    fn let_loose(&mut self, put: Put) {
        self.loose.push(put);
        self.loose.sort_unstable();
    }

    /// Whether an object is, or may come to be read, as a part of the log.
    fn is_kept(&self, (place, object): Put) -> bool {
        let known = |process: &Process| process.known.get(place as usize) == Some(&object);
        let stored = self.objects[place as usize] == Some(object) && place >= self.floor;
        stored
            || self.packed.get(place as usize) == Some(&object)
            || self.processes.iter().any(known)
    }
}

impl Protocol {
    fn leaves_out(&self, rule: LeftOut) -> bool {
        self.left_out == rule
    }
}

impl Model for Protocol {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let process = Process {
            session: 0,
            known: Vec::new(),
            mode: Mode::Follows,
        };
        vec![World {
            objects: vec![None; usize::from(self.places)],
            floor: 0,
            packed: Vec::new(),
            sweeping: 0,
            processes: vec![process; self.processes],
            loose: Vec::new(),
            acknowledged: Vec::new(),
            denied: Vec::new(),
            sessions: 0,
            crashes: 0,
            lost: 0,
            contradiction: false,
            void: false,
            landed_below: false,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for (number, process) in world.processes.iter().enumerate() {
            let next = process.next();
            match &process.mode {
                Mode::Follows if next < self.places => actions.push(Action::Get(number)),
                Mode::Follows => {}
                Mode::Read(_) | Mode::Fenced(_) | Mode::Met(_) => {
                    actions.push(Action::LookForFloor(number));
                }
                Mode::AtEnd => {
                    actions.push(Action::Get(number));
                    if world.sessions < self.sessions {
                        actions.push(Action::SendFence(number));
                    }
                }
                Mode::Sends(_, loose) => {
                    actions.push(Action::Land(number));
                    if world.lost < self.lost {
                        actions.push(Action::GiveUp(number));
                        if !loose {
                            actions.push(Action::Resend(number));
                        }
                    }
                }
                Mode::Leads if next < self.places => actions.push(Action::SendBatch(number)),
                Mode::Leads => {}
            }
            // A process that reads may pack what it read.
            let reads = matches!(process.mode, Mode::Follows | Mode::AtEnd | Mode::Leads);
            if reads && next > world.floor {
                actions.push(Action::Pack(number));
            }
            if world.crashes < 1 && process.session > 0 {
                actions.push(Action::Crash(number));
            }
        }
        for place in 0..world.floor {
            let bit = 1 << place;
            if let Some(object) = world.objects[place as usize] {
                let goes = !object.fence || self.leaves_out(LeftOut::FencesStay);
                if goes && world.sweeping & bit == 0 {
                    actions.push(Action::Sweep(place));
                }
                if world.sweeping & bit != 0 {
                    actions.push(Action::Delete(place));
                }
            }
        }
        for loose in 0..world.loose.len() {
            actions.push(Action::LandLoose(loose));
            actions.push(Action::Vanish(loose));
        }
    }

    fn next_state(&self, last: &World, action: Action) -> Option<World> {
        let mut world = last.clone();
        match action {
            Action::Get(number) => {
                let process = &mut world.processes[number];
                let found = last.objects[process.known.len()];
                match found {
                    Some(object) if !object.fence || self.leaves_out(LeftOut::ReadersLook) => {
                        process.known.push(object);
                        process.mode = Mode::Follows;
                    }
                    None if self.leaves_out(LeftOut::ReadersLook) => {
                        process.mode = Mode::AtEnd;
                    }
                    _ => process.mode = Mode::Read(found),
                }
            }
            Action::LookForFloor(number) => {
                let process = &mut world.processes[number];
                let next = process.next();
                let below = next < last.floor;
                let packed = last.packed.get(next as usize).copied();
                match process.mode {
                    Mode::Read(found) => match (packed, found) {
                        (Some(object), _) | (None, Some(object)) => {
                            process.known.push(object);
                            process.mode = Mode::Follows;
                        }
                        (None, None) => process.mode = Mode::AtEnd,
                    },
                    Mode::Fenced(_) if below && !self.leaves_out(LeftOut::CandidatesLook) => {
                        process.mode = Mode::Follows;
                        world.void = true;
                    }
                    Mode::Fenced(fence) => {
                        process.known.push(fence);
                        process.mode = Mode::Leads;
                    }
                    Mode::Met(batch) => {
                        process.mode = Mode::Follows;
                        if !below || self.leaves_out(LeftOut::LeadersLook) {
                            world.denied.push((next, batch));
                            world.denied.sort_unstable();
                        }
                    }
                    _ => return None,
                }
            }
            Action::SendFence(number) => {
                world.sessions += 1;
                let process = &mut world.processes[number];
                process.session = world.sessions;
                let fence = Object {
                    session: process.session,
                    fence: true,
                };
                process.mode = Mode::Sends(fence, false);
            }
            Action::SendBatch(number) => {
                let process = &mut world.processes[number];
                let batch = Object {
                    session: process.session,
                    fence: false,
                };
                process.mode = Mode::Sends(batch, false);
            }
            Action::Resend(number) | Action::GiveUp(number) => {
                let Mode::Sends(object, _) = last.processes[number].mode else {
                    return None;
                };
                world.lost += 1;
                world.let_loose((last.processes[number].next(), object));
                world.processes[number].mode = match action {
                    Action::Resend(_) => Mode::Sends(object, true),
                    _ => Mode::Follows,
                };
            }
            Action::Land(number) => {
                let Mode::Sends(object, _) = last.processes[number].mode else {
                    return None;
                };
                let put = (last.processes[number].next(), object);
                let ours = world.create(put);
                let process = &mut world.processes[number];
                process.mode = match (ours, object.fence) {
                    (true, true) => Mode::Fenced(object),
                    (true, false) => {
                        process.known.push(object);
                        world.acknowledged.push(put);
                        world.acknowledged.sort_unstable();
                        Mode::Leads
                    }
                    (false, true) => Mode::Follows,
                    (false, false) => Mode::Met(object),
                };
            }
            Action::LandLoose(loose) => {
                let put = world.loose.remove(loose);
                world.create(put);
            }
            Action::Vanish(loose) => {
                world.loose.remove(loose);
            }
            Action::Pack(number) => {
                let known = last.processes[number].known.clone();
                world.contradiction |= !known.starts_with(&last.packed);
                world.floor = known.len() as u8;
                world.packed = known;
            }
            Action::Sweep(place) => world.sweeping |= 1 << place,
            Action::Delete(place) => world.objects[place as usize] = None,
            Action::Crash(number) => {
                let process = &last.processes[number];
                if let Mode::Sends(object, _) = process.mode {
                    world.let_loose((process.next(), object));
                }
                world.processes[number] = Process {
                    session: 0,
                    known: Vec::new(),
                    mode: Mode::Follows,
                };
                world.crashes += 1;
            }
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no two logs differ", |_, world: &World| {
                let logs = || world.processes.iter().map(|process| &process.known);
                let agree = |one: &[Object], other: &[Object]| {
                    one.iter().zip(other).all(|(one, other)| one == other)
                };
                let all = logs().chain([&world.packed]);
                !world.contradiction && all.clone().all(|one| logs().all(|other| agree(one, other)))
            }),
            Property::always("what is acknowledged is kept", |_, world: &World| {
                world.acknowledged.iter().all(|(place, object)| {
                    let place = *place as usize;
                    world.objects[place] == Some(*object) || world.packed.get(place) == Some(object)
                })
            }),
            Property::always("all logs have it in its place", |_, world: &World| {
                world.acknowledged.iter().all(|(place, object)| {
                    let logs = world.processes.iter().map(|process| &process.known);
                    let mut found = logs.filter_map(|known| known.get(*place as usize));
                    found.all(|found| found == object)
                })
            }),
            Property::always("what is denied is not kept", |_, world: &World| {
                !world.denied.iter().any(|put| world.is_kept(*put))
            }),
            Property::sometimes("a fence is void", |_, world: &World| world.void),
            Property::sometimes("a request lands below the floor", |_, world: &World| {
                world.landed_below
            }),
            Property::sometimes("a batch is denied", |_, world: &World| {
                !world.denied.is_empty()
            }),
            Property::sometimes("two sessions are acknowledged", |_, world: &World| {
                let sessions = || world.acknowledged.iter().map(|(_, object)| object.session);
                sessions().min() < sessions().max()
            }),
        ]
    }
}

const MUST_BE: [&str; 4] = [
    "a fence is void",
    "a request lands below the floor",
    "a batch is denied",
    "two sessions are acknowledged",
];

/// What was found, by name; with how many steps lead there.
fn check(protocol: Protocol) -> Vec<(&'static str, usize)> {
    let begun = std::time::Instant::now();
    let until = match protocol.left_out {
        LeftOut::Nothing => HasDiscoveries::All,
        _ => HasDiscoveries::AnyFailures,
    };
    let checker = protocol.checker().threads(2).finish_when(until);
    let done = checker.spawn_bfs().join();
    let found = done.discoveries().into_iter();
    let mut found: Vec<_> = found
        .map(|(name, path)| (name, path.into_actions().len()))
        .collect();
    found.sort_unstable();
    let (states, took) = (done.unique_state_count(), begun.elapsed());
    println!("{protocol:?}: {states} states in {took:.0?}: {found:?}");
    found
}

/// Names of what must never be found.
fn broken(found: &[(&'static str, usize)]) -> Vec<&'static str> {
    let names = found.iter().map(|(name, _)| *name);
    names.filter(|name| !MUST_BE.contains(name)).collect()
}

#[test]
fn the_chain_holds_in_all_its_states() {
    let bounds = std::env::var("ARBORLOG_MODEL").unwrap_or("2,4,2,1".to_owned());
    let bounds: Vec<u8> = bounds
        .split(',')
        .map(|bound| bound.parse().unwrap())
        .collect();
    let found = check(Protocol {
        left_out: LeftOut::Nothing,
        processes: bounds[0].into(),
        places: bounds[1],
        sessions: bounds[2],
        lost: bounds[3],
    });
    assert!(broken(&found).is_empty(), "{found:?}");
    assert_eq!(
        found.len(),
        MUST_BE.len(),
        "what can happen happens: {found:?}"
    );
}

#[test]
fn each_rule_is_needed() {
    for (left_out, lost) in [
        (LeftOut::FencesStay, 1),
        (LeftOut::CandidatesLook, 1),
        (LeftOut::ReadersLook, 1),
        (LeftOut::LeadersLook, 2),
    ] {
        let found = check(Protocol {
            left_out,
            processes: 2,
            places: 3,
            sessions: 3,
            lost,
        });
        assert!(
            !broken(&found).is_empty(),
            "{left_out:?} seems not to be needed"
        );
    }
}
