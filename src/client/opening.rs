//! What must agree before anything is signed or said: the log with every checkpoint that was seen,
//! the key's chain with its head and the journals, the journal with what the head saw of it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::append_batch::SentBatch;
use super::evidence;
use super::journal::{Journal, JournalError, LineIn, OpenBatch};
use super::key_head::{IssuerKey, KeyHead, with_suffix};
use super::known_lines::KnownLines;
use super::log_fault::LogFault;
use super::other_inputs::OtherInputs;
use super::own_chain::{Walk, is_entry};
use super::proven_log::{KeyLook, ProvenLog};
use super::refusals::{About, about};
use super::remote::{ChainEnd, Remote, RemoteProblem, Sent};
use super::submitter::{Options, SubmitError, Submitter, today};
use crate::audit::Tiles;
use crate::crypto::PublicKey;
use crate::durable::{at, folder_of};
use crate::record::{Index, Origin, RecordId, Seq, SignedRecord, SigningContext, Statement};

/// The most records past the last known one that are looked at one by one: what a run can leave
/// without an answer, and proposals. More is not explained by either.
const UNKNOWN_RECORDS_MAX: u64 = 65_536;

impl<'a> Submitter<'a> {
    /// Opens the journal of an input (`INPUT.journal`), or begins it, and checks that journal,
    /// head and log agree. Sends nothing new; of an earlier run it settles what has no answer.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub fn open(
        remote: &'a Remote,
        origin: &Origin,
        key: &'a IssuerKey,
        journal: &Path,
        options: Options,
    ) -> Result<Self, SubmitError> {
        remote.check_address()?;
        let public = key.key().public();
        let path = canonical(journal)?;
        let mut head = KeyHead::open(key.head(), origin, &public, false)?;
        let mut journal = open_journal(&head, &path, origin)?;
        head.check_room(journal.id(), &path)?;
        see_replaced(&mut head, &path, origin)?;
        let mut others = open_grown_journals(&head, journal.id(), &path, origin)?;
        let log = ProvenLog::new(remote, origin, options.log.clone());
        let context = SigningContext::new(origin);
        let source = log.source();
        let mut known = checkpoints(&head, &journal);
        for other in &others {
            known.extend(other.checkpoints().map(str::to_owned));
        }
        let look = log
            .look(&source, &context, &public, &known)
            .map_err(|fault| evidence::kept(journal.path(), fault))?;

        let settled = settle(
            &public,
            &context,
            &mut head,
            &mut journal,
            &mut others,
            &look,
        )?;
        let last = settled.end;
        void_what_does_not_continue(&public, &mut journal, last, look.state.prev)?;
        check_unproven(&journal, &look.tiles)
            .map_err(|fault| evidence::kept(journal.path(), fault))?;
        journal.proven(&look.proven.note)?;
        journal.sync()?;
        head.see(&journal, false);
        if let Some(last) = last
            && let Some(first) = head.first_unaccounted(last.seq)
        {
            if let Some(other) = head.journals().iter().find(|seen| seen.recovering) {
                return Err(SubmitError::RecoveryUnfinished((&other.path).into()));
            }
            return Err(SubmitError::UnknownRecords {
                count: "records".to_owned(),
                first,
                head: head.path().to_owned(),
            });
        }
        head.set_last(last);
        head.set_checkpoint(&look.proven.note);
        head.save()?;
        let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
        let known = KnownLines::new(&journal, &folder)?;
        let (granted, last_issued_on) = (look.state.prev, look.state.last_issued_on);
        let task = look.state.task.clone();
        let proven = look.proven;
        let mut submitter = Submitter::of(
            log, key, context, options, head, journal, folder, known, proven, last, granted,
        );
        submitter.signed_for(last_issued_on);
        submitter.task = task;
        submitter.keep_pending(others);
        if submitter.settle_older_key()? {
            submitter.prove()?;
            submitter.known = KnownLines::new(&submitter.journal, &submitter.folder)?;
            submitter.save_head()?;
        }
        Ok(submitter)
    }
}

impl Submitter<'_> {
    /// Number of entries of the log that was proven last: an answer of fewer is an old one.
    pub fn proven_size(&self) -> u64 {
        self.proven.head.size
    }

    /// Tells what a key said in the log, newest first, each entry proven to be in it: the key in
    /// use, or another one whose records count for it. While this lives nothing else uses the key
    /// in use, so what it said is what it will have said when this sends.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub fn statements_of(
        &self,
        key: &PublicKey,
        tell: &mut dyn FnMut(Index, &Statement),
    ) -> Result<(), SubmitError> {
        let source = self.log.source();
        let look = self
            .log
            .look(&source, &self.context, key, &self.checkpoints())
            .map_err(|fault| evidence::kept(self.journal.path(), fault))?;
        // Of the key in use: as of the opening. What an earlier process sent and comes in only now
        // is still open in the journal, which settles it when the same statements are sent.
        let end = if *key == self.public {
            self.last
        } else {
            look.state.head
        };
        let Some(end) = end else {
            return Ok(());
        };
        let mut walk = Walk::new(&look.tiles, &self.context, key, end);
        while let Some(walked) = walk.next()? {
            for (_, line, statement) in walk.lines(&walked)? {
                tell(line.index, &statement);
            }
        }
        Ok(())
    }
}

/// The journal's path without links and dots: the same file has the same path in every run.
pub(super) fn canonical(path: &Path) -> Result<PathBuf, SubmitError> {
    let name = path.file_name().ok_or_else(|| {
        at(path)(std::io::Error::new(
            std::io::ErrorKind::InvalidInput,
            "this names no file",
        ))
    })?;
    if let Ok(whole) = path.canonicalize() {
        return Ok(whole);
    }
    let folder = folder_of(path);
    Ok(folder.canonicalize().map_err(at(folder))?.join(name))
}

/// The journal of what the holder's other keys said ([`super::other_keys`]).
pub(super) fn other_keys_path(head: &KeyHead) -> Result<PathBuf, SubmitError> {
    canonical(&with_suffix(head.path(), ".other-keys"))
}

/// Every checkpoint that was seen before.
pub(super) fn checkpoints(head: &KeyHead, journal: &Journal) -> Vec<String> {
    let seen = head.checkpoint().into_iter().chain(journal.checkpoints());
    seen.map(str::to_owned).collect()
}

fn open_journal(head: &KeyHead, path: &Path, origin: &Origin) -> Result<Journal, SubmitError> {
    let at_path = head.journal_at(path);
    if let Some(seen) = at_path
        && seen.recovering
    {
        return Err(SubmitError::RecoveryUnfinished(path.to_owned()));
    }
    if let Some(seen) = at_path
        && seen.mark.records > 0
        && !Journal::is_there(path)?
    {
        return Err(SubmitError::JournalLost {
            path: path.to_owned(),
            records: seen.mark.records,
        });
    }
    // Which mark counts is known once the journal's id was read.
    let id = Journal::id_of(path)?;
    let seen = id.as_deref().and_then(|id| head.journal_of_id(id));
    if let Some(seen) = seen
        && at_path.is_none_or(|known| known.id != seen.id)
    {
        // It was moved here, unless it is where it was too.
        let original = Path::new(&seen.path);
        if Journal::id_of(original)?.as_deref() == Some(seen.id.as_str()) {
            return Err(SubmitError::JournalCopied {
                path: path.to_owned(),
                original: original.to_owned(),
            });
        }
    }
    let replaced = at_path.filter(|known| known.mark.records > 0 && id.as_ref() != Some(&known.id));
    let Some(replaced) = replaced else {
        return Ok(Journal::open(path, origin, seen.map(|seen| &seen.mark))?);
    };
    let another = match Journal::open(path, origin, None) {
        Err(error @ (JournalError::Io(_) | JournalError::Locked(_))) => return Err(error.into()),
        opened => opened.ok().filter(|journal| replaced.is_held_by(journal)),
    };
    another.ok_or_else(|| SubmitError::JournalReplaced {
        path: path.to_owned(),
        records: replaced.mark.records,
    })
}

/// Takes into the head the journals that stand in the place of others and hold all that those held: they
/// were made anew with another key of the holder.
fn see_replaced(head: &mut KeyHead, own: &Path, origin: &Origin) -> Result<(), SubmitError> {
    let mut replaced = Vec::new();
    for seen in head.journals() {
        let path = Path::new(&seen.path);
        if path == own || seen.mark.records == 0 {
            continue;
        }
        if Journal::id_of(path)?.is_none_or(|id| id == seen.id) {
            continue;
        }
        match Journal::open(path, origin, None) {
            Ok(journal) if seen.is_held_by(&journal) => replaced.push(journal),
            Err(error @ JournalError::Locked(_)) => return Err(error.into()),
            // What is missing is asked about where it matters.
            Ok(_) | Err(_) => {}
        }
    }
    for journal in replaced {
        head.see(&journal, false);
    }
    Ok(())
}

/// The key's journals, but for that of this id and for what the head knew at its path, of which the head
/// does not know all: they had records without an answer, a process that wrote one was killed, or another
/// key wrote to it. One that is missing, or is not as the head saw it, is left out: if it matters, the log
/// has records that nothing here explains, or [`super::other_inputs`] tells.
pub(super) fn open_grown_journals(
    head: &KeyHead,
    id: &str,
    own: &Path,
    origin: &Origin,
) -> Result<Vec<Journal>, SubmitError> {
    let mut grown = Vec::new();
    let of_other_keys = other_keys_path(head)?;
    for seen in head.journals().iter().filter(|seen| seen.id != id) {
        let path = Path::new(&seen.path);
        // Another journal stood in the place of this one, which is locked; what other keys signed is read
        // anew where it is not as the head saw it.
        if path == own || path == of_other_keys {
            continue;
        }
        let length = Journal::length_of(path)?.unwrap_or_default();
        if length < seen.mark.bytes || (length == seen.mark.bytes && !seen.open) {
            continue;
        }
        match Journal::open(path, origin, Some(&seen.mark)) {
            Ok(other) if other.id() == seen.id => grown.push(other),
            Err(error @ (JournalError::Io(_) | JournalError::Locked(_))) => {
                return Err(error.into());
            }
            Ok(_) | Err(_) => {}
        }
    }
    Ok(grown)
}

/// What the log told of records without an answer.
pub(super) struct Settled {
    /// The end of the key's chain.
    pub end: Option<ChainEnd>,
    /// Lines of the journal's batches that are in.
    pub ours: Vec<LineIn>,
    /// The same of other journals.
    pub elsewhere: Vec<LineIn>,
}

/// Explains the end of the key's chain in the log: it is the last record that was known to be in,
/// or records follow which a journal has without an answer, or proposals. Notes their answers in
/// the journals.
pub(super) fn settle(
    public: &PublicKey,
    context: &SigningContext,
    head: &mut KeyHead,
    journal: &mut Journal,
    others: &mut [Journal],
    look: &KeyLook<'_>,
) -> Result<Settled, SubmitError> {
    let known = others
        .iter()
        .chain([&*journal])
        .filter_map(|journal| journal.last(public))
        .chain(head.last())
        .max_by_key(|end| end.seq);
    let end = check_end(known, look)?;
    let first_new = known.map_or(0, |known| known.seq.0.saturating_add(1));
    let new = end.map_or(0, |end| (end.seq.0 + 1).saturating_sub(first_new));
    let unknown = |count: u64, first: u64| SubmitError::UnknownRecords {
        count: match count {
            1 => "a statement".to_owned(),
            count => format!("{count} statements"),
        },
        first: Seq(first),
        head: head.path().to_owned(),
    };
    if new > UNKNOWN_RECORDS_MAX {
        return Err(unknown(new, first_new));
    }
    let walked = match end {
        Some(end) if new > 0 => {
            let walk = Walk::new(&look.tiles, context, public, end);
            walk.since(Seq(first_new))?
        }
        _ => Vec::new(),
    };
    if let (Some(known), Some(first)) = (known, walked.first())
        && first.prev != known.id
    {
        return Err(SubmitError::RecordsLost(format!(
            "the record {} of this key was entry {}, and is not in its chain",
            known.seq, known.index
        )));
    }
    let mut pending: HashMap<RecordId, usize> = HashMap::new();
    for (place, journal) in others.iter().chain([&*journal]).enumerate() {
        let ids = journal.pending_ids(public)?;
        pending.extend(ids.into_iter().map(|id| (id, place)));
    }
    let mut found: Vec<Vec<(RecordId, Index)>> = vec![Vec::new(); others.len() + 1];
    let mut strange: Option<(u64, Seq)> = None;
    let mut proposals = Vec::new();
    for record in &walked {
        let end = record.end;
        let found = pending.get(&end.id).and_then(|at| found.get_mut(*at));
        match found {
            Some(found) => found.push((end.id, end.index)),
            None if record.endorsed => proposals.push(end.seq),
            None => {
                let (count, first) = strange.unwrap_or((0, end.seq));
                strange = Some((count.saturating_add(record.count()), first));
            }
        }
    }
    if let Some((count, first)) = strange {
        return Err(unknown(count, first.0));
    }
    for seq in proposals {
        head.add_other(seq);
    }
    let (mut found, mut elsewhere) = (found.into_iter(), Vec::new());
    for other in others.iter_mut() {
        let found = found.next().unwrap_or_default();
        elsewhere.extend(settle_other(head, other, public, &found, end)?);
    }
    let ours = journal.are_in(&found.next().unwrap_or_default())?;
    if let Some(end) = end {
        journal.place_taken(public, end);
    }
    Ok(Settled {
        end,
        ours,
        elsewhere,
    })
}

/// Notes in another journal of the key which of its records without an answer are in; gives their
/// lines. `end` is the end of the key's chain.
pub(super) fn settle_other(
    head: &mut KeyHead,
    other: &mut Journal,
    public: &PublicKey,
    found: &[(RecordId, Index)],
    end: Option<ChainEnd>,
) -> Result<Vec<LineIn>, JournalError> {
    let lines = other.are_in(found)?;
    // The rest is not in, and its places in the chain are taken once this run has signed. Until then a
    // request that is on its way may bring it in: so it is given up, and not forgotten. A crash before
    // that leaves it to be signed again, in the same places.
    if other.open_batch().is_some_and(|open| open.key == *public) {
        other.void()?;
    }
    if let Some(end) = end {
        other.place_taken(public, end);
    }
    other.sync()?;
    head.see(other, false);
    Ok(lines)
}

/// The end of the key's chain by the server, unless it is before the last record that is known to
/// be in, or another one in its place.
pub(super) fn check_end(
    known: Option<ChainEnd>,
    look: &KeyLook<'_>,
) -> Result<Option<ChainEnd>, SubmitError> {
    let end = look.state.head;
    let Some(known) = known else {
        return Ok(end);
    };
    let lost = match end {
        None => Some("it knows none of this key".to_owned()),
        Some(end) if end.seq < known.seq => Some(format!(
            "its last of this key has seq {}, and it had one of seq {}, entry {}",
            end.seq, known.seq, known.index
        )),
        Some(end) if end.seq == known.seq && end.id != known.id => Some(format!(
            "under seq {} of this key it has another record than it had, entry {}",
            known.seq, known.index
        )),
        Some(_) => None,
    };
    match lost {
        Some(what) => Err(SubmitError::RecordsLost(what)),
        None => Ok(end),
    }
}

/// Records that were signed behind another end than the chain has can never come in.
pub(super) fn void_what_does_not_continue(
    public: &PublicKey,
    journal: &mut Journal,
    last: Option<ChainEnd>,
    granted: RecordId,
) -> Result<(), JournalError> {
    let records = journal.open_records(public, 1)?;
    let Some(first) = records.first().map(SignedRecord::record) else {
        return Ok(());
    };
    let (seq, prev) = last.map_or((Seq(0), granted), |last| (Seq(last.seq.0 + 1), last.id));
    if (first.seq, first.prev) == (seq, prev) {
        return Ok(());
    }
    journal.void()?;
    if let Some(last) = last {
        journal.place_taken(public, last);
    }
    Ok(())
}

/// Checks that the first and the last record that are in by the server's word are at the indexes
/// that it told, and before a seal its batch. The records between name each other, and their indexes
/// lie between.
pub(super) fn check_unproven(journal: &Journal, tiles: &Tiles<'_>) -> Result<(), LogFault> {
    let Some(unproven) = journal.unproven() else {
        return Ok(());
    };
    for (index, record) in [&unproven.first, &unproven.last] {
        if !is_entry(tiles, *index, record)? {
            return Err(LogFault::Wrong(format!(
                "the server answered that the record {} of this key is entry {index}, and its log of {} entries does not have it there. Nothing of it is reported. Tell the operator",
                record.record().seq,
                tiles.head().size
            )));
        }
    }
    Ok(())
}

impl Submitter<'_> {
    /// Sends again what an older key signed in this journal and has no answer: that needs no private
    /// key, and only an answer tells that it can't come in later, beside what this key signs.
    /// Gives whether there was anything.
    fn settle_older_key(&mut self) -> Result<bool, SubmitError> {
        let Some(key) = self
            .journal
            .open_batch()
            .map(|open| open.key)
            .filter(|key| *key != self.public)
        else {
            return Ok(false);
        };
        self.settle_from_log(&key)?;
        if self.is_said_elsewhere()? {
            // Another input, or another key, awarded an event of the batch meanwhile.
            self.journal.void()?;
            self.journal.sync()?;
            return Ok(true);
        }
        while let Some(open) = self.journal.open_batch() {
            if open.seal().is_some() {
                self.settle_older_seal(&key)?;
                continue;
            }
            let (records, sent) = self.send_open(&key, self.batch_max())?;
            match sent {
                Sent::TooLarge => self.halve_batches(records.len(), 0)?,
                Sent::Judged {
                    indexes,
                    checkpoint,
                    refused,
                    ..
                } => {
                    self.take_answer(&records, &indexes, checkpoint.as_deref())?;
                    if let (Some(problem), Some(record)) = (refused, records.get(indexes.len())) {
                        self.settle_from_log(&key)?;
                        self.check_never(&key, record, &problem)?;
                        self.journal.void()?;
                    }
                }
            }
        }
        self.journal.sync()?;
        Ok(true)
    }

    /// Whether something that is in by another journal, or by another key, is of an event of the open batch.
    fn is_said_elsewhere(&mut self) -> Result<bool, SubmitError> {
        if self.journal.open_batch().is_none() {
            return Ok(false);
        }
        self.read_other_keys(&mut |_, _| {})?;
        let others = OtherInputs::read(&self.head, &self.journal, &self.folder)?;
        let events = self.journal.open_batch().into_iter();
        for event in events.flat_map(OpenBatch::events) {
            if others.of_event(&event)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// As [`Self::settle_older_key`], of a sealed batch: all of it is in then, or it is void.
    fn settle_older_seal(&mut self, key: &PublicKey) -> Result<(), SubmitError> {
        let Some((seal, sent)) = self.send_seal(key)? else {
            return Ok(());
        };
        match sent {
            // Only the older key could seal fewer.
            SentBatch::TooLarge if !self.options.sign_anew => {
                Err(SubmitError::OldKeyTooLarge { key: *key })
            }
            SentBatch::TooLarge => Ok(self.journal.void()?),
            SentBatch::In { batch, .. } => self.take_batch(&batch).map(drop),
            SentBatch::Refused { problem, .. } => {
                self.settle_from_log(key)?;
                self.check_never(key, &seal, &problem)?;
                Ok(self.journal.void()?)
            }
        }
    }

    /// Notes which records of a key that have no answer are in the log.
    fn settle_from_log(&mut self, key: &PublicKey) -> Result<(), SubmitError> {
        let source = self.log.source();
        let look = self
            .log
            .look(&source, &self.context, key, &self.checkpoints())
            .map_err(|fault| evidence::kept(self.journal.path(), fault))?;
        let Some((end, open)) = look.state.head.zip(self.journal.open_batch()) else {
            return Ok(());
        };
        let walked = Walk::new(&look.tiles, &self.context, key, end).since(open.seq)?;
        let records = self.journal.open_records(key, usize::MAX)?;
        let ours = walked.iter().zip(&records);
        let indexes: Vec<Index> = ours
            .take_while(|(walked, record)| walked.end.id == self.context.id(record.bytes()))
            .map(|(walked, _)| walked.end.index)
            .collect();
        self.journal.admitted(&indexes)?;
        self.proven = look.proven;
        Ok(())
    }

    /// Whether a refused record of an older key could still come in: only if it was signed for a
    /// day to come. What is too old, against a rule, or of a revoked key is refused for good, and
    /// the log does not have it.
    fn check_never(
        &self,
        key: &PublicKey,
        record: &SignedRecord,
        problem: &RemoteProblem,
    ) -> Result<(), SubmitError> {
        let issued_on = record.record().issued_on;
        let later = about(problem, record.record()) == About::SigningDay && issued_on > today();
        if later && !self.options.sign_anew {
            return Err(SubmitError::OldKeyLater {
                key: *key,
                issued_on,
            });
        }
        Ok(())
    }

    pub(super) fn checkpoints(&self) -> Vec<String> {
        checkpoints(&self.head, &self.journal)
    }

    /// Makes durable where the key and the journal are now.
    pub(super) fn save_head(&mut self) -> Result<(), SubmitError> {
        self.journal.sync()?;
        self.head.see(&self.journal, self.candidates.is_some());
        self.head.set_last(self.last);
        self.head.set_checkpoint(&self.proven.note);
        Ok(self.head.save()?)
    }
}
