//! What a file about the state is about: a certificate, a history, what corrected an entry. Its first item
//! tells; what else must be in it follows, and it has just that (`docs/format.md`, 13.4).

use std::collections::{BTreeMap, BTreeSet};

use super::ReceiptError;
use super::certificate::Certificate;
use super::corrected::Corrected;
use super::history::{AccountHistory, PlotHistory};
use super::shown::{Opened, is_seal, signed};
use super::state_items::ProvenItem;
use crate::crypto::PublicKey;
use crate::ledger::items::Item;
use crate::ledger::trie::Domain;
use crate::ledger::{KeyRole, KeyState, domains, speakers};
use crate::record::{
    FullEntry, Index, Origin, RecordId, StateEntry, Stated, Statement, Text, decode,
};

/// The longest fields of the programme: origin, id and description.
const PROGRAMME_BYTES_MAX: usize = 1024;

/// What a file about the state says.
#[derive(Clone, Debug)]
pub struct StateFile {
    /// What the file is about.
    pub about: About,
    /// The programme of the ledger, as its genesis describes it.
    pub programme: Text<500>,
    /// The genesis.
    pub genesis: RecordId,
    /// The keys that issued the entries, ascending, each with what the state says of it.
    pub issuers: Vec<Issuer>,
}

/// What a file is about.
#[derive(Clone, Debug)]
pub enum About {
    /// A certificate, with all that it rests on.
    Certificate(Box<Certificate>),
    /// A part of an account's history, or all of it.
    Account(AccountHistory),
    /// A part of a plot's history, or all of it.
    Plot(Box<PlotHistory>),
    /// What corrected an entry.
    Corrected(Corrected),
}

/// A key that issued entries of the file.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// What the state says of the key.
    pub key: KeyState,
    /// The entries that it issued, without seals.
    pub entries: Vec<Index>,
}

/// What a file that shows entries is about; `None` if it shows none.
pub(super) fn about(
    items: &[ProvenItem],
    entries: &Opened,
    state: &StateEntry,
    origin: &Origin,
    pinned: Option<&RecordId>,
) -> Result<Option<StateFile>, ReceiptError> {
    if entries.is_empty() {
        return Ok(None);
    }
    let mut desk = Desk {
        items: items.iter(),
        entries,
        named: BTreeSet::new(),
    };
    let first = desk.items.next();
    let first = first.ok_or_else(|| unfit("it shows entries, and no item that names them"))?;
    if first.nothing_up_to.is_some() {
        return Err(unfit("its first item is one of neighbours"));
    }
    let no_subject = || unfit("its first item is of a domain that no file is about");
    if !matches!(
        first.domain,
        domains::CLAIMS
            | domains::ACCOUNTS
            | domains::PLOTS
            | domains::REVERSED
            | domains::VOIDED
            | domains::LOSSES
    ) {
        return Err(no_subject());
    }
    let (genesis, programme) = desk.programme(first, origin, pinned)?;
    let about = match first.domain {
        domains::CLAIMS => About::Certificate(Box::new(Certificate::read(&mut desk, first)?)),
        domains::ACCOUNTS => About::Account(AccountHistory::read(&mut desk, first)?),
        domains::PLOTS => About::Plot(Box::new(PlotHistory::read(&mut desk, first)?)),
        domains::REVERSED | domains::VOIDED | domains::LOSSES => {
            About::Corrected(Corrected::read(&mut desk, first, state)?)
        }
        _ => return Err(no_subject()),
    };
    desk.check_named()?;
    let issuers = desk.issuers()?;
    Ok(Some(StateFile {
        about,
        programme,
        genesis,
        issuers,
    }))
}

/// The items and entries of a file, as they are gone through.
pub(super) struct Desk<'a> {
    items: std::slice::Iter<'a, ProvenItem>,
    entries: &'a Opened,
    named: BTreeSet<Index>,
}

impl<'a> Desk<'a> {
    /// The next item, which must be this one; what is there, if anything is.
    pub(super) fn item(
        &mut self,
        domain: Domain,
        key: &[u8],
    ) -> Result<Option<&'a Item>, ReceiptError> {
        let next = self.items.next();
        let is_it = |item: &&ProvenItem| {
            item.domain == domain && item.key == key && item.nothing_up_to.is_none()
        };
        let item = next.filter(is_it);
        let item = item.ok_or_else(|| {
            let name = domains::name(domain);
            unfit(&format!(
                "an item of the domain {name} is missing in its place"
            ))
        })?;
        Ok(item.found.as_ref().map(|(_, found)| found))
    }

    /// As [`Self::item`]; that nothing is there contradicts what the file has so far.
    pub(super) fn leaf(&mut self, domain: Domain, key: &[u8]) -> Result<&'a Item, ReceiptError> {
        let found = self.item(domain, key)?;
        found.ok_or_else(|| wrong("an item that another one speaks of is not there"))
    }

    /// The next item, whatever it is.
    pub(super) fn any_item(&mut self) -> Result<&'a ProvenItem, ReceiptError> {
        let next = self.items.next();
        next.ok_or_else(|| unfit("an item is missing at its end"))
    }

    /// What the entry at an index states, which is named by this.
    pub(super) fn shown(&mut self, index: Index) -> Result<Stated<'a>, ReceiptError> {
        let entry = self.entries.get(&index);
        let stated = entry.and_then(FullEntry::stated);
        let stated = stated.ok_or_else(|| unfit(&format!("entry {index} is not shown")))?;
        self.named.insert(index);
        Ok(stated)
    }

    /// Whether an entry is shown.
    pub(super) fn has(&self, index: Index) -> bool {
        self.entries.contains_key(&index)
    }

    /// The highest index of an entry that is no seal.
    pub(super) fn top(&self) -> Option<Index> {
        let mut entries = self.entries.iter().rev();
        let found = entries.find(|(_, entry)| !is_seal(entry));
        found.map(|(index, _)| *index)
    }

    /// The ledger that the file is of.
    fn programme(
        &mut self,
        first: &ProvenItem,
        origin: &Origin,
        pinned: Option<&RecordId>,
    ) -> Result<(RecordId, Text<500>), ReceiptError> {
        let Item::Once(fields) = self.leaf(domains::ONCE, &[0])? else {
            return Err(wrong("the item of the programme is another"));
        };
        let fields = decode::<(Origin, RecordId, Text<500>), PROGRAMME_BYTES_MAX>(fields);
        let (named, genesis, programme) =
            fields.map_err(|error| wrong(&format!("the programme can't be read: {error}")))?;
        if named != *origin {
            return Err(ReceiptError::OtherOrigin);
        }
        let account_of = first.key.first_chunk::<32>();
        let account_of = account_of.filter(|_| first.domain == domains::ACCOUNTS);
        let account_of = account_of.map(|id| RecordId::from_bytes(*id));
        for expected in pinned.into_iter().chain(account_of.as_ref()) {
            if *expected != genesis {
                return Err(ReceiptError::OtherGenesis {
                    found: genesis,
                    expected: *expected,
                });
            }
        }
        Ok((genesis, programme))
    }

    /// Checks that just those entries are shown that are named, and their seals.
    fn check_named(&self) -> Result<(), ReceiptError> {
        let mut needed = self.named.clone();
        for index in &self.named {
            let stated = self.entries.get(index).and_then(FullEntry::stated);
            needed.extend(stated.and_then(|stated| stated.seal));
        }
        match self.entries.keys().find(|index| !needed.contains(index)) {
            None => Ok(()),
            Some(index) => Err(unfit(&format!("nothing in it names entry {index}"))),
        }
    }

    /// The keys of all issuers, by the items that are left.
    fn issuers(&mut self) -> Result<Vec<Issuer>, ReceiptError> {
        let mut issued: BTreeMap<PublicKey, Vec<(Index, &Statement)>> = BTreeMap::new();
        for (index, entry) in self.entries {
            if let (Some(stated), Some(signed)) = (entry.stated(), signed(entry)) {
                let issuer = signed.signed.record().issuer;
                issued
                    .entry(issuer)
                    .or_default()
                    .push((*index, stated.statement));
            }
        }
        let mut found = Vec::new();
        for key in issued.keys() {
            found.push(self.item(domains::KEYS, key.as_bytes())?);
        }
        if self.items.next().is_some() {
            return Err(unfit("an item is left over at its end"));
        }
        let mut issuers = Vec::new();
        for ((key, said), item) in issued.into_iter().zip(found) {
            let Some(Item::Key(state)) = item else {
                return Err(wrong(&format!("the key {key} has no task in the ledger")));
            };
            for (index, statement) in &said {
                if !may_say(&state.role, statement) {
                    let kind = statement.kind();
                    let what = format!("the key {key} may not say the {kind} of entry {index}");
                    return Err(wrong(&what));
                }
            }
            let said = said.into_iter();
            let said = said.filter(|(_, statement)| !matches!(statement, Statement::Seal(_)));
            issuers.push(Issuer {
                key: state.clone(),
                entries: said.map(|(index, _)| index).collect(),
            });
        }
        Ok(issuers)
    }
}

/// Whether a key with this task may say what these files show.
fn may_say(task: &KeyRole, statement: &Statement) -> bool {
    match task {
        KeyRole::Governor => matches!(statement, Statement::Correction(_)),
        KeyRole::Log => false,
        KeyRole::Issuer { role, .. } => speakers(statement).include_role(*role),
    }
}

/// That the file has not just what it must have.
pub(super) fn unfit(what: &str) -> ReceiptError {
    ReceiptError::StateFile {
        fits: false,
        what: what.to_owned(),
    }
}

/// That what the file has contradicts itself.
pub(super) fn wrong(what: &str) -> ReceiptError {
    ReceiptError::StateFile {
        fits: true,
        what: what.to_owned(),
    }
}

/// The number that a key of eight bytes is.
pub(super) fn index_of(key: &[u8]) -> Result<Index, ReceiptError> {
    let bytes = key.first_chunk::<8>();
    let bytes = bytes.ok_or_else(|| unfit("its first item's key is no index"))?;
    Ok(Index(u64::from_be_bytes(*bytes)))
}

/// What is wrong unless this is so.
pub(super) fn agrees(so: bool, what: &str) -> Result<(), ReceiptError> {
    if so { Ok(()) } else { Err(wrong(what)) }
}
