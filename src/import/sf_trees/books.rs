//! Which trees are in the ledger, and what it says of them.
//!
//! A planting is of several trees, and the log tells only their number. Which trees of the
//! source they are, a register beside the planter's key keeps, a line for each planting:
//!
//! ```text
//! planting EVIDENCE ID,ID,…     the trees of a planting, in the order of their serials
//! others EVIDENCE               a planting that no import made
//! signed-by KEY                 a key that signed plantings of this register
//! ```
//!
//! All else is read from the log: the same planter's plantings, losses and voids. What others said
//! of them (a surveyor's loss, a void by the governors) stands in other chains; the ledger's books
//! of a plot tell it ([`TreeBooks::take_ledger`]).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::num::NonZeroU32;
use std::path::Path;

use crate::crypto::PublicKey;
use crate::import::register::{Register, RegisterError};
use crate::record::{Day, Digest, Index, Planting, PlotNumber, Remedy, Serial, Statement};

/// The trees of a planter that are in its ledger.
pub struct TreeBooks {
    plantings: BTreeMap<Index, Planting>,
    losses: BTreeMap<Index, Loss>,
    voids: HashSet<Index>,
    /// The newest entry that was taken.
    newest: Option<Index>,
    /// Plantings and losses that others voided.
    voids_by_others: HashSet<Index>,
    /// Trees that are lost by an entry of others.
    lost_by_others: HashMap<(PlotNumber, Serial), Index>,
    /// How many trees of a planting are lost by entries that do not say which.
    lost_unnamed: HashMap<Index, u64>,
    /// The trees of plantings, by evidence.
    trees: HashMap<Digest, Vec<u64>>,
    /// Plantings that no import made.
    others: HashSet<Digest>,
    signers: Vec<PublicKey>,
    register: Register,
}

/// Trees of a planting that were lost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loss {
    pub planting: Index,
    /// The serial of the first, if it is known which.
    pub first: Option<Serial>,
    pub count: NonZeroU32,
    pub lost_on: Day,
}

/// What the ledger has of a planting now, whoever corrected it.
#[derive(Clone, Copy, Debug)]
pub struct LedgerPlanting {
    /// Its entry.
    pub index: Index,
    /// It was voided.
    pub voided: bool,
    /// How many of its trees are lost.
    pub lost: u64,
}

/// Trees of the planter of which others said something: the governors, another key of its holder, or a
/// surveyor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TreesOfOthers {
    /// Trees whose plantings they voided.
    pub planting_voided: u64,
    /// Trees that are lost by their entries, and those of losses that name no tree.
    pub lost: u64,
    /// Trees of losses that they voided: these stand again.
    pub loss_voided: u64,
}

/// A tree in the books.
#[derive(Clone, Copy, Debug)]
pub(super) struct BookedTree<'b> {
    pub index: Index,
    pub planting: &'b Planting,
    pub serial: Serial,
}

/// Plantings of which nobody knows any more which trees they are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the key signed {count} plantings, entry {first} the first, that the register of its imports does not know, so whether trees of the file are among them can't be told. Nothing was sent. If the register was lost, put its newest copy back. If all these plantings were sent otherwise than by import, run the same command with --not-imported"
)]
pub struct UnknownPlantings {
    /// How many.
    pub count: usize,
    /// The first one's entry.
    pub first: Index,
}

impl TreeBooks {
    /// Reads the register of a planter's trees, or begins one.
    ///
    /// # Errors
    /// [`RegisterError`].
    pub fn open(register: &Path) -> Result<Self, RegisterError> {
        let (mut trees, mut others, mut signers) = (HashMap::new(), HashSet::new(), Vec::new());
        let register = Register::open(register, &mut |line| {
            let Some((word, rest)) = line.split_once(' ') else {
                return false;
            };
            match word {
                "planting" => match read_planting(rest) {
                    Some((evidence, ids)) => trees.insert(evidence, ids),
                    None => return false,
                }
                .is_none_or(|_| true),
                "others" => rest.parse().is_ok_and(|evidence| {
                    others.insert(evidence);
                    true
                }),
                "signed-by" => rest.parse().is_ok_and(|key| {
                    signers.push(key);
                    true
                }),
                _ => false,
            }
        })?;
        Ok(Self {
            plantings: BTreeMap::new(),
            losses: BTreeMap::new(),
            voids: HashSet::new(),
            newest: None,
            voids_by_others: HashSet::new(),
            lost_by_others: HashMap::new(),
            lost_unnamed: HashMap::new(),
            trees,
            others,
            signers,
            register,
        })
    }

    /// The keys that signed plantings of the register: several, where one replaced another.
    pub fn signers(&self) -> &[PublicKey] {
        &self.signers
    }

    /// Notes a key that signs plantings.
    ///
    /// # Errors
    /// [`RegisterError`].
    pub fn add_signer(&mut self, key: &PublicKey) -> Result<(), RegisterError> {
        if !self.signers.contains(key) {
            self.signers.push(*key);
            self.register.add(&format!("signed-by {key}"))?;
        }
        Ok(())
    }

    /// Takes a statement of the planter that is in the log.
    pub fn take(&mut self, index: Index, statement: &Statement) {
        self.newest = self.newest.max(Some(index));
        match statement {
            Statement::Planting(planting) => {
                self.plantings.insert(index, planting.clone());
            }
            Statement::Correction(correction) => match correction.remedy {
                Remedy::Lost {
                    count,
                    first_serial,
                    lost_on,
                    ..
                } => {
                    let loss = Loss {
                        planting: correction.target,
                        first: first_serial,
                        count,
                        lost_on,
                    };
                    self.losses.insert(index, loss);
                }
                Remedy::Void => {
                    self.voids.insert(correction.target);
                }
                Remedy::Reverse { .. } => {}
            },
            _ => {}
        }
    }

    /// Whether no tree is known, in the log or in the register of imports: none was imported yet.
    pub fn knows_no_tree(&self) -> bool {
        self.trees.is_empty()
    }

    /// The newest entry that the books hold; none if they are empty.
    pub fn newest(&self) -> Option<Index> {
        self.newest
    }

    /// The plots of the plantings, of which the ledger is to be asked.
    pub fn plots(&self) -> BTreeSet<PlotNumber> {
        self.plantings
            .values()
            .map(|planting| planting.plot)
            .collect()
    }

    /// Takes what the ledger has of a planting now, and with it what others said of the planter's
    /// trees. `lost_at` asks the ledger by which entry a tree is lost: of the first tree of each
    /// loss, and of all other trees where the sum says that others lost some.
    ///
    /// # Errors
    /// Those of `lost_at`.
    pub fn take_ledger<E>(
        &mut self,
        now: LedgerPlanting,
        lost_at: &mut dyn FnMut(PlotNumber, Serial) -> Result<Option<Index>, E>,
    ) -> Result<(), E> {
        let Some(planting) = self.plantings.get(&now.index) else {
            return Ok(());
        };
        if now.voided {
            if !self.voids.contains(&now.index) {
                self.voids_by_others.insert(now.index);
            }
            return Ok(());
        }
        let plot = planting.plot;
        let (mut named, mut standing) = (0, Vec::new());
        for (index, loss) in &self.losses {
            let Some(first) = loss.first else {
                continue;
            };
            if loss.planting != now.index || self.voids.contains(index) {
                continue;
            }
            if lost_at(plot, first)? == Some(*index) {
                named += u64::from(loss.count.get());
                standing.push(*loss);
            } else {
                self.voids_by_others.insert(*index);
            }
        }
        if now.lost > named {
            for place in 0..planting.count.get() {
                let serial = Serial(planting.first_serial.0.saturating_add(place));
                if standing.iter().any(|loss| loss.holds(serial)) {
                    continue;
                }
                if let Some(index) = lost_at(plot, serial)? {
                    self.lost_by_others.insert((plot, serial), index);
                    named += 1;
                }
            }
        }
        if let Some(unnamed) = now.lost.checked_sub(named).filter(|unnamed| *unnamed > 0) {
            self.lost_unnamed.insert(now.index, unnamed);
        }
        Ok(())
    }

    /// How many trees others took back, or brought back: once [`Self::take_ledger`] was told of each
    /// planting.
    pub fn taken_by_others(&self) -> TreesOfOthers {
        let trees = |indexes: &mut dyn Iterator<Item = &Index>| -> u64 {
            let counts =
                indexes.map(
                    |index| match (self.plantings.get(index), self.losses.get(index)) {
                        (Some(planting), _) => u64::from(planting.count.get()),
                        (None, Some(loss)) => u64::from(loss.count.get()),
                        (None, None) => 0,
                    },
                );
            counts.sum()
        };
        let voids = &self.voids_by_others;
        let is_planting = |index: &&Index| self.plantings.contains_key(index);
        TreesOfOthers {
            planting_voided: trees(&mut voids.iter().filter(is_planting)),
            lost: self.lost_by_others.len() as u64 + self.lost_unnamed.values().sum::<u64>(),
            loss_voided: trees(&mut voids.iter().filter(|index| !is_planting(index))),
        }
    }

    /// The entry of others by which a tree is lost.
    pub(super) fn lost_by_others(&self, tree: &BookedTree<'_>) -> Option<Index> {
        let place = (tree.planting.plot, tree.serial);
        self.lost_by_others.get(&place).copied()
    }

    /// How many trees of a planting are lost by entries that do not say which.
    pub(super) fn lost_unnamed(&self, planting: Index) -> u64 {
        self.lost_unnamed.get(&planting).copied().unwrap_or(0)
    }

    /// Whether others voided a planting or a loss.
    pub(super) fn is_voided_by_others(&self, index: Index) -> bool {
        self.voids_by_others.contains(&index)
    }

    fn has_losses_by_others(&self, planting: &Planting) -> bool {
        (0..planting.count.get()).any(|place| {
            let serial = Serial(planting.first_serial.0.saturating_add(place));
            self.lost_by_others.contains_key(&(planting.plot, serial))
        })
    }

    fn is_voided(&self, index: Index) -> bool {
        self.voids.contains(&index) || self.is_voided_by_others(index)
    }

    /// Notes the trees of plantings, durably: to be done before these are sent.
    ///
    /// # Errors
    /// [`RegisterError`].
    pub fn note<'a>(
        &mut self,
        plantings: impl Iterator<Item = (&'a Digest, &'a [u64])>,
    ) -> Result<(), RegisterError> {
        for (evidence, trees) in plantings {
            if self.trees.get(evidence).is_some_and(|known| known == trees) {
                continue;
            }
            let ids: Vec<String> = trees.iter().map(u64::to_string).collect();
            self.register
                .add(&format!("planting {evidence} {}", ids.join(",")))?;
            self.trees.insert(*evidence, trees.to_vec());
        }
        self.register.save()
    }

    /// Takes the plantings that the register does not know for those of others, for good.
    ///
    /// # Errors
    /// [`RegisterError`].
    pub fn leave_unknown(&mut self) -> Result<(), RegisterError> {
        let unknown: Vec<Digest> = self
            .unknown()
            .map(|(_, planting)| planting.evidence)
            .collect();
        for evidence in unknown {
            self.register.add(&format!("others {evidence}"))?;
            self.others.insert(evidence);
        }
        self.register.save()
    }

    /// Checks that of each planting it is known which trees it is of.
    ///
    /// # Errors
    /// [`UnknownPlantings`].
    pub fn check_known(&self) -> Result<(), UnknownPlantings> {
        let mut unknown = self.unknown().map(|(index, _)| index);
        match unknown.next() {
            None => Ok(()),
            Some(first) => Err(UnknownPlantings {
                count: 1 + unknown.count(),
                first,
            }),
        }
    }

    /// Plantings of which it is not known which trees they are of, by entry.
    pub(super) fn unknown(&self) -> impl Iterator<Item = (Index, &Planting)> {
        self.plantings
            .iter()
            .filter(|(_, planting)| {
                !self.others.contains(&planting.evidence)
                    && !self.trees.get(&planting.evidence).is_some_and(|trees| {
                        u32::try_from(trees.len()).is_ok_and(|count| count == planting.count.get())
                    })
            })
            .map(|(index, planting)| (*index, planting))
    }

    /// All trees that are in, by their ids: those of plantings that stand, and those of plantings
    /// that were voided.
    pub(super) fn by_id(&self) -> BookedTrees<'_> {
        let mut booked = BookedTrees::default();
        for (index, planting) in &self.plantings {
            let Some(trees) = self.trees.get(&planting.evidence) else {
                continue;
            };
            let trees_of = if self.is_voided(*index) {
                &mut booked.voided
            } else {
                &mut booked.standing
            };
            for (place, id) in (0..).zip(trees) {
                let tree = BookedTree {
                    index: *index,
                    planting,
                    serial: Serial(planting.first_serial.0.saturating_add(place)),
                };
                trees_of.insert(*id, tree);
            }
        }
        booked
    }

    /// The trees of a planting.
    pub(super) fn trees_of(&self, planting: &Planting) -> &[u64] {
        self.trees
            .get(&planting.evidence)
            .map_or(&[], Vec::as_slice)
    }

    /// The losses that name a planting's trees, each with whether it was voided, by entry.
    pub(super) fn losses(&self) -> HashMap<Index, Vec<(Index, Loss, bool)>> {
        let mut losses: HashMap<Index, Vec<(Index, Loss, bool)>> = HashMap::new();
        for (index, loss) in &self.losses {
            let voided = self.is_voided(*index);
            let of_planting = losses.entry(loss.planting).or_default();
            of_planting.push((*index, *loss, voided));
        }
        losses
    }

    /// Plantings that stand and of which nothing was ever corrected.
    pub fn untouched(&self) -> Vec<Planting> {
        let mut touched: HashSet<u64> = HashSet::new();
        for (index, planting) in &self.plantings {
            if self.is_voided(*index) {
                touched.extend(self.trees_of(planting));
            }
        }
        let losses = self.losses();
        self.plantings
            .iter()
            .filter(|(index, planting)| {
                !self.is_voided(**index)
                    && !losses.contains_key(index)
                    && self.lost_unnamed(**index) == 0
                    && !self.has_losses_by_others(planting)
                    && self.trees.contains_key(&planting.evidence)
                    && !self
                        .trees_of(planting)
                        .iter()
                        .any(|id| touched.contains(id))
            })
            .map(|(_, planting)| planting.clone())
            .collect()
    }
}

/// The trees that are in.
#[derive(Default)]
pub(super) struct BookedTrees<'b> {
    pub standing: HashMap<u64, BookedTree<'b>>,
    pub voided: HashMap<u64, BookedTree<'b>>,
}

impl BookedTree<'_> {
    pub(super) fn planted_on(&self) -> Day {
        self.planting.planted_until
    }

    /// Whether the planting is of this tree alone.
    pub(super) fn is_alone(&self) -> bool {
        self.planting.count == NonZeroU32::MIN
    }
}

impl Loss {
    pub(super) fn holds(&self, serial: Serial) -> bool {
        self.first
            .is_some_and(|first| serial >= first && serial.0 - first.0 < self.count.get())
    }
}

fn read_planting(text: &str) -> Option<(Digest, Vec<u64>)> {
    let (evidence, ids) = text.split_once(' ')?;
    let ids = ids.split(',').map(|id| id.parse().ok());
    Some((evidence.parse().ok()?, ids.collect::<Option<_>>()?))
}
