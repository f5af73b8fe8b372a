package arborlog

import (
	"context"
	"fmt"
)

// Recovered is what Recover took as the outbox's own: statements that were put and are in, and those that it did not know.
type Recovered struct{ Taken, Added int }

// recoverTries bounds how often another sender of the outbox may come between.
const recoverTries = 5

// Recover takes what the log has of the outbox's keys and the outbox does not know as its own, proven. It is for an outbox that was
// lost or put back from an older copy, and for a key that something else used and no longer does (another_writer). Statements that
// wait and say the same are in then; of an award's event that the log speaks of nothing else is sent. Make sure before that nothing
// else signs with the key.
func (o *Outbox) Recover(ctx context.Context) (Recovered, error) {
	run := o.begin()
	for range recoverTries {
		recovered, done, err := run.recover(ctx)
		if err != nil || done {
			return recovered, err
		}
	}
	return Recovered{}, &Error{"unanswered", "outbox", "other senders of it came between each time: stop them, and run it again"}
}

// found are a key's records in the log behind what the outbox knows of it, the oldest first.
type found struct {
	key     Bytes32
	from    *Head
	records []foundRecord
	note    string
}

type foundRecord struct {
	chain Chain
	said  []foundStatement
}

type foundStatement struct {
	bytes []byte
	index uint64
}

func (s *sending) recover(ctx context.Context) (recovered Recovered, done bool, err error) {
	keys := []Bytes32{s.Signer.PublicKey()}
	var last *Attempt
	err = s.Store.Do(ctx, func(tx Tx) error {
		attempts, err := tx.Attempts()
		if n := len(attempts); n > 0 {
			last = &attempts[n-1]
		}
		return err
	})
	if err == nil && last != nil && last.Issuer != keys[0] {
		keys = append(keys, last.Issuer) // a key that was replaced may have signed what has no answer
	}
	var all []found
	for _, key := range keys {
		if err == nil {
			var one found
			one, err = s.find(ctx, key)
			all = append(all, one)
		}
	}
	if err != nil {
		return Recovered{}, false, err
	}
	err = s.Store.Do(ctx, func(tx Tx) (err error) {
		recovered = Recovered{}
		if done, err = stillFrom(tx, all); err != nil || !done {
			return err
		}
		for i := range all {
			one, err := all[i].adopt(tx)
			if err != nil {
				return err
			}
			recovered.Taken, recovered.Added = recovered.Taken+one.Taken, recovered.Added+one.Added
			if last != nil && last.Issuer == all[i].key && len(all[i].records) > 0 {
				// Its place is taken: it can't come in any more, and what it carries and is not in waits.
				if err := tx.DropAttempts(); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return recovered, done, err
}

// find reads the key's records from the log, from the outbox's end of the chain on.
func (s *sending) find(ctx context.Context, key Bytes32) (one found, err error) {
	one.key = key
	if one.from, err = s.head(ctx, key); err != nil {
		return one, err
	}
	known := Chain{}
	if one.from != nil {
		known = one.from.Chain
	}
	issuer, chain, err := s.issuer(ctx, key)
	if err != nil {
		return one, err
	}
	checkpoint, note, err := s.newest(ctx, key)
	if err != nil || chain.Seq <= known.Seq {
		return one, err
	}
	one.note = note
	var oldest *Entry
	err = s.walkBack(ctx, key, known.Seq, chain, issuer.Head.Index, checkpoint, func(c chained) error {
		said, err := s.saidBy(ctx, c, checkpoint)
		one.records = append(one.records, foundRecord{Chain{c.entry.Record.Seq + 1, c.id, c.entry.Record.IssuedOn}, said})
		oldest = c.entry
		return err
	})
	if err != nil {
		return one, err
	}
	if oldest.Record.Seq != known.Seq || known.Seq > 0 && oldest.Record.Prev != known.Prev {
		return one, wentBack(one.from.Checkpoint, note)
	}
	for i, j := 0, len(one.records)-1; i < j; i, j = i+1, j-1 {
		one.records[i], one.records[j] = one.records[j], one.records[i]
	}
	return one, nil
}

// saidBy is what a record of the chain says: of a seal each statement that it signs for, by the seal's root.
func (s *sending) saidBy(ctx context.Context, c chained, checkpoint *Checkpoint) ([]foundStatement, error) {
	seal, ok := c.entry.Statement.(*Seal)
	if !ok {
		return []foundStatement{{c.entry.statementBytes, c.index}}, nil
	}
	wrong := &Error{"seal_mismatch", fmt.Sprintf("entry %d", c.index), "the entries before it are not those that it seals"}
	count := uint64(seal.Count)
	if count > c.index {
		return nil, wrong
	}
	entries, err := s.Client.entries(ctx, c.index-count, c.index, checkpoint.Size)
	if err != nil {
		return nil, err
	}
	var said []foundStatement
	var leaves []Bytes32
	for n, data := range entries {
		e, err := DecodeEntry(data)
		if err != nil || e.Form != 2 {
			return nil, wrong
		}
		said = append(said, foundStatement{e.statementBytes, c.index - count + uint64(n)})
		leaves = append(leaves, leafHash(e.statementBytes))
	}
	if len(leaves) == 0 || treeRoot(leaves) != seal.Root {
		return nil, wrong
	}
	return said, nil
}

// stillFrom says whether the outbox's chains end where they did when the log was read.
func stillFrom(tx Tx, all []found) (bool, error) {
	for _, one := range all {
		head, err := tx.Head(one.key)
		if err != nil || (head == nil) != (one.from == nil) || head != nil && head.Chain != one.from.Chain {
			return false, err
		}
	}
	return true, nil
}

// adopt notes what was found, in the order of the chain.
func (f *found) adopt(tx Tx) (recovered Recovered, err error) {
	if len(f.records) == 0 {
		return recovered, nil
	}
	unsettled, err := tx.Unsettled()
	if err != nil {
		return recovered, err
	}
	same, of := map[string][]int64{}, map[Bytes32][]int64{}
	for _, one := range unsettled {
		same[string(one.Bytes)] = append(same[string(one.Bytes)], one.ID)
		if evidence := evidenceIn(one.Bytes); evidence != nil {
			of[*evidence] = append(of[*evidence], one.ID)
		}
	}
	in := map[int64]bool{}
	for _, record := range f.records {
		for _, said := range record.said {
			standsFor := int64(0)
			waiting := same[string(said.bytes)]
			if len(waiting) > 0 {
				same[string(said.bytes)] = waiting[1:]
				in[waiting[0]] = true
				recovered.Taken++
				err = tx.MarkIn(waiting[0], said.index)
			}
			if evidence := evidenceIn(said.bytes); evidence != nil {
				for _, id := range of[*evidence] {
					if err == nil && !in[id] {
						standsFor = id
						err = tx.MarkRefused(id, CodeEventIsIn, fmt.Sprintf("entry %d speaks of this event", said.index))
					}
				}
			}
			if err == nil && len(waiting) == 0 {
				recovered.Added++
				err = tx.AddIn(said.bytes, said.index, standsFor)
			}
			if err != nil {
				return Recovered{}, err
			}
		}
	}
	return recovered, tx.SetHead(f.key, Head{f.records[len(f.records)-1].chain, f.note})
}

// evidenceIn names an award's event; nil of any other statement.
func evidenceIn(statement []byte) *Bytes32 {
	said, err := DecodeStatement(statement)
	if award, ok := said.(*Award); ok && err == nil {
		return &award.Evidence
	}
	return nil
}
