//! The state root by `docs/format.md`, section 16, alone: the leaves of all sixteen domains from the list of admitted
//! records, and the tries by their definition. Nothing here is the ledger's own but what was admitted.

use std::collections::BTreeMap;

use arborlog::crypto::PublicKey;
use arborlog::record::{AccountId, Correction, Day, Remedy, Role, Statement};
use sha2::{Digest as _, Sha256};

use super::{Model, Task, at, form, origin};

type Hash = [u8; 32];

/// A leaf: its value, a and b.
type Leaf = (Vec<u8>, u64, u64);

type Leaves = BTreeMap<Hash, Leaf>;

/// What is known of a set of leaves (16.1).
#[derive(Clone, Copy)]
struct Node {
    hash: Hash,
    a: u64,
    b: u64,
    n: u64,
}

fn sha256(parts: &[&[u8]]) -> Hash {
    Sha256::digest(parts.concat()).into()
}

fn bytes(node: &Node) -> Vec<u8> {
    let sums = [node.a, node.b, node.n].map(u64::to_be_bytes);
    [node.hash.as_slice(), sums.concat().as_slice()].concat()
}

fn node(domain: u8, leaves: &[(&Hash, &Leaf)], depth: usize) -> Node {
    match leaves {
        [] => Node {
            hash: [0; 32],
            a: 0,
            b: 0,
            n: 0,
        },
        [(path, (value, a, b))] => Node {
            hash: sha256(&[&[0, domain], path.as_slice(), value]),
            a: *a,
            b: *b,
            n: 1,
        },
        several => {
            let bit = |(path, _): &(&Hash, &Leaf)| path[depth / 8] >> (7 - depth % 8) & 1 == 1;
            let (right, left): (Vec<_>, Vec<_>) = several.iter().partition(|leaf| bit(leaf));
            let left = node(domain, &left, depth + 1);
            let right = node(domain, &right, depth + 1);
            Node {
                hash: sha256(&[&[1], &bytes(&left), &bytes(&right)]),
                a: left.a + right.a,
                b: left.b + right.b,
                n: left.n + right.n,
            }
        }
    }
}

/// The state root that the records of the model make (16.2).
pub fn state_root(model: &Model) -> Hash {
    let domains = Domains(model);
    let leaves = [
        domains.once(),
        domains.keys(),
        domains.holders(),
        domains.methods(),
        domains.species(),
        domains.accounts(),
        domains.plots(),
        domains.plantings(),
        domains.trees(),
        domains.surveys(),
        domains.claims(),
        domains.reversed(),
        domains.losses(),
        domains.voided(),
        domains.months(),
        domains.evidence(),
    ];
    let head = |(domain, leaves): (u8, &Leaves)| {
        let leaves: Vec<_> = leaves.iter().collect();
        sha256(&[&[2, domain], &bytes(&node(domain, &leaves, 0))])
    };
    let mut level: Vec<Hash> = (0..16).zip(&leaves).map(head).collect();
    while level.len() > 1 {
        let pairs = level.chunks(2);
        level = pairs
            .map(|pair| sha256(&[&[3], &pair[0], &pair[1]]))
            .collect();
    }
    level[0]
}

// How fields are written (2.1).

#[derive(Default)]
struct Fields(Vec<u8>);

impl Fields {
    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn u8(self, number: u8) -> Self {
        self.raw(&[number])
    }

    fn u16(self, number: u16) -> Self {
        self.raw(&number.to_be_bytes())
    }

    fn u32(self, number: u32) -> Self {
        self.raw(&number.to_be_bytes())
    }

    fn u64(self, number: u64) -> Self {
        self.raw(&number.to_be_bytes())
    }

    fn index(self, index: usize) -> Self {
        self.u64(index as u64)
    }

    fn text(self, text: &str) -> Self {
        self.index(text.len()).raw(text.as_bytes())
    }

    fn option<T>(self, value: Option<T>, write: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            None => self.u8(0),
            Some(value) => write(self.u8(1), value),
        }
    }
}

fn fields() -> Fields {
    Fields::default()
}

/// A path whose key stands at its left.
fn path(key: Fields) -> Hash {
    let mut path = [0; 32];
    path[..key.0.len()].copy_from_slice(&key.0);
    path
}

fn plain(value: Fields, a: u64, b: u64) -> Leaf {
    (value.0, a, b)
}

fn digested(began_at: usize, value: Fields, a: u64, b: u64) -> Leaf {
    let digest = sha256(&[&value.0]);
    (fields().index(began_at).raw(&digest).0, a, b)
}

/// 12 × year + month − 1 of a day, by counting years and months.
fn month(day: Day) -> u32 {
    let every = |years: u32, year: u32| year.is_multiple_of(years);
    let leap = |year| every(4, year) && (!every(100, year) || every(400, year));
    let (mut year, mut month, mut left) = (1970, 0, day.0);
    loop {
        let days = match month {
            1 if leap(year) => 29,
            1 => 28,
            3 | 5 | 8 | 10 => 30,
            _ => 31,
        };
        if left < days {
            return 12 * year + month;
        }
        left -= days;
        month += 1;
        if month == 12 {
            (year, month) = (year + 1, 0);
        }
    }
}

fn number_of(role: Role) -> u32 {
    match role {
        Role::Platform => 0,
        Role::Planter => 1,
        Role::Surveyor => 2,
        Role::Auditor => 3,
        other => panic!("{other}"),
    }
}

/// The leaves of each domain (16.5).
struct Domains<'a>(&'a Model);

impl Domains<'_> {
    /// The fields of what an entry states, behind issuer, seq, prev, day and the kind's number.
    fn stated(&self, index: usize) -> Vec<u8> {
        self.0.said[index].record.encode().unwrap()[80..].to_vec()
    }

    /// The slugs of holders, in the order in which keys were first granted to them.
    fn slugs(&self) -> Vec<String> {
        let mut slugs = Vec::new();
        for (_, statement) in self.0.statements() {
            if let Statement::KeyGrant(grant) = statement
                && !slugs.contains(&grant.holder.to_string())
            {
                slugs.push(grant.holder.to_string());
            }
        }
        slugs
    }

    fn holder_number(&self, slug: &str) -> u32 {
        self.slugs().iter().position(|known| known == slug).unwrap() as u32
    }

    fn holder_of_issuer(&self, index: usize) -> String {
        self.0.grant(&self.0.said[index].record.issuer).unwrap().1
    }

    fn last_about_account(&self, id: AccountId) -> usize {
        let last = self.0.last(|it| self.0.accounts_of(it).contains(&id));
        at(last.unwrap())
    }

    /// The entry that voided each entry that was voided.
    fn voids(&self) -> BTreeMap<usize, usize> {
        let voids = self
            .0
            .statements()
            .filter_map(|(index, statement)| match statement {
                Statement::Correction(Correction {
                    target,
                    remedy: Remedy::Void,
                    ..
                }) => Some((at(*target), index)),
                _ => None,
            });
        voids.collect()
    }

    fn once(&self) -> Leaves {
        let Some(Statement::Genesis(genesis)) = self.0.statement(0) else {
            return Leaves::new();
        };
        let programme = fields()
            .text(&origin().to_string())
            .raw(self.0.said[0].id.as_bytes())
            .text(genesis.programme.as_str());
        let (stated_at, governors, quorum) = self.0.council();
        let council = governors
            .iter()
            .fold(fields().index(governors.len()), |all, key| {
                all.raw(key.as_bytes())
            });
        let council = council.u8(quorum as u8).index(stated_at);
        let mut log_keys = vec![(genesis.log_key, 0)];
        let mut policy = None;
        for (index, statement) in self.0.statements() {
            match statement {
                Statement::LogKey(it) => log_keys.push((it.key, index)),
                Statement::Policy(_) => policy = Some(index),
                _ => {}
            }
        }
        let listed = log_keys
            .iter()
            .fold(fields().index(log_keys.len()), |all, (key, index)| {
                all.raw(key.as_bytes()).index(*index)
            });
        let newest = log_keys.last().unwrap().1;
        let mut leaves = Leaves::from([
            (path(fields().u8(0)), digested(0, programme, 0, 0)),
            (path(fields().u8(1)), digested(stated_at, council, 0, 0)),
            (path(fields().u8(2)), digested(newest, listed, 0, 0)),
        ]);
        if let Some(index) = policy {
            leaves.insert(path(fields().u8(3)), digested(index, fields(), 0, 0));
        }
        leaves
    }

    fn keys(&self) -> Leaves {
        let mut named: Vec<PublicKey> = Vec::new();
        for (_, statement) in self.0.statements() {
            match statement {
                Statement::Genesis(it) => {
                    named.extend(it.governors.iter());
                    named.push(it.log_key);
                }
                Statement::Governors(it) => named.extend(it.governors.iter()),
                Statement::LogKey(it) => named.push(it.key),
                Statement::KeyGrant(it) => named.push(it.key),
                _ => {}
            }
        }
        named.into_iter().map(|key| self.key(&key)).collect()
    }

    fn key(&self, key: &PublicKey) -> (Hash, Leaf) {
        let (given_at, task) = self.0.task(key).unwrap();
        let grant = match self.0.statement(given_at) {
            Some(Statement::KeyGrant(grant)) => Some(grant),
            _ => None,
        };
        let value = fields().raw(key.as_bytes());
        let value = match (task, grant) {
            (Task::Governs, _) => value.u32(0),
            (Task::SignsCheckpoints, _) => value.u32(1),
            (Task::Issues(role, holder), Some(grant)) => value
                .u32(2)
                .u32(number_of(role))
                .text(&holder)
                .u32(self.holder_number(&holder))
                .text(grant.display_name.as_str()),
            (Task::Issues(..), None) => panic!("entry {given_at} grants nothing"),
        };
        let revoked = self
            .0
            .statements()
            .find_map(|(index, statement)| match statement {
                Statement::KeyRevoke(it) if it.key == *key => Some((index, it.compromised_since)),
                _ => None,
            });
        let mut own = self.0.said.iter().enumerate();
        let newest = own.rfind(|(_, said)| said.record.issuer == *key);
        let value = value
            .index(given_at)
            .raw(self.0.said[given_at].id.as_bytes())
            .option(grant.and_then(|grant| grant.expires_on), |all, day| {
                all.u32(day.0)
            })
            .option(revoked, |all, (index, _)| all.index(index))
            .option(revoked.and_then(|(_, since)| since), |all, day| {
                all.u32(day.0)
            })
            .index(revoked.map_or(given_at, |(index, _)| index))
            .option(newest, |all, (index, said)| {
                all.u64(said.record.seq.0)
                    .raw(said.id.as_bytes())
                    .index(index)
                    .u32(said.record.issued_on.0)
            });
        let gone = u64::from(revoked.is_some());
        (
            sha256(&[key.as_bytes()]),
            digested(given_at, value, 1 - gone, gone),
        )
    }

    fn holders(&self) -> Leaves {
        let mut leaves = Leaves::new();
        for (number, slug) in (0..).zip(self.slugs()) {
            let mut duties = 0;
            for (_, statement) in self.0.statements() {
                let Statement::KeyGrant(grant) = statement else {
                    continue;
                };
                if grant.holder.to_string() != slug {
                    continue;
                }
                duties |= match grant.role {
                    Role::Surveyor => 1,
                    Role::Auditor => 4,
                    _ => 2,
                };
                for name in [slug.clone(), grant.display_name.as_str().to_owned()] {
                    let place = sha256(&[&[1], form(name).as_bytes()]);
                    leaves.insert(place, plain(fields().u8(1).u32(number), 0, 1));
                }
            }
            let place = sha256(&[&[0], slug.as_bytes()]);
            leaves.insert(place, plain(fields().u8(0).u32(number).u8(duties), 1, 0));
        }
        leaves
    }

    fn methods(&self) -> Leaves {
        let methods = self
            .0
            .statements()
            .filter_map(|(index, statement)| match statement {
                Statement::Method(it) => Some((index, it)),
                _ => None,
            });
        let leaf = |(index, method): (usize, &arborlog::record::Method)| {
            let key = fields().u32(method.id.0).u32(method.version.0);
            let value = fields().raw(&self.stated(index)).index(index);
            (path(key), digested(index, value, 0, 0))
        };
        methods.map(leaf).collect()
    }

    fn species(&self) -> Leaves {
        let mut leaves = Leaves::new();
        for species in self.0.species() {
            let value = plain(fields().text(species.name.as_str()), 0, 0);
            leaves
                .entry(path(fields().u16(species.code.0)))
                .or_insert(value);
        }
        leaves
    }

    fn accounts(&self) -> Leaves {
        let genesis = self.0.said[0].id;
        let leaf = |(id, balance): (AccountId, i128)| {
            let place = sha256(&[b"arborlog account", genesis.as_bytes(), id.as_bytes()]);
            let holder = self.0.account_holder(&id).unwrap();
            let value = fields()
                .raw(&i64::try_from(balance).unwrap().to_be_bytes())
                .index(self.last_about_account(id))
                .u32(self.holder_number(&holder));
            let part = |points: i128| u64::try_from(points.max(0)).unwrap();
            (place, plain(value, part(balance), part(-balance)))
        };
        self.0.balances().into_iter().map(leaf).collect()
    }

    fn plots(&self) -> Leaves {
        let mut leaves = Leaves::new();
        let ties = self.0.ties();
        for (index, statement) in self.0.statements() {
            let Statement::Plot(plot) = statement else {
                continue;
            };
            // The last statement about a number is the one in force.
            let number = plot.number.0;
            let last = self.0.last(|it| self.0.plot_of(it) == Some(number));
            let plantings = self.0.plantings().filter(|(_, it)| it.plot.0 == number);
            let ends =
                plantings.map(|(_, it)| u64::from(it.first_serial.0) + u64::from(it.count.get()));
            let next = u32::try_from(ends.max().unwrap_or(1)).ok();
            let assigned = ties.iter().filter(|tie| tie.plot == number).count() as u64;
            let value = fields()
                .raw(&self.stated(index))
                .text(&self.holder_of_issuer(index))
                .index(index)
                .index(at(last.unwrap()))
                .u64(self.0.planted(number))
                .u64(self.0.lost(number))
                .u64(assigned)
                .option(next, Fields::u32);
            let leaf = digested(index, value, self.0.standing(number), assigned);
            leaves.insert(path(fields().u32(number)), leaf);
        }
        leaves
    }

    fn plantings(&self) -> Leaves {
        let (voided, ties) = (self.0.voided(), self.0.ties());
        let leaf = |(index, planting): (usize, &arborlog::record::Planting)| {
            let (plot, first) = (planting.plot.0, planting.first_serial.0);
            let count = planting.count.get();
            let last = first + (count - 1);
            let is_voided = voided.contains(&index);
            let losses = self.0.losses();
            let ranges = losses.iter().filter(|loss| loss.1 == index);
            let ranges = ranges.filter_map(|(at, _, count, first)| Some((*at, *count, (*first)?)));
            let ranges: Vec<_> = ranges.collect();
            let lost = self.0.lost_of(index);
            let tied = ties
                .iter()
                .filter(|tie| tie.plot == plot && (first..=last).contains(&tie.serial));
            let value = fields()
                .index(index)
                .u16(planting.species.0)
                .u32(first)
                .u32(last)
                .u32(planting.planted_from.0)
                .u32(planting.planted_until.0)
                .u8(is_voided.into())
                .u32(lost);
            let value = ranges
                .iter()
                .fold(value.index(ranges.len()), |all, (at, count, first)| {
                    all.u32(*first).u32(first + (count - 1)).index(*at)
                });
            let value = value.u32(tied.count() as u32);
            let standing = if is_voided { 0 } else { count - lost };
            let key = path(fields().u32(plot).u32(first));
            (key, digested(index, value, standing.into(), lost.into()))
        };
        self.0.plantings().map(leaf).collect()
    }

    fn trees(&self) -> Leaves {
        let leaf = |tie: super::Tie| {
            let value = fields().index(tie.claim).index(tie.assignment);
            (
                path(fields().u32(tie.plot).u32(tie.serial)),
                plain(value, 0, 0),
            )
        };
        self.0.ties().into_iter().map(leaf).collect()
    }

    fn surveys(&self) -> Leaves {
        let voided = self.0.voided();
        let surveys = self
            .0
            .statements()
            .filter_map(|(index, statement)| match statement {
                Statement::Survey(it) if !voided.contains(&index) => Some((index, it)),
                _ => None,
            });
        let leaf = |(index, survey): (usize, &arborlog::record::Survey)| {
            let key = fields()
                .u32(survey.plot.0)
                .u32(survey.surveyed_on.0)
                .index(index);
            let value = fields()
                .index(index)
                .raw(&self.stated(index))
                .text(&self.holder_of_issuer(index));
            (path(key), digested(index, value, 0, 0))
        };
        surveys.map(leaf).collect()
    }

    fn claims(&self) -> Leaves {
        let (voided, ties) = (self.0.voided(), self.0.ties());
        let claims = self
            .0
            .statements()
            .filter_map(|(index, statement)| match statement {
                Statement::Claim(it) => Some((index, it)),
                _ => None,
            });
        let leaf = |(index, claim): (usize, &arborlog::record::Claim)| {
            let value = fields()
                .raw(claim.account.as_bytes())
                .u16(claim.species.0)
                .u64(claim.points.0);
            let tie = ties.iter().find(|tie| tie.claim == index);
            let (value, points, waits) = match tie {
                _ if voided.contains(&index) => (value.u32(2), 0, 0),
                Some(tie) => (
                    value.u32(1).u32(tie.plot).u32(tie.serial),
                    claim.points.0,
                    0,
                ),
                None => (value.u32(0), claim.points.0, 1),
            };
            (path(fields().index(index)), plain(value, points, waits))
        };
        claims.map(leaf).collect()
    }

    fn reversed(&self) -> Leaves {
        let awards = self
            .0
            .statements()
            .filter(|(_, it)| matches!(it, Statement::Award(_)));
        let points = awards.map(|(index, _)| (index, self.0.reversed(index)));
        let leaf = |(index, points): (usize, u64)| {
            (
                path(fields().index(index)),
                plain(fields().u64(points), points, 0),
            )
        };
        points.filter(|(_, points)| *points > 0).map(leaf).collect()
    }

    fn losses(&self) -> Leaves {
        let leaf = |(index, planting, count, first): (usize, usize, u32, Option<u32>)| {
            let Some(Statement::Planting(it)) = self.0.statement(planting) else {
                panic!("the loss of entry {index} is of no planting");
            };
            let (before, after) = (self.0.ties_before(index), self.0.ties_before(index + 1));
            let taken = before.into_iter().filter(|tie| !after.contains(tie));
            let mut taken: Vec<_> = taken.collect();
            taken.sort_by_key(|tie| tie.serial);
            let value = fields()
                .index(index)
                .u32(it.plot.0)
                .u32(it.first_serial.0)
                .u32(count)
                .u8(first.is_some().into());
            let value = taken.iter().fold(value.index(taken.len()), |all, tie| {
                all.u32(tie.serial).index(tie.claim).index(tie.assignment)
            });
            let leaf = digested(index, value, count.into(), 0);
            (path(fields().index(index)), leaf)
        };
        self.0.losses().into_iter().map(leaf).collect()
    }

    fn voided(&self) -> Leaves {
        let leaf = |(target, by): (usize, usize)| {
            (
                path(fields().index(target)),
                plain(fields().index(by), 0, 0),
            )
        };
        self.voids().into_iter().map(leaf).collect()
    }

    fn months(&self) -> Leaves {
        let mut sums: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
        for (_, statement) in self.0.statements() {
            match statement {
                Statement::Award(it) => {
                    sums.entry(month(it.occurred_on)).or_default().0 += it.points.0;
                }
                Statement::Planting(it) => {
                    let planted = &mut sums.entry(month(it.planted_until)).or_default().1;
                    *planted += u64::from(it.count.get());
                }
                _ => {}
            }
        }
        let leaf = |(month, (points, trees)): (u32, (u64, u64))| {
            let value = fields().u64(points).u64(trees);
            (path(fields().u32(month)), plain(value, points, trees))
        };
        sums.into_iter().map(leaf).collect()
    }

    fn evidence(&self) -> Leaves {
        let mut leaves = Leaves::new();
        for (index, statement) in self.0.statements() {
            let evidence = match statement {
                Statement::Planting(it) => it.evidence,
                Statement::Survey(it) => it.evidence,
                _ => continue,
            };
            let value = plain(fields().index(index), 0, 0);
            leaves.entry(*evidence.as_bytes()).or_insert(value);
        }
        leaves
    }
}
