package arborlog

import (
	"fmt"
	"sort"
)

// Entries that a file about the state shows, proven together (docs/format.md, 13.4).

func (f *receiptFile) readAboutState(r *reader) error {
	n, err := r.count(itemsMax, 17)
	if err != nil {
		return err
	}
	for range n {
		item, err := r.rawItem()
		if err != nil {
			return err
		}
		f.items = append(f.items, item)
	}
	if n, err = r.count(shownMax, 24); err != nil {
		return err
	}
	for i := range n {
		var one shownEntry
		if one.index, err = r.uint(8); err != nil {
			return err
		}
		if one.entry, err = r.byteString(EntryBytesMax); err != nil {
			return err
		}
		if one.siblings, err = r.hashes(siblingsMax); err != nil {
			return err
		}
		if i > 0 && f.shown[i-1].index >= one.index {
			return refuse("", "the indexes of shown entries do not ascend")
		}
		if formOf(one.entry) != 2 && len(one.siblings) > 0 {
			return refuse("", "an entry that is not sealed has siblings")
		}
		f.shown = append(f.shown, one)
	}
	if len(f.shown) > 0 {
		f.hashes, err = r.hashes(1<<64 - 1)
	}
	return err
}

// verifyState verifies the receipt of a state entry, which is the log's own word.
func (f *receiptFile) verifyState(p *Proven, genesis *Bytes32, verify SignatureCheck) error {
	first, c := &f.chain[0], f.checkpoint
	entries, err := f.openState(p, first, c, verify)
	if err != nil {
		return at(err, "entry")
	}
	state := p.Entry.State
	for i := range f.items {
		item, err := f.items[i].open(state.StateRoot, genesis)
		if err != nil {
			return at(err, fmt.Sprintf("item %d", i))
		}
		p.Items = append(p.Items, *item)
	}
	for _, one := range f.shown {
		p.Shown = append(p.Shown, one.index)
	}
	if len(entries) == 0 {
		return nil
	}
	story := &story{items: p.Items, entries: entries, state: state, named: map[uint64]bool{}}
	if p.File, err = story.read(c.Origin, genesis); err != nil {
		return at(err, "file")
	}
	p.Genesis = &p.File.Genesis
	return nil
}

func (f *receiptFile) openState(p *Proven, first *link, c *Checkpoint, verify SignatureCheck) (map[uint64]*shown, error) {
	if err := first.isComplete(c); err != nil {
		return nil, err
	}
	if n := len(f.shown); n > 0 && (f.shown[n-1].index >= c.Size || len(f.hashes) != jointLength(f.shown, 0, c.Size)) {
		return nil, refuse("proof_incomplete", "there are not as many hashes as the shown entries need")
	}
	if err := f.second.extends(c); err != nil {
		return nil, err
	}
	if !first.isIncluded(c) {
		return nil, refuse("not_included", "it is not at its index in the checkpoint's tree")
	}
	e, err := DecodeEntry(first.entry)
	if err != nil {
		return nil, recoded(err, "entry_wrong")
	}
	if e.State.RulesVersion != rulesVersion {
		return nil, refuse("rules_version_unsupported", "the state is by version %d of the rules, this package knows %d", e.State.RulesVersion, rulesVersion)
	}
	if len(f.chain) != 1 {
		return nil, refuse("authority_broken", "a state entry rests on nobody's authority")
	}
	if !e.State.mayStandAt(first.index) {
		return nil, refuse("entry_wrong", "no state entry at its index can speak of that size, or name that one before")
	}
	p.Entry = e
	return f.openShown(c, verify)
}

// shown is an entry that a file shows. A sealed one has its issuer and day from its seal.
type shown struct {
	*Entry
	index uint64
	seal  *shown
}

func (s *shown) issuer() Bytes32 {
	if s.seal != nil {
		return s.seal.Record.Issuer
	}
	return s.Record.Issuer
}

func split(entries []shownEntry, half uint64) int {
	return sort.Search(len(entries), func(i int) bool { return entries[i].index >= half })
}

// jointLength is how many hashes prove the entries at ascending indexes, together.
func jointLength(entries []shownEntry, start, end uint64) int {
	if len(entries) == 0 {
		return 1
	}
	if end-start == 1 {
		return 0
	}
	half := halfOf(start, end)
	cut := split(entries, half)
	return jointLength(entries[:cut], start, half) + jointLength(entries[cut:], half, end)
}

// jointRoot is the root over a range, from the shown entries in it and the hashes of what has none of them.
func jointRoot(entries []shownEntry, hashes *[]Bytes32, start, end uint64) Bytes32 {
	if len(entries) == 0 {
		hash := (*hashes)[0]
		*hashes = (*hashes)[1:]
		return hash
	}
	if end-start == 1 {
		return leafHash(entries[0].entry)
	}
	half := halfOf(start, end)
	cut := split(entries, half)
	left := jointRoot(entries[:cut], hashes, start, half)
	return nodeHash(left, jointRoot(entries[cut:], hashes, half, end))
}

// openShown is steps 2 and 3. There are as many hashes as the entries need.
func (f *receiptFile) openShown(c *Checkpoint, verify SignatureCheck) (map[uint64]*shown, error) {
	if len(f.shown) == 0 {
		return nil, nil
	}
	hashes := f.hashes
	if jointRoot(f.shown, &hashes, 0, c.Size) != c.Root {
		return nil, refuse("not_included", "the shown entries are not at their indexes in the checkpoint's tree")
	}
	entries := map[uint64]*shown{}
	for _, one := range f.shown {
		e, err := DecodeEntry(one.entry)
		if err != nil {
			return nil, at(recoded(err, "entry_wrong"), fmt.Sprintf("entry %d", one.index))
		}
		entries[one.index] = &shown{Entry: e, index: one.index}
	}
	for _, one := range f.shown {
		if err := entries[one.index].check(one.siblings, entries, c.Origin, verify); err != nil {
			return nil, at(err, fmt.Sprintf("entry %d", one.index))
		}
	}
	return entries, nil
}

func (s *shown) check(siblings []Bytes32, entries map[uint64]*shown, origin string, verify SignatureCheck) error {
	switch s.Form {
	case 1:
		_, err := s.checkSignatures(origin, verify)
		return recoded(err, "entry_wrong")
	case 2:
		seal := entries[s.index+uint64(s.Ahead)]
		if seal == nil {
			return refuse("state_file_unfit", "its seal is not shown")
		}
		s.seal = seal
		return checkUnderSeal(s.Entry, seal.Entry, siblings)
	}
	return refuse("state_file_unfit", "a state entry is shown")
}
