package arborlog

import "math/big"

// Histories of accounts and plots, from a newest entry back (docs/format.md, 13.4).

// step is what an entry adds, and the entry about the same before it.
type step struct {
	points *big.Int
	before uint64
}

// placesBehind are lineage[2] and those behind it, of which there must be just so many. A sealed correction has as many as any
// correction can have, and what it does not use is none.
func (s *shown) placesBehind(count int) []uint64 {
	places := s.Places
	if s.seal == nil {
		places = nil
		if len(s.Lineage) > 2 {
			places = s.Lineage[2:]
		}
	}
	if len(places) < count || s.seal == nil && len(places) != count {
		return nil
	}
	for _, place := range places[count:] {
		if place != NoEntry {
			return nil
		}
	}
	return places[:count]
}

func signed(points uint64, negative bool) *big.Int {
	n := new(big.Int).SetUint64(points)
	if negative {
		n.Neg(n)
	}
	return n
}

// accountStep is nil if the entry is about something else.
func accountStep(account Bytes32, e, target *shown) *step {
	make := func(points uint64, negative bool, count, place int) *step {
		places := e.placesBehind(count)
		if places == nil {
			return nil
		}
		if c, ok := e.Statement.(*Correction); ok && places[0] != c.Target {
			return nil
		}
		return &step{signed(points, negative), places[place]}
	}
	switch s := e.Statement.(type) {
	case *Award:
		if s.Account == account {
			return make(s.Points, false, 1, 0)
		}
	case *Claim:
		if s.Account == account {
			return make(s.Points, true, 1, 0)
		}
	case *Transfer:
		if s.From == account {
			return make(s.Points, true, 2, 0)
		}
		if s.To != nil && *s.To == account {
			return make(s.Points, false, 2, 1)
		}
	case *Correction:
		switch t := target.Statement.(type) {
		case *Award:
			if s.Remedy.Reverse != nil && t.Account == account {
				return make(s.Remedy.Reverse.Points, true, 2, 1)
			}
		case *Claim:
			if s.Remedy.Void != nil && t.Account == account {
				return make(t.Points, false, 2, 1)
			}
		case *Transfer:
			if s.Remedy.Void != nil && t.From == account {
				return make(t.Points, false, 3, 1)
			}
			if s.Remedy.Void != nil && t.To != nil && *t.To == account {
				return make(t.Points, true, 3, 2)
			}
		}
	}
	return nil
}

// plotOf is the plot that a planting, survey or assignment is on.
func plotOf(e *shown) (uint32, bool) {
	switch s := e.Statement.(type) {
	case *Planting:
		return s.Plot, true
	case *Survey:
		return s.Plot, true
	case *Assignment:
		return s.Plot, true
	}
	return 0, false
}

// plotStep is nil if the entry is about something else. lostOf is what a loss names, if the entry voids one.
func plotStep(number uint32, e, target, lostOf *shown) *step {
	if p, ok := e.Statement.(*Plot); ok && p.Number == number {
		return stepOf(e.placesBehind(1), 0)
	}
	if plot, ok := plotOf(e); ok && plot == number {
		return stepOf(e.placesBehind(1), 0)
	}
	c, ok := e.Statement.(*Correction)
	if !ok {
		return nil
	}
	on := target
	if lostOf != nil {
		on = lostOf
	}
	_, isPlanting := on.Statement.(*Planting)
	plot, ok := plotOf(on)
	if !ok || plot != number || c.Remedy.Reverse != nil || !isPlanting && (c.Remedy.Lost != nil || lostOf != nil) {
		return nil
	}
	places := e.placesBehind(2)
	if places == nil || places[0] != c.Target {
		return nil
	}
	return stepOf(places, 1)
}

func stepOf(places []uint64, place int) *step {
	if places == nil {
		return nil
	}
	return &step{nil, places[place]}
}

// targetOf is the entry that a correction names, which is shown.
func (s *story) targetOf(e *shown) (*shown, error) {
	target, err := s.shown(e.Statement.(*Correction).Target)
	if err == nil && target.index >= e.index {
		err = disagree("a correction names an entry behind it")
	}
	return target, err
}

// walk follows a history from its newest shown entry back.
func (s *story) walk(last uint64, file *StateFile, stepOf func(e, target *shown) (*step, error)) error {
	top, found := uint64(0), false
	for index, e := range s.entries {
		if e.kind() != "seal" && (!found || index > top) {
			top, found = index, true
		}
	}
	if !found || top > last {
		return unfit("no entry that is shown can be of the history")
	}
	file.Begin = top
	for index := top; ; {
		e, err := s.shown(index)
		if err != nil {
			return err
		}
		var target *shown
		if e.kind() == "correction" {
			if target, err = s.targetOf(e); err != nil {
				return err
			}
		}
		step, err := stepOf(e, target)
		if err != nil {
			return err
		}
		if step == nil && index == top && top != last {
			return unfit("entry %d is about something else", index)
		}
		if step == nil {
			return disagree("entry %d is about something else", index)
		}
		file.History = append(file.History, HistoryEntry{index, e.kind(), step.points})
		if step.before == NoEntry {
			break
		}
		if step.before >= index {
			return disagree("an entry names one behind it as the one before")
		}
		if s.entries[step.before] == nil {
			file.Next = &step.before
			break
		}
		index = step.before
	}
	file.Complete = top == last && file.Next == nil
	file.Missing = missingOf(file, last)
	return nil
}

func (s *story) account(first *Item, file *StateFile) error {
	account, said := Bytes32(first.Key[32:]), first.Fields.(*ItemAccount)
	err := s.walk(said.Last, file, func(e, target *shown) (*step, error) { return accountStep(account, e, target), nil })
	if err != nil {
		return err
	}
	sum := new(big.Int)
	for _, one := range file.History {
		sum.Add(sum, one.Points)
	}
	if file.Complete && sum.Cmp(big.NewInt(said.Balance)) != 0 {
		return disagree("the account's entries do not add up to its balance")
	}
	return nil
}

func (s *story) plot(first *Item, file *StateFile) error {
	said := first.Fields.(*ItemPlot)
	return s.walk(said.Books.Last, file, func(e, target *shown) (*step, error) {
		var lostOf *shown
		if c, ok := e.Statement.(*Correction); ok && c.Remedy.Void != nil {
			if lost, ok := target.Statement.(*Correction); ok && lost.Remedy.Lost != nil {
				var err error
				if lostOf, err = s.targetOf(target); err != nil {
					return nil, err
				}
			}
		}
		return plotStep(said.Plot.Number, e, target, lostOf), nil
	})
}
