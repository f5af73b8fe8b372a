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
	MarkIn(statement int64, entry uint64) error
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
	walkMost = 10_000
)

// Report is what a run of Send did.
type Report struct {
	In, Refused int
}

// Send sends all that waits, and returns when nothing does. What the rules refuse is marked so, and the others are sent. It ends
// with an *Error of one of these codes where it can't go on; run it again when that is mended:
//
//   - unanswered: no address answered in time.
//   - another_writer: a record that this outbox did not sign stands in its place of the key's chain.
//   - log_went_back: the ledger lost what it had acknowledged.
//   - key_refused: the key has no role, or no more.
//   - refused: the ledger refuses what the outbox does; the text says why.
func (o *Outbox) Send(ctx context.Context) (Report, error) {
	run := &sending{Outbox: o, most: orElse(o.SealMost, sealMost)}
	if err := run.checkHead(ctx); err != nil {
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

type sending struct {
	*Outbox
	most   int
	report Report
}

func (s *sending) today() Day {
	if s.Now != nil {
		return DayOf(s.Now())
	}
	return DayOf(time.Now())
}

// checkHead checks that the log extends what it answered before; the first time it asks where the key's chain goes on.
func (s *sending) checkHead(ctx context.Context) error {
	key := s.Signer.PublicKey()
	var head *Head
	if err := s.Store.Do(ctx, func(tx Tx) (err error) { head, err = tx.Head(key); return err }); err != nil {
		return err
	}
	earlier := ""
	if head != nil {
		earlier = head.Checkpoint
	}
	note, err := s.Client.CheckExtends(ctx, s.Log, earlier)
	if err != nil || head != nil {
		return err
	}
	issuer, err := s.Client.Issuer(ctx, key)
	var problem *Problem
	if errors.As(err, &problem) && problem.Status == 404 {
		return &Error{"key_refused", "key " + key.String(), "it has no role in the ledger yet: governors grant it"}
	}
	if err != nil {
		return err
	}
	chain, err := issuer.chain()
	if err != nil {
		return err
	}
	return s.Store.Do(ctx, func(tx Tx) error {
		if known, err := tx.Head(key); err != nil || known != nil {
			return err
		}
		return tx.SetHead(key, Head{chain, note})
	})
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
	admitted, err := s.Client.Post(ctx, &a.Body)
	if err == nil {
		return s.admitted(ctx, a, admitted)
	}
	var p *Problem
	if !errors.As(err, &p) {
		return err
	}
	sealed := a.Body.Path == "/v1/batches"
	switch p.Code {
	case "batch_refused":
		return s.refused(ctx, a, p.Refused)
	case "sequence_used", "chain_broken", "already_in":
		return s.lookUp(ctx, a)
	case "sequence_gap":
		return &Error{"log_went_back", "log", "the ledger does not have the record before this one, which it acknowledged: tell its operator"}
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
	if sealed || p.Status != 403 && p.Status != 413 && p.Status != 422 {
		return &Error{"refused", a.Body.Path, p.Error()}
	}
	return s.refused(ctx, a, []RefusedInBatch{{0, p.Code, p.Detail, p.Advice}})
}

func (s *sending) admitted(ctx context.Context, a *Attempt, answer *Admitted) error {
	checkpoint, err := ReadCheckpoint([]byte(answer.Checkpoint))
	if err == nil {
		err = checkpoint.Verify(s.Log)
	}
	if err != nil {
		return err
	}
	var indexes []uint64
	if a.Body.Path == "/v1/batches" {
		if answer.FirstIndex != nil {
			for i := range a.Statements {
				indexes = append(indexes, *answer.FirstIndex+uint64(i))
			}
		}
	} else {
		indexes = answer.Indexes
	}
	if len(indexes) != len(a.Statements) || indexes[len(indexes)-1] >= checkpoint.Size {
		return &Error{"answer_false", a.Body.Path, "the answer's indexes are not those of the statements, or beyond its checkpoint"}
	}
	return s.in(ctx, a, indexes, answer.Checkpoint, checkpoint.Size)
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
	}
	return err
}

// refused notes what the rules refuse. The others are signed anew, in the same place of the chain.
func (s *sending) refused(ctx context.Context, a *Attempt, refused []RefusedInBatch) error {
	if len(refused) == 0 {
		return &Error{"answer_false", a.Body.Path, "a batch was refused, and none of its statements"}
	}
	count := 0
	err := s.Store.Do(ctx, func(tx Tx) error {
		count = 0
		if still, err := isOpen(tx, a); err != nil || !still {
			return err
		}
		for _, one := range refused {
			if one.Position < 0 || one.Position >= len(a.Statements) {
				return &Error{"answer_false", a.Body.Path, "a statement was refused that the batch does not have"}
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

// lookUp finds what stands in the attempt's place of the chain: an attempt of ours that came first, late or through another
// address, or another writer's record. A receipt proves which.
func (s *sending) lookUp(ctx context.Context, a *Attempt) error {
	issuer, err := s.Client.Issuer(ctx, a.Issuer)
	if err != nil {
		return err
	}
	if issuer.Head == nil || issuer.Head.Seq < a.Body.Seq {
		return nil // an address that lags behind; the same bytes again
	}
	index := issuer.Head.Index
	for range walkMost {
		e, err := s.Client.Entry(ctx, index)
		if err != nil {
			return err
		}
		if e.Form != 1 || e.Record.Issuer != a.Issuer || e.Record.Seq < a.Body.Seq {
			return &Error{"answer_false", fmt.Sprintf("entry %d", index), "it is not on the key's chain"}
		}
		if e.Record.Seq == a.Body.Seq {
			return s.cameFirst(ctx, a, index)
		}
		if len(e.Lineage) == 0 || e.Lineage[0] >= index {
			break
		}
		index = e.Lineage[0]
	}
	return anotherWriter(a, issuer.Head.Index)
}

func (s *sending) cameFirst(ctx context.Context, a *Attempt, index uint64) error {
	file, err := s.Client.Receipt(ctx, index)
	if err != nil {
		return err
	}
	proven, err := VerifyReceipt(file, Trust{Log: s.Log})
	if err != nil {
		return err
	}
	var attempts []Attempt
	if err := s.Store.Do(ctx, func(tx Tx) (err error) { attempts, err = tx.Attempts(); return err }); err != nil {
		return err
	}
	for i := range attempts {
		one := &attempts[i]
		if *proven.ID != one.Body.ID {
			continue
		}
		indexes := make([]uint64, len(one.Statements))
		for n := range indexes {
			indexes[n] = index
			if one.Body.Path == "/v1/batches" {
				indexes[n] = index - uint64(len(indexes)-n)
			}
		}
		_, note, err := s.Client.Checkpoint(ctx)
		if err != nil {
			return err
		}
		checkpoint, err := ReadCheckpoint([]byte(note))
		if err == nil {
			err = checkpoint.Verify(s.Log)
		}
		if err != nil {
			return err
		}
		return s.in(ctx, one, indexes, note, checkpoint.Size)
	}
	return anotherWriter(a, index)
}

func anotherWriter(a *Attempt, index uint64) error {
	return &Error{"another_writer", fmt.Sprintf("entry %d", index), fmt.Sprintf("a record that this outbox did not sign stands in place %d of the "+
		"chain of the key %s: somebody else signs with the key, or the outbox was put back from an older copy. Find out which, "+
		"and what that writer said, before anything else is sent", a.Body.Seq, a.Issuer)}
}
