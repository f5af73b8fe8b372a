package arborlog

import (
	"context"
	"errors"
	"fmt"
)

// The log as a writer sees it: it extends what was acknowledged, and the key's chain in it continues where it must.

// walkMost is how many records of a key are looked at, from the newest one back.
const walkMost = 65_536

func (s *sending) head(ctx context.Context, key Bytes32) (head *Head, err error) {
	err = s.Store.Do(ctx, func(tx Tx) (err error) { head, err = tx.Head(key); return err })
	return head, err
}

// newest is the newest checkpoint, which extends the one that was kept and is kept from now on.
func (s *sending) newest(ctx context.Context, key Bytes32) (*Checkpoint, string, error) {
	head, err := s.head(ctx, key)
	if err != nil {
		return nil, "", err
	}
	earlier := ""
	if head != nil {
		earlier = head.Checkpoint
	}
	note, err := s.Client.CheckExtends(ctx, s.Log, earlier)
	if err != nil {
		return nil, "", err
	}
	checkpoint, err := ReadCheckpoint([]byte(note))
	if err != nil || head == nil {
		return checkpoint, note, err
	}
	return checkpoint, note, s.Store.Do(ctx, func(tx Tx) error {
		head, err := tx.Head(key)
		if err != nil || head == nil {
			return err
		}
		return tx.SetHead(key, Head{head.Chain, larger(head.Checkpoint, note)})
	})
}

// larger is the checkpoint of the larger tree: two senders may note theirs in either order.
func larger(kept, shown string) string {
	before, err := ReadCheckpoint([]byte(kept))
	now, nowErr := ReadCheckpoint([]byte(shown))
	if err == nil && (nowErr != nil || before.Size > now.Size) {
		return kept
	}
	return shown
}

// issuer is what the ledger says of a key, by which its chain has no gap.
func (s *sending) issuer(ctx context.Context, key Bytes32) (*Issuer, Chain, error) {
	issuer, err := s.Client.Issuer(ctx, key)
	var problem *Problem
	if errors.As(err, &problem) && problem.Status == 404 {
		return nil, Chain{}, &Error{"key_refused", "key " + key.String(), "it has no role in the ledger yet: governors grant it"}
	}
	if err != nil {
		return nil, Chain{}, err
	}
	chain, err := issuer.chain()
	if err == nil && (issuer.Head == nil) != (issuer.NextSeq == 0) {
		err = &Error{"answer_malformed", "key " + key.String(), "the server counts records of the key, and names no entry of one"}
	}
	return issuer, chain, err
}

// catchUp checks, before anything is signed, that the log extends what was kept, and that the key's chain ends where the outbox
// says.
func (s *sending) catchUp(ctx context.Context) error {
	key := s.Signer.PublicKey()
	_, note, err := s.newest(ctx, key)
	if err != nil {
		return err
	}
	issuer, chain, err := s.issuer(ctx, key)
	if err != nil {
		return err
	}
	head, err := s.head(ctx, key)
	if err != nil {
		return err
	}
	if head == nil {
		if issuer.NextSeq > 0 {
			return anotherWriter(key, 0, issuer)
		}
		return s.Store.Do(ctx, func(tx Tx) error {
			if known, err := tx.Head(key); err != nil || known != nil {
				return err
			}
			return tx.SetHead(key, Head{chain, note})
		})
	}
	for chain.Seq < head.Seq {
		if err := s.behind(head, chain); err != nil {
			return err
		}
		if issuer, chain, err = s.issuer(ctx, key); err != nil {
			return err
		}
	}
	if chain.Seq != head.Seq || chain.Prev != head.Prev {
		return s.settleByLog(ctx, key, head.Seq)
	}
	return nil
}

// behind passes over an address whose chain ends before what was acknowledged. When all were asked, it is a fault of the log.
func (s *sending) behind(head *Head, chain Chain) error {
	if s.lags++; s.lags <= 2*len(s.Client.Addresses) {
		s.Client.address++
		return nil
	}
	if chain.Seq == head.Seq && chain.Prev == head.Prev {
		return &Error{"answer_malformed", "log", "the server refuses the place of the chain that it names itself"}
	}
	return &Error{"log_went_back", "log", fmt.Sprintf("it has %d records of this key, and acknowledged %d, or others: tell its operator, "+
		"and keep the checkpoint.\nbefore:\n%s", chain.Seq, head.Seq, head.Checkpoint)}
}

// ownEntry is a signed entry of the key, proven to be in the log of the checkpoint, and its record's id.
func (s *sending) ownEntry(ctx context.Context, key Bytes32, index uint64, checkpoint *Checkpoint) (*Entry, Bytes32, error) {
	e, err := s.Client.ProvenEntry(ctx, index, checkpoint)
	if err != nil {
		return nil, Bytes32{}, err
	}
	if e.Form != 1 || e.Record.Issuer != key {
		return nil, Bytes32{}, &Error{"entry_wrong", fmt.Sprintf("entry %d", index), "it is no record of the key"}
	}
	return e, RecordID(checkpoint.Origin, e.Signed.Record), nil
}

// chained is a record of a key, proven to be in the log.
type chained struct {
	index uint64
	entry *Entry
	id    Bytes32
}

// walkBack gives the key's records from its newest one, at index, back to the one of seq, the newest first: each names the one
// before it.
func (s *sending) walkBack(ctx context.Context, key Bytes32, seq uint64, end Chain, index uint64, checkpoint *Checkpoint, visit func(chained) error) error {
	var after *chained
	for range walkMost {
		e, id, err := s.ownEntry(ctx, key, index, checkpoint)
		if err != nil {
			return err
		}
		if after == nil && (e.Record.Seq+1 != end.Seq || id != end.Prev) {
			return &Error{"answer_malformed", fmt.Sprintf("entry %d", index), "it is not the key's newest record, by what the server says of the key"}
		}
		if after != nil && (after.entry.Record.Seq != e.Record.Seq+1 || after.entry.Record.Prev != id) {
			return &Error{"entry_wrong", fmt.Sprintf("entry %d", index), "it is not the record that the next one names"}
		}
		one := chained{index, e, id}
		if err := visit(one); err != nil {
			return err
		}
		if e.Record.Seq <= seq {
			return nil
		}
		if len(e.Lineage) == 0 || e.Lineage[0] >= index {
			return &Error{"entry_wrong", fmt.Sprintf("entry %d", index), "it names no record of the key before it"}
		}
		index, after = e.Lineage[0], &one
	}
	return &Error{"chain_too_long", "key " + key.String(), fmt.Sprintf("the log has more than %d records of it that are not known", walkMost)}
}

// settleByLog finds what stands in the place of the chain that the outbox signed for: an attempt of ours that came first, late or
// through another address, or another writer's record.
func (s *sending) settleByLog(ctx context.Context, key Bytes32, seq uint64) error {
	head, err := s.head(ctx, key)
	if err != nil || head == nil || head.Seq > seq {
		return err // another sender of this outbox noted it meanwhile
	}
	// In this order: the checkpoint covers all that the end of the chain speaks of.
	issuer, chain, err := s.issuer(ctx, key)
	if err != nil {
		return err
	}
	checkpoint, note, err := s.newest(ctx, key)
	if err != nil {
		return err
	}
	if chain.Seq <= head.Seq {
		return s.behind(head, chain)
	}
	var first chained
	keep := func(one chained) error { first = one; return nil }
	if err := s.walkBack(ctx, key, seq, chain, issuer.Head.Index, checkpoint, keep); err != nil {
		return err
	}
	var attempts []Attempt
	if err := s.Store.Do(ctx, func(tx Tx) (err error) { attempts, err = tx.Attempts(); return err }); err != nil {
		return err
	}
	for i := range attempts {
		if attempts[i].Body.ID == first.id && chain.Seq == seq+1 {
			return s.in(ctx, &attempts[i], attempts[i].indexes(first.index), note, checkpoint.Size)
		}
	}
	if head, err = s.head(ctx, key); err != nil || head.Seq > seq {
		return err
	}
	return anotherWriter(key, seq, issuer)
}

func anotherWriter(key Bytes32, seq uint64, issuer *Issuer) error {
	return &Error{"another_writer", fmt.Sprintf("entry %d", issuer.Head.Index), fmt.Sprintf("the log has %d records of the key %s, and this outbox "+
		"knows the first %d: something else signs with the key, or the outbox was lost, or put back from an older copy. Make sure that "+
		"nothing else signs with it; then Recover takes them as this outbox's own", issuer.NextSeq, key, seq)}
}
