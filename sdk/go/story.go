package arborlog

import (
	"bytes"
	"fmt"
	"math/big"
	"sort"
	"strconv"
)

// What a file about the state is about (docs/format.md, 13.4): its first item tells; what else must be in it follows, and it
// has just that.

// StateFile is what a file about the state answers.
type StateFile struct {
	// About is certificate, account_history, plot_history or corrections; Of is the key as people write it.
	About   string
	Of      string
	Genesis Bytes32
	// Of a history: whether it is all of it, the entry that it begins with (the newest), and the one that the next part begins with.
	Complete bool
	Begin    uint64
	Next     *uint64
	// Missing says in words which entries a part of a history lacks.
	Missing string
	// History are the entries of a history, the newest first.
	History []HistoryEntry
	// Issuers are the keys that issued the shown entries.
	Issuers []*ItemKey
}

// HistoryEntry is one entry of a history; Points is what it added to the account, and nil of a plot.
type HistoryEntry struct {
	Index  uint64
	Kind   string
	Points *big.Int
}

type story struct {
	items   []Item
	at      int
	entries map[uint64]*shown
	state   *StateEntry
	named   map[uint64]bool
}

func unfit(format string, args ...any) error    { return refuse("state_file_unfit", format, args...) }
func disagree(format string, args ...any) error { return refuse("state_file_wrong", format, args...) }

func (s *story) next() *Item {
	if s.at >= len(s.items) {
		return nil
	}
	s.at++
	return &s.items[s.at-1]
}

// item is the next item, which must be this one.
func (s *story) item(domain string, key []byte) (*Item, error) {
	item := s.next()
	if item == nil || item.UpTo != nil || item.Domain != domain || !bytes.Equal(item.Key, key) {
		return nil, unfit("the item %s of the domain %s is missing in its place", keyText(domain, key), domain)
	}
	return item, nil
}

// leaf is the next item, which must be this one and there.
func (s *story) leaf(domain string, key []byte) (*Item, error) {
	item, err := s.item(domain, key)
	if err == nil && item.Leaf == nil {
		err = disagree("nothing is at %s of the domain %s, which another item or entry speaks of", keyText(domain, key), domain)
	}
	return item, err
}

func (s *story) shown(index uint64) (*shown, error) {
	e := s.entries[index]
	if e == nil {
		return nil, unfit("entry %d is not shown", index)
	}
	s.named[index] = true
	return e, nil
}

func (s *story) read(origin string, pinned *Bytes32) (*StateFile, error) {
	first := s.next()
	if first == nil || first.UpTo != nil {
		return nil, unfit("it shows entries, and its first item tells nothing that they are about")
	}
	about := map[string]string{"claims": "certificate", "accounts": "account_history", "plots": "plot_history",
		"reversed": "corrections", "voided": "corrections", "losses": "corrections"}[first.Domain]
	if about == "" {
		return nil, unfit("no file is about an item of the domain %s", first.Domain)
	}
	once, err := s.leaf("once", []byte{0})
	if err != nil {
		return nil, err
	}
	programme := once.Fields.(*ItemProgramme)
	if programme.Origin != origin {
		return nil, refuse("genesis_other", "the programme is of another log")
	}
	if pinned != nil && *pinned != programme.Genesis {
		return nil, refuse("genesis_other", "the genesis is not the one that was pinned")
	}
	if first.Domain == "accounts" && !bytes.Equal(first.Key[:32], programme.Genesis[:]) {
		return nil, refuse("genesis_other", "the account is of a ledger with another genesis")
	}
	if about != "corrections" && first.Leaf == nil {
		return nil, unfit("there is no %s in the domain %s", first.KeyText, first.Domain)
	}
	file := &StateFile{About: about, Of: first.KeyText, Genesis: programme.Genesis}
	switch about {
	case "certificate":
		err = s.certificate(first)
	case "account_history":
		err = s.account(first, file)
	case "plot_history":
		err = s.plot(first, file)
	default:
		err = s.corrected(first)
	}
	if err == nil {
		err = s.justNamed()
	}
	if err == nil {
		file.Issuers, err = s.issuers()
	}
	return file, err
}

// justNamed checks that the shown entries are the named ones, and the seals of those that are sealed.
func (s *story) justNamed() error {
	expected := map[uint64]bool{}
	for index := range s.named {
		expected[index] = true
		if seal := s.entries[index].seal; seal != nil {
			expected[seal.index] = true
		}
	}
	if len(expected) != len(s.entries) {
		return unfit("entries are shown that nothing in it names")
	}
	return nil
}

// issuers reads an item for each key that issued one of the entries, and none is left over.
func (s *story) issuers() ([]*ItemKey, error) {
	issued := map[Bytes32][]*shown{}
	for _, e := range s.entries {
		issued[e.issuer()] = append(issued[e.issuer()], e)
	}
	keys := make([]Bytes32, 0, len(issued))
	for key := range issued {
		keys = append(keys, key)
	}
	sort.Slice(keys, func(i, j int) bool { return bytes.Compare(keys[i][:], keys[j][:]) < 0 })
	items := make([]*Item, len(keys))
	for i, key := range keys {
		var err error
		if items[i], err = s.item("keys", key[:]); err != nil {
			return nil, err
		}
	}
	if s.next() != nil {
		return nil, unfit("an item is left over")
	}
	var issuers []*ItemKey
	for i, item := range items {
		if item.Leaf == nil {
			return nil, disagree("the key %s has no task in the ledger", keys[i])
		}
		key := item.Fields.(*ItemKey)
		for _, e := range issued[keys[i]] {
			may := key.Task.Governor != nil && e.kind() == "correction"
			if key.Task.Granted != nil {
				may = maySay[key.Task.Granted.Role][e.kind()]
			}
			if !may {
				return nil, disagree("the key %s may not say the %s of entry %d", keys[i], e.kind(), e.index)
			}
		}
		issuers = append(issuers, key)
	}
	return issuers, nil
}

func (s *story) certificate(first *Item) error {
	number, _ := strconv.ParseUint(first.KeyText, 10, 64)
	claim := first.Fields.(*ItemClaim)
	if _, err := s.leaf("species", be16(claim.Species)); err != nil {
		return err
	}
	e, err := s.shown(number)
	if err != nil {
		return err
	}
	said, ok := e.Statement.(*Claim)
	if !ok || said.Account != claim.Account || said.Species != claim.Species || said.Points != claim.Points {
		return disagree("the certificate's entry is no claim, or says otherwise than the state")
	}
	switch {
	case claim.Standing.Voided != nil:
		return s.voidedClaim(number)
	case claim.Standing.Tied != nil:
		return s.tree(number, claim, claim.Standing.Tied)
	}
	return nil
}

func be16(n uint16) []byte { return []byte{byte(n >> 8), byte(n)} }

func (s *story) voidedClaim(number uint64) error {
	item, err := s.leaf("voided", be64(number))
	if err != nil {
		return err
	}
	e, err := s.shown(item.Fields.(*ItemVoided).By)
	if err != nil {
		return err
	}
	said, ok := e.Statement.(*Correction)
	if !ok || said.Remedy.Void == nil || said.Target != number {
		return disagree("the entry that is to void the claim does not")
	}
	return nil
}

func (s *story) tree(number uint64, claim *ItemClaim, at *TreeOf) error {
	plotKey := be32(at.Plot)
	item, err := s.leaf("trees", concat(plotKey, be32(at.Serial)))
	if err != nil {
		return err
	}
	tree := item.Fields.(*ItemTree)
	if tree.Claim != number {
		return disagree("the tree is another certificate's")
	}
	item = s.next()
	planting, ok := (*ItemPlanting)(nil), false
	if item != nil {
		planting, ok = item.Fields.(*ItemPlanting)
	}
	if !ok || item.UpTo != nil || !bytes.Equal(item.Key[:4], plotKey) || at.Serial < planting.First || at.Serial > planting.Last {
		return unfit("the tree's planting is missing in its place")
	}
	if planting.Voided || planting.Species != claim.Species {
		return disagree("the planting was voided, or is of another species")
	}
	plotItem, err := s.leaf("plots", plotKey)
	if err != nil {
		return err
	}
	survey := s.next()
	if survey == nil || survey.Domain != "surveys" || !bytes.Equal(survey.UpTo, concat(plotKey, bytes.Repeat([]byte{0xff}, 12))) ||
		!bytes.Equal(survey.Key[:4], plotKey) || survey.Leaf == nil && !bytes.Equal(survey.Key[4:], make([]byte, 12)) {
		return unfit("the plot's latest survey is missing in its place")
	}
	return s.treeEntries(number, at, tree, planting, plotItem, survey)
}

// treeEntries are the entries that a tree's items name, and say the same.
func (s *story) treeEntries(number uint64, at *TreeOf, tree *ItemTree, planting *ItemPlanting, plot, survey *Item) error {
	e, err := s.shown(tree.Assignment)
	if err != nil {
		return err
	}
	a, ok := e.Statement.(*Assignment)
	if !ok || a.Plot != at.Plot || at.Serial < a.FirstSerial || uint64(at.Serial-a.FirstSerial) >= uint64(len(a.Claims)) ||
		a.Claims[at.Serial-a.FirstSerial] != number {
		return disagree("the assignment does not tie certificate and tree")
	}
	if e, err = s.shown(planting.Entry); err != nil {
		return err
	}
	p, ok := e.Statement.(*Planting)
	if !ok || p.Plot != at.Plot || p.Species != planting.Species || p.FirstSerial != planting.First ||
		uint64(p.Count) != uint64(planting.Last)-uint64(planting.First)+1 || p.PlantedFrom != planting.PlantedFrom ||
		p.PlantedUntil != planting.PlantedUntil {
		return disagree("the planting's entry says otherwise than the state")
	}
	if e, err = s.shown(plot.Fields.(*ItemPlot).Books.StatedAt); err != nil {
		return err
	}
	if e.kind() != "plot" || !startsWith(plot.fieldBytes, e.fieldBytes()) {
		return disagree("the plot's entry says otherwise than the state")
	}
	if survey.Leaf == nil {
		return nil
	}
	index, _ := (&reader{data: survey.Key[8:]}).uint(8)
	if e, err = s.shown(index); err != nil {
		return err
	}
	said, ok := e.Statement.(*Survey)
	if !ok || !startsWith(survey.fieldBytes[8:], e.fieldBytes()) ||
		!bytes.Equal(survey.Key, concat(be32(said.Plot), be32(uint32(said.SurveyedOn)), be64(survey.Fields.(*ItemSurvey).Entry.Entry))) {
		return disagree("the survey's entry says otherwise than the state")
	}
	return nil
}

var correctedBy = map[string]string{"award": "reversed", "transfer": "voided", "claim": "voided", "survey": "voided",
	"assignment": "voided", "attestation": "voided", "planting": "voided"}

func (s *story) corrected(first *Item) error {
	index, _ := strconv.ParseUint(first.KeyText, 10, 64)
	e, err := s.shown(index)
	if err != nil {
		return err
	}
	if index >= s.state.Size {
		return unfit("the state is older than the entry")
	}
	domain := correctedBy[e.kind()]
	c, isCorrection := e.Statement.(*Correction)
	if isCorrection && c.Remedy.Lost != nil {
		domain = "losses"
	}
	if domain != first.Domain {
		return unfit("another item tells what corrected the entry, or none does")
	}
	if p, ok := e.Statement.(*Planting); ok {
		item, err := s.leaf("plantings", concat(be32(p.Plot), be32(p.FirstSerial)))
		if err != nil {
			return err
		}
		planting := item.Fields.(*ItemPlanting)
		if planting.Entry != index || planting.Voided != (first.Leaf != nil) {
			return disagree("the planting is another entry's, or voided in one item and not in the other")
		}
	}
	if isCorrection {
		voided, err := s.item("voided", first.Key)
		if err != nil {
			return err
		}
		if first.Leaf != nil && voided.Leaf != nil {
			return disagree("the loss counts in one item and was voided in the other")
		}
	}
	return nil
}

func missingOf(file *StateFile, last uint64) string {
	missing := ""
	if file.Begin != last {
		missing = fmt.Sprintf("the entries of the history above %d, up to %d", file.Begin, last)
	}
	if file.Next != nil {
		if missing != "" {
			missing += ", and "
		}
		missing += fmt.Sprintf("the entries of the history from %d back", *file.Next)
	}
	return missing
}
