//! The commit protocol with two sequencers that race for one store, to the end of its states.
//!
//! Modelled: judging the next batch while one is under way, a store that takes a batch only if it
//! extends the head, answers that are lost, writes that land late, crashes, recovery by asking for
//! the head, and clients that send a record again, to either sequencer. Not modelled: what
//! simulation does with real code, and the bytes.
#![cfg(feature = "cli")]

use stateright::{Checker as _, Model, Property};

/// A record is its number: two, so that one can be under way while the next is judged.
type Record = u8;
const RECORDS: u8 = 2;
const CRASHES: u8 = 1;
const FAILURES: u8 = 1;

/// A batch: the log that it extends, by length, and its record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Batch {
    from: Vec<Record>,
    record: Record,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
struct Sequencer {
    running: bool,
    /// What it takes for the log: durable, and published.
    published: Vec<Record>,
    /// The write under way.
    flight: Option<Batch>,
    /// Judged on top of it, not yet sent.
    next: Option<Record>,
    /// An outcome is unknown: nothing goes on before it has asked.
    asks: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    store: Vec<Record>,
    sequencers: [Sequencer; 2],
    /// Writes whose senders know nothing any more; they may land, or never.
    loose: Vec<Batch>,
    /// What clients were told: a record, and its index.
    told: Vec<(Record, usize)>,
    /// Every checkpoint that was given.
    checkpoints: Vec<Vec<Record>>,
    crashes: u8,
    failures: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Step {
    Start(usize),
    Submit(usize, Record),
    Launch(usize),
    Committed(usize),
    Moved(usize),
    /// The outcome gets lost; the write may land or not.
    Lose(usize),
    Land(usize),
    Vanish(usize),
    Recover(usize),
    Crash(usize),
}

struct Protocol {
    /// Answers only what is published; or, to show that the check can fail, what was judged.
    answers_early: bool,
}

impl Protocol {
    fn answer(world: &mut World, log: &[Record], record: Record) {
        if let Some(index) = log.iter().position(|it| *it == record) {
            let told = (record, index);
            if !world.told.contains(&told) {
                world.told.push(told);
                world.told.sort_unstable();
            }
        }
    }

    fn publish(world: &mut World, log: &[Record]) {
        if !world.checkpoints.iter().any(|it| it == log) {
            world.checkpoints.push(log.to_vec());
            world.checkpoints.sort();
        }
    }
}

impl Model for Protocol {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            store: Vec::new(),
            sequencers: Default::default(),
            loose: Vec::new(),
            told: Vec::new(),
            checkpoints: Vec::new(),
            crashes: 0,
            failures: 0,
        }]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        for (which, it) in world.sequencers.iter().enumerate() {
            if !it.running {
                steps.push(Step::Start(which));
                continue;
            }
            if it.asks {
                steps.push(Step::Recover(which));
            } else if it.next.is_none() {
                steps.extend((0..RECORDS).map(|record| Step::Submit(which, record)));
            }
            if let Some(batch) = &it.flight {
                steps.push(if batch.from == world.store {
                    Step::Committed(which)
                } else {
                    Step::Moved(which)
                });
                if world.failures < FAILURES {
                    steps.push(Step::Lose(which));
                }
            } else if it.next.is_some() && !it.asks {
                steps.push(Step::Launch(which));
            }
            if world.crashes < CRASHES {
                steps.push(Step::Crash(which));
            }
        }
        for place in 0..world.loose.len() {
            steps.push(Step::Land(place));
            steps.push(Step::Vanish(place));
        }
    }

    fn next_state(&self, last: &World, step: Step) -> Option<World> {
        let mut world = last.clone();
        match step {
            Step::Start(which) => {
                let log = world.store.clone();
                Self::publish(&mut world, &log);
                world.sequencers[which] = Sequencer {
                    running: true,
                    published: log,
                    ..Sequencer::default()
                };
            }
            Step::Submit(which, record) => {
                let it = &world.sequencers[which];
                let published = it.published.clone();
                let flying = it
                    .flight
                    .as_ref()
                    .is_some_and(|batch| batch.record == record);
                if published.contains(&record) {
                    // Already in: the answer rests on what is published.
                    Self::answer(&mut world, &published, record);
                } else if !flying {
                    if self.answers_early {
                        let mut judged = published;
                        judged.extend(it.flight.as_ref().map(|batch| batch.record));
                        judged.push(record);
                        Self::answer(&mut world, &judged, record);
                    }
                    world.sequencers[which].next = Some(record);
                }
            }
            Step::Launch(which) => {
                let it = &mut world.sequencers[which];
                let from = it.published.clone();
                it.flight = it.next.take().map(|record| Batch { from, record });
            }
            Step::Committed(which) => {
                let batch = world.sequencers[which].flight.take()?;
                world.store.push(batch.record);
                let log = world.store.clone();
                world.sequencers[which].published.clone_from(&log);
                Self::publish(&mut world, &log);
                Self::answer(&mut world, &log, batch.record);
            }
            Step::Moved(which) => {
                let it = &mut world.sequencers[which];
                (it.flight, it.next, it.asks) = (None, None, true);
            }
            Step::Lose(which) => {
                let it = &mut world.sequencers[which];
                world.loose.extend(it.flight.take());
                (it.next, it.asks) = (None, true);
                world.failures += 1;
            }
            Step::Land(place) => {
                let batch = world.loose.remove(place);
                if batch.from == world.store {
                    world.store.push(batch.record);
                }
            }
            Step::Vanish(place) => drop(world.loose.remove(place)),
            Step::Recover(which) => {
                let log = world.store.clone();
                let it = &mut world.sequencers[which];
                it.asks = false;
                it.published.clone_from(&log);
                Self::publish(&mut world, &log);
            }
            Step::Crash(which) => {
                let it = std::mem::take(&mut world.sequencers[which]);
                world.loose.extend(it.flight);
                world.crashes += 1;
            }
        }
        (world != *last).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "what was told is in, where it was said",
                |_, world: &World| {
                    world
                        .told
                        .iter()
                        .all(|(record, index)| world.store.get(*index) == Some(record))
                },
            ),
            Property::always("nothing is in twice", |_, world: &World| {
                (0..RECORDS)
                    .all(|record| world.store.iter().filter(|it| **it == record).count() < 2)
            }),
            Property::always(
                "every checkpoint is a beginning of the log",
                |_, world: &World| {
                    world
                        .checkpoints
                        .iter()
                        .all(|log| world.store.starts_with(log))
                },
            ),
            Property::sometimes("all records are told", |_, world: &World| {
                world.told.len() == usize::from(RECORDS)
            }),
            Property::sometimes(
                "a write lands after its sender has recovered",
                |_, world: &World| {
                    world
                        .sequencers
                        .iter()
                        .any(|it| it.running && !it.asks && world.store.len() > it.published.len())
                        && world.failures > 0
                },
            ),
            Property::sometimes("the other was quicker", |_, world: &World| {
                world.sequencers.iter().all(|it| it.flight.is_some())
            }),
        ]
    }
}

#[test]
fn two_sequencers_on_one_store_keep_every_promise_in_every_state() {
    let protocol = Protocol {
        answers_early: false,
    };
    let checker = protocol.checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
    assert!(checker.is_done());
    eprintln!(
        "{} states, {} of them different",
        checker.state_count(),
        checker.unique_state_count()
    );
    assert!(checker.unique_state_count() > 1_000);
}

#[test]
fn an_answer_before_the_store_s_is_caught() {
    let protocol = Protocol {
        answers_early: true,
    };
    let checker = protocol.checker().spawn_bfs().join();
    assert!(
        checker
            .discovery("what was told is in, where it was said")
            .is_some()
    );
}
