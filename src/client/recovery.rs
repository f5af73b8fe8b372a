//! Making a journal and a head anew from the log.
//!
//! The key's chain is read back from its end, each entry proven to be in the log. Each statement of it
//! is a candidate for a line of the input unless another journal that the head knows holds it; those
//! that the lost journal held, by the head, come first. What no line of the input asks for is kept:
//! what the lost journal held as found, the rest as strays.
//!
//! A seal signs the lines of one journal. Where that is lost, with the head, several inputs may find
//! lines of it as theirs: then no journal holds the seal, and each line's entry tells who holds it.
//!
//! Other journals of the key that are missing or damaged are forgotten: what they held nothing holds
//! any more, and is looked for in this input too. Of a line that names no event nobody can tell then
//! whether it is the one that they held, or a further one that says the same: it is not sent, the record
//! stays a stray, and the run says so. The head remembers what they held until they are made anew.
//!
//! What other keys of the holder signed is read anew ([`super::other_keys`]).
//!
//! Journals of the key that the head does not know, since it was lost, are taken into it where they lie
//! beside this journal or the head.
//!
//! A crash on the way leaves a head that says so, and the next recovery begins anew.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::event::names_one_event;
use super::evidence;
use super::journal::{Journal, JournalError, SettledLines};
use super::key_head::{
    IssuerKey, JournalSeen, KeyHead, LostJournal, is_there, put_aside, with_suffix,
};
use super::known_lines::KnownLines;
use super::log_fault::LogFault;
use super::opening::{canonical, check_end, open_grown_journals, other_keys_path, settle_other};
use super::other_inputs::CountedOnce;
use super::own_chain::{LoggedLine, Walk, Walked};
use super::proven_log::ProvenLog;
use super::remote::{ChainEnd, Remote};
use super::seq_ranges::SeqRanges;
use super::strays::LoggedLines;
use super::submitter::{Candidates, Options, SubmitError, Submitter};
use crate::crypto::PublicKey;
use crate::durable::{at, folder_of};
use crate::record::{Digest, Index, Origin, RecordId, Seq, SigningContext, Statement};

/// What the names of journals end with, unless `--journal` says otherwise.
const JOURNAL_EXTENSION: &str = "journal";
/// How often progress is told.
const RECORDS_PER_PROGRESS: u64 = 256;

impl<'a> Submitter<'a> {
    /// Makes the journal and the head anew from the log, whatever is left of them: what is there
    /// gets another name, and is never removed. The key's chain is read back from its end as far
    /// as nothing else holds its records; [`Self::run`] then takes each line that one of them says
    /// as sent. `progress` is told how many records were read, of how many.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub fn recover(
        remote: &'a Remote,
        origin: &Origin,
        key: &'a IssuerKey,
        journal: &Path,
        options: Options,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, SubmitError> {
        remote.check_address()?;
        let public = key.key().public();
        let path = canonical(journal)?;
        let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
        let mut head = KeyHead::open(key.head(), origin, &public, true)?;
        let mut left = what_is_left(&path, origin)?;
        let seen = left
            .as_ref()
            .and_then(|left| head.journal_of_id(left.id()))
            .or_else(|| head.journal_at(&path))
            .cloned();
        let id = seen.as_ref().map_or("", |seen| &seen.id);
        // It is made anew from the log.
        let of_other_keys = head.journal_at(&other_keys_path(&head)?);
        if let Some(id) = of_other_keys.map(|seen| seen.id.clone()) {
            head.forget(&id);
        }
        // Their records become what no journal holds: candidates for lines of this input.
        let found_lost = forget_lost(&mut head, id)?;
        let was_lost = head.take_lost(&path);
        head.check_room(id, &path)?;
        let mut others = open_grown_journals(&head, id, &path, origin)?;

        let log = ProvenLog::new(remote, origin, options.log.clone());
        let context = SigningContext::new(origin);
        let source = log.source();
        let kept = |fault| evidence::kept(&path, fault);
        let mut known: Vec<String> = head.checkpoint().map(str::to_owned).into_iter().collect();
        for journal in others.iter().chain(&left) {
            known.extend(journal.checkpoints().map(str::to_owned));
        }
        let look = log.look(&source, &context, &public, &known).map_err(kept)?;
        let named = &options.other_journals;
        let found = find_journals(&mut head, &path, named, origin, &|key, end| {
            let mut walk = Walk::new(&look.tiles, &context, key, end);
            match walk.next() {
                Ok(_) => Ok(true),
                Err(LogFault::Wrong(_)) => Ok(false),
                Err(fault) => Err(fault),
            }
        })?;
        others.extend(found);
        let last_known = others
            .iter()
            .chain(&left)
            .filter_map(|journal| journal.last(&public))
            .chain(head.last())
            .max_by_key(|end| end.seq);
        let last = check_end(last_known, &look)?;
        let (granted, last_issued_on) = (look.state.prev, look.state.last_issued_on);
        let task = look.state.task.clone();

        // The keys that signed lines of this input, each with what its journal held of it.
        let mut keys = what_was_held(seen.as_ref(), was_lost.as_ref(), left.as_ref());
        for key in options.old_keys.iter().chain([&public]) {
            keys.entry(*key).or_default();
        }
        let (mut chains, mut newest) = (Vec::new(), look);
        for (key, ours) in keys {
            let end = if key == public {
                last
            } else {
                known.push(newest.proven.note.clone());
                newest = log.look(&source, &context, &key, &known).map_err(kept)?;
                if options.old_keys.contains(&key) && newest.state.task != task {
                    let holder = task.holder.unwrap_or_default();
                    return Err(SubmitError::NoOldKey { key, holder });
                }
                newest.state.head
            };
            let mut elsewhere = head.held_elsewhere(&key, Some(id));
            for records in others.iter().filter_map(|other| other.keys().get(&key)) {
                elsewhere.extend(&records.seqs);
            }
            let is_own = key == public;
            let last_known = last_known.filter(|_| is_own);
            let is_named = options.old_keys.contains(&key);
            let chain = end.and_then(|end| {
                Chain::new(key, is_own, is_named, end, ours, elsewhere, last_known)
            });
            chains.extend(chain);
        }

        let mut reading = Reading {
            candidates: Candidates::new(&folder, chains.iter().map(Chain::len).sum(), found_lost)?,
            lost: head.lost().to_vec(),
            held: held_in_part(&head, id, &others, &folder)?,
            unanswered: HashMap::new(),
            answers: vec![Vec::new(); others.len()],
            proposals: Vec::new(),
        };
        for (place, other) in others.iter().enumerate() {
            let ids = other.pending_ids(&public)?;
            reading
                .unanswered
                .extend(ids.into_iter().map(|id| (id, place)));
        }
        let total = chains.iter().map(Chain::len).sum();
        let mut read = 0;
        for chain in &chains {
            let mut walk = Walk::new(&newest.tiles, &context, &chain.key, chain.end);
            while let Some(walked) = walk.next()? {
                if reading.asks_for_lines(chain, &walked)? {
                    for (digest, line, statement) in walk.lines(&walked)? {
                        reading.take(chain, &digest, line, &statement, &folder)?;
                    }
                }
                read += 1;
                if read % RECORDS_PER_PROGRESS == 0 || read == total {
                    progress(read, total);
                }
                if walked.end.seq == chain.first {
                    break;
                }
            }
        }
        let Reading {
            candidates,
            answers,
            proposals,
            ..
        } = reading;
        for seq in proposals {
            head.add_other(seq);
        }
        for (other, answers) in others.iter_mut().zip(answers) {
            settle_other(&mut head, other, &public, &answers, last)?;
        }

        // What was signed and is not in may still come in, by a request that is on its way: the new
        // journal has it before anything is signed in its place.
        let pending = left.iter_mut().flat_map(Journal::take_pending);
        let pending: Vec<_> = pending
            .filter_map(|(batch, given_up)| match batch.key == public {
                true => Some((batch.behind(last, granted)?, given_up)),
                // What an older key signed is told as long as it may come in.
                false => Some((batch, true)),
            })
            .collect();
        drop(left);
        if is_there(&path)? {
            put_aside(&path, "old")?;
        }
        head.forget(id);
        let mut journal = Journal::open(&path, origin, None)?;
        journal.take_over(&pending)?;
        head.lose_unanswered(
            seen.and_then(|seen| seen.unanswered),
            journal.unanswered(&public),
        );
        journal.proven(&newest.proven.note)?;
        let known = KnownLines::new(&journal, &folder)?;
        let proven = newest.proven;
        let mut submitter = Submitter::of(
            log, key, context, options, head, journal, folder, known, proven, last, granted,
        );
        submitter.signed_for(last_issued_on);
        submitter.task = task;
        submitter.candidates = Some(candidates);
        submitter.keep_pending(others);
        // From here on a crash leaves a head that asks for another recovery.
        submitter.save_head()?;
        Ok(submitter)
    }

    /// Ends a recovery: what no line asked for is kept as what it is. Gives how many lines that the journal
    /// held the input has no more.
    pub(super) fn finish_recovery(&mut self) -> Result<u64, SubmitError> {
        let Some(candidates) = self.candidates.take() else {
            return Ok(0);
        };
        let (mut failed, mut gone) = (None, 0);
        let journal = &mut self.journal;
        candidates.ours.for_each(|key, digest, line| {
            if failed.is_none() {
                failed = journal.found(*key, *digest, line).err();
                gone += 1;
            }
            Ok(())
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        let path = with_suffix(self.head.path(), ".strays");
        let mut strays = candidates.unknown;
        for of_lost in [candidates.of_lost, candidates.of_lost_asked] {
            of_lost.for_each(|key, digest, line| strays.put(key, digest, line))?;
        }
        let seen = strays.write_strays(&path, &self.public)?;
        self.head.set_strays(seen);
        Ok(gone)
    }
}

impl Candidates {
    fn new(folder: &Path, records: u64, found_lost: Vec<PathBuf>) -> Result<Self, SubmitError> {
        Ok(Self {
            ours: LoggedLines::new(folder, records)?,
            unknown: LoggedLines::new(folder, records)?,
            of_lost: LoggedLines::new(folder, 1)?,
            of_lost_asked: LoggedLines::new(folder, 1)?,
            taken_of_others: CountedOnce::with_room(folder, 1)?,
            found_lost,
        })
    }
}

/// A key's chain that is read back, from `end` to `first`.
struct Chain {
    key: PublicKey,
    /// It is that of the key in use, not of an older one.
    is_own: bool,
    /// Somebody said that it is of an older key which signed lines of this input.
    is_named: bool,
    end: ChainEnd,
    first: Seq,
    /// What the journal that is made anew held.
    ours: SeqRanges,
    /// What other journals hold.
    elsewhere: SeqRanges,
    /// A record that must be on it.
    last_known: Option<ChainEnd>,
}

impl Chain {
    /// As much of a chain as has to be looked at; `None` if nothing has.
    fn new(
        key: PublicKey,
        is_own: bool,
        is_named: bool,
        end: ChainEnd,
        ours: SeqRanges,
        elsewhere: SeqRanges,
        last_known: Option<ChainEnd>,
    ) -> Option<Self> {
        let firsts = [
            elsewhere.first_gap(end.seq),
            ours.first(),
            last_known.map(|known| known.seq),
        ];
        let first = firsts.into_iter().flatten().min()?.min(end.seq);
        Some(Self {
            key,
            is_own,
            is_named,
            end,
            first,
            ours,
            elsewhere,
            last_known,
        })
    }

    fn len(&self) -> u64 {
        self.end.seq.0 - self.first.0 + 1
    }
}

/// What was found on the way back.
struct Reading {
    candidates: Candidates,
    /// Other journals that are lost.
    lost: Vec<LostJournal>,
    /// Entries that other journals hold, among which there may be lines of seals that none holds
    /// whole.
    held: Option<CountedOnce>,
    /// Records without an answer in other journals of the key, by the place of the journal.
    unanswered: HashMap<RecordId, usize>,
    /// Those that are in, newest first.
    answers: Vec<Vec<(RecordId, Index)>>,
    proposals: Vec<Seq>,
}

impl Reading {
    /// Takes in a record; tells whether its statements may be lines of the input.
    fn asks_for_lines(&mut self, chain: &Chain, walked: &Walked) -> Result<bool, SubmitError> {
        let seq = walked.end.seq;
        if let Some(known) = chain.last_known.filter(|known| known.seq == seq)
            && known.id != walked.end.id
        {
            return Err(SubmitError::RecordsLost(format!(
                "the record {seq} of this key was entry {}, and is not in its chain",
                known.index
            )));
        }
        let answered = self.unanswered.get(&walked.end.id);
        if let Some(answers) = answered.and_then(|place| self.answers.get_mut(*place)) {
            answers.push((walked.end.id, walked.end.index));
            return Ok(false);
        }
        if chain.ours.contains(seq) {
            return Ok(true);
        }
        if walked.endorsed && !chain.elsewhere.contains(seq) {
            self.proposals.extend(chain.is_own.then_some(seq));
        }
        // Otherwise its lines are those of another input, or nobody's.
        Ok(!walked.endorsed && !chain.elsewhere.contains(seq))
    }

    /// Takes in a statement of such a record.
    fn take(
        &mut self,
        chain: &Chain,
        digest: &Digest,
        line: LoggedLine,
        statement: &Statement,
        folder: &Path,
    ) -> Result<(), SubmitError> {
        let candidates = &mut self.candidates;
        if chain.ours.contains(line.signed.seq) {
            candidates.ours.put(&chain.key, digest, line)?;
            return Ok(());
        }
        let held = match &self.held {
            Some(held) if line.is_sealed() => held.contains(line.index).map_err(at(folder))?,
            _ => false,
        };
        if !held {
            // Another input's, as the head remembers, or perhaps one's that the older key alone knows.
            let of_another = |lost: &LostJournal| lost.holds(&chain.key, line.signed.seq);
            let of_older = !chain.is_own && !chain.is_named;
            let of_lost =
                !names_one_event(statement) && (of_older || self.lost.iter().any(of_another));
            let found = match of_lost {
                true => &mut candidates.of_lost,
                false => &mut candidates.unknown,
            };
            found.put(&chain.key, digest, line)?;
        }
        Ok(())
    }
}

/// The entries of the journals, but for that of this id, which hold some lines of a seal and not all;
/// `None` if there are none. `others` are those that the head does not know as they are.
fn held_in_part(
    head: &KeyHead,
    id: &str,
    others: &[Journal],
    folder: &Path,
) -> Result<Option<CountedOnce>, SubmitError> {
    let in_part = |journal: &&Journal| {
        let mut held = journal.keys().values();
        held.any(|records| !records.parts.is_empty())
    };
    let open: Vec<&Journal> = others.iter().filter(in_part).collect();
    let seen: Vec<&JournalSeen> = head
        .with_records(id)
        .filter(|seen| !seen.parts.is_empty())
        .filter(|seen| others.iter().all(|open| open.id() != seen.id))
        .collect();
    if open.is_empty() && seen.is_empty() {
        return Ok(None);
    }
    let entries = open.iter().map(|journal| journal.mark().records);
    let entries = entries.chain(seen.iter().map(|seen| seen.mark.records));
    let mut held = CountedOnce::with_room(folder, entries.sum())?;
    for journal in open {
        held.add_all(folder, journal.settled()?)?;
    }
    for seen in seen {
        let lines = SettledLines::as_seen(Path::new(&seen.path), &seen.mark)?;
        held.add_all(folder, lines)?;
    }
    Ok(Some(held))
}

/// Takes out of the head the journals, but for that of this id, that are missing or not as it saw
/// them; gives their paths.
fn forget_lost(head: &mut KeyHead, id: &str) -> Result<Vec<PathBuf>, JournalError> {
    let mut lost = Vec::new();
    for seen in head.with_records(id) {
        match read_whole(seen) {
            Ok(()) => {}
            Err(error @ JournalError::Io(_)) => return Err(error),
            Err(_) => lost.push((seen.id.clone(), PathBuf::from(&seen.path))),
        }
    }
    for (id, _) in &lost {
        head.lose(id);
    }
    Ok(lost.into_iter().map(|(_, path)| path).collect())
}

/// Takes into the head the key's journals that it does not know, as after it was lost: those in the
/// folder of this journal, `path`, and in that of the head, and the `named` ones; those whose last records
/// the log has (`is_logged`): another history of the log may have had what such a journal says. What they
/// hold is no line of this input. Gives those of which a batch may still come in. Of one that is named, it
/// is an error that it can't be taken.
fn find_journals(
    head: &mut KeyHead,
    path: &Path,
    named: &[PathBuf],
    origin: &Origin,
    is_logged: &dyn Fn(&PublicKey, ChainEnd) -> Result<bool, LogFault>,
) -> Result<Vec<Journal>, SubmitError> {
    let mut pending = Vec::new();
    let named: Vec<PathBuf> = named
        .iter()
        .map(|name| canonical(name))
        .collect::<Result<_, _>>()?;
    let mut names = journals_beside([path, head.path()])?;
    names.extend(named.iter().cloned());
    names.sort();
    names.dedup();
    for name in names {
        let untold = |why: String| match named.contains(&name) {
            true => Err(SubmitError::NoOtherJournal {
                path: name.clone(),
                why,
            }),
            false => Ok(()),
        };
        if name == path {
            untold("it is the journal of this input".to_owned())?;
            continue;
        }
        let is_known = |id: &String| head.journal_of_id(id).is_some();
        let id = Journal::id_of(&name)?;
        if id.as_ref().is_some_and(is_known) || head.journal_at(&name).is_some() {
            continue;
        }
        if id.is_none() {
            untold("it is not there, or is no journal".to_owned())?;
            continue;
        }
        let journal = match Journal::open(&name, origin, None) {
            Ok(journal) => journal,
            Err(error @ (JournalError::Io(_) | JournalError::Locked(_))) => {
                return Err(error.into());
            }
            // It is of another ledger or release, or damaged: it tells of no line.
            Err(error) => {
                untold(error.to_string())?;
                continue;
            }
        };
        let is_pending = journal.is_pending(head.key());
        if !is_pending && !journal.keys().contains_key(head.key()) {
            untold("it holds nothing that this key signed".to_owned())?;
            continue;
        }
        if let Err(full) = head.check_room(journal.id(), &name) {
            untold(full.to_string())?;
            continue;
        }
        let mut all_logged = true;
        for (key, records) in journal.keys() {
            if let (true, Some(last)) = (all_logged, records.last) {
                all_logged = is_logged(key, last)?;
            }
        }
        if !all_logged {
            untold("the log does not have its last record".to_owned())?;
            continue;
        }
        head.see(&journal, false);
        pending.extend(is_pending.then_some(journal));
    }
    Ok(pending)
}

/// The files in the folders of these files whose names are those of journals.
fn journals_beside(files: [&Path; 2]) -> Result<Vec<PathBuf>, SubmitError> {
    let mut found = Vec::new();
    for folder in files.map(folder_of) {
        for entry in std::fs::read_dir(folder).map_err(at(folder))? {
            let name = entry.map_err(at(folder))?.path();
            if name
                .extension()
                .is_some_and(|kind| kind == JOURNAL_EXTENSION)
                && name.is_file()
            {
                found.push(canonical(&name)?);
            }
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Reads a journal as far as the head saw it.
fn read_whole(seen: &JournalSeen) -> Result<(), JournalError> {
    let mut lines = SettledLines::as_seen(Path::new(&seen.path), &seen.mark)?;
    while lines.next()?.is_some() {}
    Ok(())
}

/// Which records of which keys the journal held, by the head that knew it and by what is left.
fn what_was_held(
    seen: Option<&JournalSeen>,
    was_lost: Option<&LostJournal>,
    left: Option<&Journal>,
) -> BTreeMap<PublicKey, SeqRanges> {
    let mut held = BTreeMap::new();
    let mut add = |key: &PublicKey, seqs: &SeqRanges| {
        let known: &mut SeqRanges = held.entry(*key).or_default();
        known.extend(seqs);
    };
    for (key, seqs) in seen.iter().flat_map(|seen| &seen.keys) {
        add(key, seqs);
    }
    for (key, seqs) in was_lost.iter().flat_map(|lost| &lost.records) {
        add(key, seqs);
    }
    // The chain of a key of which it held some lines of a seal is read too.
    for key in seen.iter().flat_map(|seen| seen.parts.keys()) {
        add(key, &SeqRanges::default());
    }
    for (key, records) in left.iter().flat_map(|left| left.keys()) {
        add(key, &records.seqs);
    }
    if let Some(open) = left.and_then(Journal::open_batch) {
        add(&open.key, &SeqRanges::default());
    }
    held
}

/// The journal as far as it can be read; `None` if there is none, or one of another format.
fn what_is_left(path: &Path, origin: &Origin) -> Result<Option<Journal>, SubmitError> {
    if !Journal::is_there(path)? {
        return Ok(None);
    }
    match Journal::salvage(path, origin) {
        Ok(journal) => Ok(Some(journal)),
        Err(JournalError::NotAJournal(_) | JournalError::Version(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
