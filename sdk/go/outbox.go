package arborlog

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Store keeps an outbox durably, beside the platform's own tables. Package sqlbox is one on database/sql.
type Store interface {
	// Do runs f in one transaction that no other of the store runs beside. When it returns nil, all that f wrote is durable;
	// else nothing is. It may run f again.
	Do(ctx context.Context, f func(Tx) error) error
}

// Tx is a store within a transaction.
type Tx interface {
	// Head is where a key's chain goes on, or nil before the first time.
	Head(issuer Bytes32) (*Head, error)
	SetHead(issuer Bytes32, head Head) error
	// Waiting are the first statements, in the order in which they were put, that are neither in nor refused.
	Waiting(most int) ([]Queued, error)
	// Attempts are what was signed for the place of the chain that is not settled, in the order of signing.
	Attempts() ([]Attempt, error)
	AddAttempt(attempt Attempt) error
	// Replace notes that what an attempt signed was refused, and is signed anew. Its bytes stay, for a late request may bring them in.
	Replace(attempt Attempt) error
	// DropAttempts forgets all attempts: their place is settled.
	DropAttempts() error
	// MarkIn notes that a statement is in. What was put to correct it, and waits, is refused then (CodeEventIsIn).
	MarkIn(statement int64, entry uint64) error
	// Unsettled are all statements that are not in, waiting or refused, in the order in which they were put.
	Unsettled() ([]Queued, error)
	// AddIn notes a statement that is in and was never put here. It takes the name of the one that it stands for, if that is not
	// 0; else an award is known by its evidence, as Put has it, unless another statement is.
	AddIn(statement []byte, entry uint64, standsFor int64) error
	MarkRefused(statement int64, code, detail string) error
}

// Head is where a key's chain goes on, and the newest checkpoint that the ledger answered.
type Head struct {
	Chain
	Checkpoint string
}

// Queued is a statement in the outbox.
type Queued struct {
	ID    int64
	Bytes []byte
}

// Attempt is what was signed, and not answered or refused.
type Attempt struct {
	Number     int64
	Issuer     Bytes32
	Body       SignedBody
	Statements []int64
	Replaced   bool
}

// Outbox sends the statements of a store into a ledger, each just once: signed once, kept before they are sent, the same bytes
// again after any cut. Several processes may send one outbox at a time: they send the same bytes.
type Outbox struct {
	Store  Store
	Client *Client
	Signer Signer
	// Log is the log's verifier key. What is answered is checked by it, and its name is the ledger's origin.
	Log VerifierKey
	// SealMost is how many statements one seal signs, 1,000 if it is 0.
	SealMost int
	// Now is the clock; time.Now if it is nil.
	Now func() time.Time
}

const (
	sealMost = 1_000
	// CodeEventIsIn is why a statement is refused whose event another one speaks of, which is in.
	CodeEventIsIn = "event_is_in"
)

// Report is what a run of Send did.
type Report struct {
	In, Refused int
}

// Send sends all that waits, and returns when nothing does. What the rules refuse is marked so, and the others are sent. It ends
// with an *Error of one of these codes where it can't go on; run it again when that is mended:
//
//   - unanswered: no address answered in time.
//   - another_writer: records that this outbox did not sign are in the key's chain. Recover takes them as its own.
//   - log_went_back: the ledger lost what it had acknowledged.
//   - key_refused: the key has no role, or no more.
//   - refused: the ledger refuses what the outbox does; the text says why.
func (o *Outbox) Send(ctx context.Context) (Report, error) {
	run := o.begin()
	if idle, err := run.isIdle(ctx); err != nil || idle {
		return run.report, err
	}
	if err := run.catchUp(ctx); err != nil {
		return run.report, err
	}
	for {
		attempt, err := run.openAttempt(ctx)
		if err != nil || attempt == nil {
			return run.report, err
		}
		if err := run.settle(ctx, attempt); err != nil {
			return run.report, err
		}
	}
}

func (o *Outbox) begin() *sending {
	return &sending{Outbox: o, most: orElse(o.SealMost, sealMost)}
}

type sending struct {
	*Outbox
	most   int
	report Report
	// lags counts the answers by which an address is behind.
	lags int
}

func (s *sending) today() Day {
	if s.Now != nil {
		return DayOf(s.Now())
	}
	return DayOf(time.Now())
}

// isIdle says whether nothing waits, and nothing that was signed is without an answer. Nobody is asked then.
func (s *sending) isIdle(ctx context.Context) (idle bool, err error) {
	err = s.Store.Do(ctx, func(tx Tx) error {
		attempts, err := tx.Attempts()
		if err != nil {
			return err
		}
		waiting, err := tx.Waiting(1)
		idle = len(waiting) == 0 && (len(attempts) == 0 || attempts[len(attempts)-1].Replaced)
		return err
	})
	return idle, err
}

// openAttempt is what was signed and has no answer; else what waits is signed, and kept before anything is sent.
func (s *sending) openAttempt(ctx context.Context) (open *Attempt, err error) {
	key := s.Signer.PublicKey()
	err = s.Store.Do(ctx, func(tx Tx) error {
		open = nil
		attempts, err := tx.Attempts()
		if err != nil {
			return err
		}
		if n := len(attempts); n > 0 && !attempts[n-1].Replaced {
			open = &attempts[n-1]
			return nil
		}
		waiting, err := tx.Waiting(s.most)
		if err != nil || len(waiting) == 0 {
			return err
		}
		head, err := tx.Head(key)
		if err != nil {
			return err
		}
		body, count, err := s.sign(head.Chain, waiting)
		if err != nil {
			return err
		}
		attempt := Attempt{Issuer: key, Body: *body}
		for _, one := range waiting[:count] {
			attempt.Statements = append(attempt.Statements, one.ID)
		}
		if err := tx.AddAttempt(attempt); err != nil {
			return err
		}
		if attempts, err = tx.Attempts(); err == nil {
			open = &attempts[len(attempts)-1]
		}
		return err
	})
	return open, err
}

// sign seals the first statements that may be sealed; one that may not, or is alone, is a record.
func (s *sending) sign(chain Chain, waiting []Queued) (body *SignedBody, count int, err error) {
	var batch [][]byte
	total := 0
	for _, one := range waiting {
		said, err := DecodeStatement(one.Bytes)
		if err != nil {
			return nil, 0, within(err, fmt.Sprintf("outbox[%d]", one.ID))
		}
		if total += len(one.Bytes); !CanSeal(said) || total > BatchBytesMax/2 {
			break
		}
		batch = append(batch, one.Bytes)
	}
	if len(batch) < 2 {
		body, err = SignNext(s.Log.Name, chain, s.today(), waiting[0].Bytes, s.Signer)
		return body, 1, err
	}
	body, err = SealNext(s.Log.Name, chain, s.today(), batch, s.Signer)
	return body, len(batch), err
}

// settle sends an attempt, and notes what became of it.
func (s *sending) settle(ctx context.Context, a *Attempt) error {
	// Of before the request: another sender of this outbox may note a newer one meanwhile.
	head, err := s.head(ctx, a.Issuer)
	if err != nil || head == nil {
		return err
	}
	admitted, err := s.Client.Post(ctx, &a.Body)
	if err == nil {
		return s.admitted(ctx, a, head.Checkpoint, admitted)
	}
	var p *Problem
	if !errors.As(err, &p) {
		return err
	}
	switch p.Code {
	case "batch_refused":
		return s.refused(ctx, a, p.Refused)
	case "sequence_used", "sequence_gap", "chain_broken", "already_in":
		return s.settleByLog(ctx, a.Issuer, a.Body.Seq)
	case "issuer_unknown", "key_revoked", "key_expired":
		if a.Issuer != s.Signer.PublicKey() && p.Code != "issuer_unknown" {
			return s.replace(ctx, a) // what a key signed that was replaced since can never come in: the new one signs it
		}
		return &Error{"key_refused", "key " + a.Issuer.String(), p.Error()}
	case "batch_too_large":
		if len(a.Statements) > 1 {
			s.most = max(1, len(a.Statements)/2)
			return s.replace(ctx, a)
		}
	case "day_refused", "issued_on_decreases":
		if a.Body.IssuedOn != s.today() {
			return s.replace(ctx, a) // signed long ago: anew, with the day of today
		}
	case "not_canonical", "signature_invalid", "seal_mismatch", "issuers_mixed":
		return &Error{"refused", a.Body.Path, p.Error()}
	}
	if a.isSealed() || p.Status != 403 && p.Status != 413 && p.Status != 422 {
		return &Error{"refused", a.Body.Path, p.Error()}
	}
	return s.refused(ctx, a, []RefusedInBatch{{0, p.Code, p.Detail, p.Advice}})
}

// admitted notes as in only what is proven to be: in the tree of a checkpoint that extends the one that was kept.
func (s *sending) admitted(ctx context.Context, a *Attempt, kept string, answer *Admitted) error {
	checkpoint, err := s.Client.extends(ctx, s.Log, kept, answer.Checkpoint)
	if errors.Is(err, errBehind) {
		// The address lags, or was put back from an older copy; the newest checkpoint of all tells which.
		s.Client.address++
		return s.settleByLog(ctx, a.Issuer, a.Body.Seq)
	}
	if err != nil {
		return err
	}
	index, err := a.indexIn(answer)
	if err != nil {
		return err
	}
	_, id, err := s.ownEntry(ctx, a.Issuer, index, checkpoint)
	if err == nil && id != a.Body.ID {
		err = &Error{"entry_wrong", fmt.Sprintf("entry %d", index), "it is not the record that was sent"}
	}
	if err != nil {
		return err
	}
	return s.in(ctx, a, a.indexes(index), answer.Checkpoint, checkpoint.Size)
}

// isSealed says whether the attempt is a seal with the statements that it signs for.
func (a *Attempt) isSealed() bool { return a.Body.Path == batchesPath }

// indexIn is the record's place, or the seal's, by an answer.
func (a *Attempt) indexIn(answer *Admitted) (uint64, error) {
	if !a.isSealed() && len(answer.Indexes) == 1 {
		return answer.Indexes[0], nil
	}
	if a.isSealed() && answer.FirstIndex != nil && answer.SealIndex != nil && *answer.SealIndex-*answer.FirstIndex == uint64(len(a.Statements)) {
		return *answer.SealIndex, nil
	}
	return 0, &Error{"answer_malformed", a.Body.Path, "the answer's indexes are not those of what was sent"}
}

// indexes are the statements' places: a batch's stand in front of their seal.
func (a *Attempt) indexes(index uint64) (indexes []uint64) {
	if !a.isSealed() {
		return []uint64{index}
	}
	for n := range a.Statements {
		indexes = append(indexes, index-uint64(len(a.Statements)-n))
	}
	return indexes
}

// in notes that an attempt's statements are in. Another process may have done so.
func (s *sending) in(ctx context.Context, a *Attempt, indexes []uint64, note string, size uint64) error {
	err := s.Store.Do(ctx, func(tx Tx) error {
		head, err := tx.Head(a.Issuer)
		if err != nil {
			return err
		}
		if head == nil || head.Seq != a.Body.Seq {
			return nil
		}
		if before, err := ReadCheckpoint([]byte(head.Checkpoint)); err == nil && before.Size > size {
			note = head.Checkpoint // an answer that was under way
		}
		for i, id := range a.Statements {
			if err := tx.MarkIn(id, indexes[i]); err != nil {
				return err
			}
		}
		if err := tx.DropAttempts(); err != nil {
			return err
		}
		return tx.SetHead(a.Issuer, Head{head.Chain.next(a.Body.ID, a.Body.IssuedOn), note})
	})
	if err == nil {
		s.report.In += len(a.Statements)
		s.lags = 0
	}
	return err
}

// refused notes what the rules refuse. The others are signed anew, in the same place of the chain.
func (s *sending) refused(ctx context.Context, a *Attempt, refused []RefusedInBatch) error {
	if len(refused) == 0 {
		return &Error{"answer_malformed", a.Body.Path, "a batch was refused, and none of its statements"}
	}
	count := 0
	err := s.Store.Do(ctx, func(tx Tx) error {
		count = 0
		if still, err := isOpen(tx, a); err != nil || !still {
			return err
		}
		for _, one := range refused {
			if one.Position < 0 || one.Position >= len(a.Statements) {
				return &Error{"answer_malformed", a.Body.Path, "a statement was refused that the batch does not have"}
			}
			count++
			if err := tx.MarkRefused(a.Statements[one.Position], one.Code, one.Detail+"; "+one.Advice); err != nil {
				return err
			}
		}
		return tx.Replace(*a)
	})
	if err == nil {
		s.report.Refused += count
	}
	return err
}

func (s *sending) replace(ctx context.Context, a *Attempt) error {
	return s.Store.Do(ctx, func(tx Tx) error {
		if still, err := isOpen(tx, a); err != nil || !still {
			return err
		}
		return tx.Replace(*a)
	})
}

// isOpen says whether an attempt is still the one to send: another process may have settled it.
func isOpen(tx Tx, a *Attempt) (bool, error) {
	attempts, err := tx.Attempts()
	if n := len(attempts); err == nil && n > 0 {
		return attempts[n-1].Number == a.Number && !attempts[n-1].Replaced, nil
	}
	return false, err
}
