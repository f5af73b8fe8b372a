package arborlog

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Trust is by what a receipt is verified: keys that you have from somebody you trust, not from the file's sender.
type Trust struct {
	// Log is the log's verifier key. It may be empty where Policy names logs.
	Log VerifierKey
	// Genesis is the genesis' record id; without it any genesis of that log will do, and Proven shows which.
	Genesis *Bytes32
	// Witnesses are those of which each must have cosigned.
	Witnesses []VerifierKey
	// Policy names logs, which then must have signed, and the witnesses and auditors that must have cosigned.
	Policy *Policy
	// Check verifies signatures; SignatureHolds if it is nil.
	Check SignatureCheck
	// Mldsa verifies those of ML-DSA-44. Without it what depends on them could not be checked (mldsa_unsupported).
	Mldsa MldsaCheck
}

// Seen is when a witness saw the log so.
type Seen struct {
	Witness string
	AtS     uint64
}

// Proven is what a receipt proves.
type Proven struct {
	// Index is the entry's place in the log, TreeSize and Root are those of the checkpoint.
	Index    uint64
	TreeSize uint64
	Root     Bytes32
	// SecondSize is the size of the file's second checkpoint, nil without one (docs/format.md, 13.7).
	SecondSize *uint64
	Entry      *Entry
	// Issuer, ID and SealIndex tell who signed: ID is of the record, of a sealed entry its seal's. A state entry has none.
	Issuer    *Bytes32
	ID        *Bytes32
	SealIndex *uint64
	// Genesis is the ledger's, where the file leads to one.
	Genesis *Bytes32
	// Witnesses are Trust's, in that order; Policy tells who else cosigned, if Trust has one.
	Witnesses []Seen
	Policy    *ByPolicy
	// Items, Shown and File are those of a file about the state.
	Items []Item
	Shown []uint64
	File  *StateFile
}

const (
	receiptBytesMax = 4 << 20
	extraBytesMax   = 2 << 20
	pathMax         = 65
	linksMax        = 64
	siblingsMax     = 14
	firstLine       = "c2sp.org/tlog-proof@v1"
)

type link struct {
	index uint64
	entry []byte
	path  []Bytes32
}

type receiptFile struct {
	chain      []link
	seal       *link
	siblings   []Bytes32
	items      []rawItem
	shown      []shownEntry
	hashes     []Bytes32
	checkpoint *Checkpoint
	second     *secondCheckpoint
}

type rawItem struct {
	key, fields, proof []byte
	hasFields          bool
}

type shownEntry struct {
	index    uint64
	entry    []byte
	siblings []Bytes32
}

// mayBeReceipt says whether a file is a receipt, whatever was done to it.
func mayBeReceipt(data []byte) bool {
	var visible []byte
	for _, c := range data[:min(256, len(data))] {
		if c >= 0x21 && c <= 0x7e {
			visible = append(visible, c)
		}
	}
	seen := strings.TrimLeft(string(visible), ">")
	return strings.HasPrefix(seen, firstLine) || len(data) <= 256 && strings.HasPrefix(firstLine, seen)
}

func readReceipt(data []byte) (*receiptFile, error) {
	if !mayBeReceipt(data) {
		return nil, &Error{"not_a_receipt", "file", "its first line is not " + firstLine}
	}
	if len(data) > receiptBytesMax {
		return nil, &Error{"too_long", "file", "a receipt has at most 4 MiB"}
	}
	f, note, err := readLines(data)
	if err != nil {
		return nil, nameFault(data, at(recoded(err, "receipt_malformed"), "file"))
	}
	if f.checkpoint, err = ReadCheckpoint(note); err != nil {
		return nil, nameFault(data, at(err, "checkpoint"))
	}
	if err = f.second.read(f.checkpoint.Size); err != nil {
		return nil, nameFault(data, at(err, "checkpoint"))
	}
	return f, nil
}

func readLines(data []byte) (*receiptFile, []byte, error) {
	head, note, parted := bytes.Cut(data, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !parted || !utf8.Valid(head) || len(lines) < 3 || len(lines) > 3+pathMax || lines[0] != firstLine ||
		!hasPrefix(lines[1], "extra ") || !hasPrefix(lines[2], "index ") {
		return nil, nil, refuse("", "its lines are not its first line, extra, index, at most 65 hashes, and a checkpoint")
	}
	extra, ok := decodeBase64(lines[1][len("extra "):])
	if !ok || len(extra) > extraBytesMax {
		return nil, nil, refuse("", "the extra line is no base64 of at most 2 MiB")
	}
	f := new(receiptFile)
	first, r := link{}, &reader{data: extra}
	if err := f.readExtra(r, &first); err != nil {
		return nil, nil, err
	}
	if r.left() > 0 {
		var err error
		if f.second, err = readSecond(r); err != nil {
			return nil, nil, err
		}
	}
	if err := r.end(); err != nil {
		return nil, nil, err
	}
	if first.index, ok = decodeDecimal(lines[2][len("index "):]); !ok {
		return nil, nil, refuse("", "the index is no plain decimal below 2^64")
	}
	for _, line := range lines[3:] {
		hash, ok := decodeBase64(line)
		if !ok || len(hash) != 32 {
			return nil, nil, refuse("", "a hash of the proof is not 32 bytes in base64")
		}
		first.path = append(first.path, Bytes32(hash))
	}
	f.chain[0] = first
	return f, note, nil
}

// readExtra reads the entry, its seal if it is a sealed one, the authority, and of a state entry what is shown beside it.
func (f *receiptFile) readExtra(r *reader, first *link) (err error) {
	if first.entry, err = r.byteString(EntryBytesMax); err != nil {
		return err
	}
	if formOf(first.entry) == 2 {
		if f.seal, err = readLink(r); err != nil {
			return err
		}
		if f.siblings, err = r.hashes(siblingsMax); err != nil {
			return err
		}
	}
	n, err := r.count(linksMax, 24)
	if err != nil {
		return err
	}
	f.chain = make([]link, 1, n+1)
	for range n {
		one, err := readLink(r)
		if err != nil {
			return err
		}
		f.chain = append(f.chain, *one)
	}
	if formOf(first.entry) == 3 {
		return f.readAboutState(r)
	}
	return nil
}

func readLink(r *reader) (*link, error) {
	l, err := new(link), error(nil)
	if l.index, err = r.uint(8); err != nil {
		return nil, err
	}
	if l.entry, err = r.byteString(EntryBytesMax); err != nil {
		return nil, err
	}
	l.path, err = r.hashes(pathMax)
	return l, err
}

// witnessed is steps 2 and 3: it checks the file's checkpoints by the log's key, the witnesses and the policy.
func (t *Trust) witnessed(all []*Checkpoint, checks checks) (seen []Seen, by *ByPolicy, err error) {
	hasLogs := t.Policy != nil && len(t.Policy.Logs) > 0
	if t.Log.Key == nil && !hasLogs {
		return nil, nil, &Error{"wrong_use", "trust", "neither a log's key nor a policy with a log line was given"}
	}
	for _, c := range all {
		if t.Log.Key != nil {
			err = c.verifyBy(t.Log, checks)
		}
		if err == nil && hasLogs {
			err = t.Policy.logByPolicy(c, checks)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	for _, key := range t.Witnesses {
		// Of two checkpoints, the newer one that it saw is what counts.
		var newest []uint64
		for _, c := range all {
			times, err := c.linesOf(key, checks)
			if err != nil {
				return nil, nil, err
			}
			if times = timesThatCount(key, times, false); len(times) > 0 {
				newest = times
			}
		}
		if len(newest) == 0 {
			return nil, nil, &Error{"witness_missing", "checkpoint", "no cosignature by " + key.Name}
		}
		seen = append(seen, Seen{key.Name, slices.Max(newest)})
	}
	if t.Policy != nil {
		by, err = t.Policy.judge(all, checks)
	}
	return seen, by, err
}

// VerifyReceipt verifies a receipt, or a file about the state, offline (docs/format.md, 13). It returns what is proven; or an
// error, whose OutcomeOf says whether the file is false, could not be checked, or is no receipt.
//
// A receipt does not prove that the issuer's key was not revoked, that the rules held, or that nothing newer followed: an audit
// tells that.
func VerifyReceipt(data []byte, trust Trust) (*Proven, error) {
	verify := trust.Check
	if verify == nil {
		verify = SignatureHolds
	}
	f, err := readReceipt(data)
	if err != nil {
		return nil, err
	}
	seen, by, err := trust.witnessed(f.checkpoints(), checks{verify, trust.Mldsa})
	if err != nil {
		return nil, err
	}
	p := &Proven{Index: f.chain[0].index, TreeSize: f.checkpoint.Size, Root: f.checkpoint.Root, Witnesses: seen, Policy: by}
	if f.second != nil {
		p.SecondSize = &f.second.checkpoint.Size
	}
	if formOf(f.chain[0].entry) == 3 {
		return p, f.verifyState(p, trust.Genesis, verify)
	}
	return p, f.verifyChain(p, trust.Genesis, verify)
}

func (l *link) isComplete(c *Checkpoint) error {
	if l.index >= c.Size || len(l.path) != pathLength(l.index, c.Size) {
		return refuse("proof_incomplete", "the proof of entry %d has not the number of hashes that it needs", l.index)
	}
	return nil
}

func (l *link) isIncluded(c *Checkpoint) bool {
	return rootByPath(leafHash(l.entry), l.index, c.Size, l.path) == c.Root
}

// open is step 6, but for the signatures.
func (l *link) open(c *Checkpoint) (*Entry, error) {
	if !l.isIncluded(c) {
		return nil, refuse("not_included", "it is not at index %d in the checkpoint's tree", l.index)
	}
	e, err := DecodeEntry(l.entry)
	return e, recoded(err, "not_canonical")
}

func (f *receiptFile) place(n int) string {
	if n == 0 {
		return "entry"
	}
	return fmt.Sprintf("link %d", n-1)
}

// verifyChain is steps 4 to 11, of an entry that somebody signed.
func (f *receiptFile) verifyChain(p *Proven, genesis *Bytes32, verify SignatureCheck) error {
	c, last := f.checkpoint, len(f.chain)-1
	links := append([]link(nil), f.chain...)
	if f.seal != nil {
		links = append(links, *f.seal)
	}
	for i := range links {
		if err := links[i].isComplete(c); err != nil {
			return at(err, f.place(min(i, last)))
		}
	}
	if err := f.second.extends(c); err != nil {
		return at(err, "checkpoint")
	}
	if err := f.chain[last].otherFormat(c); err != nil {
		return at(err, f.place(last))
	}
	entries, ids := make([]*Entry, last+1), make([]Bytes32, last+1)
	var sealed *Entry
	for i := range f.chain {
		e, err := f.chain[i].open(c)
		if err == nil && i == 0 && f.seal != nil {
			sealed = e
			e, err = f.openSeal(sealed)
		}
		if err == nil {
			ids[i], err = checkLink(e, c.Origin, verify)
		}
		if err != nil {
			return at(err, f.place(i))
		}
		entries[i] = e
	}
	indexes := make([]uint64, last+1)
	for i := range f.chain {
		indexes[i] = f.chain[i].index
	}
	if f.seal != nil {
		indexes[0] = f.seal.index
	}
	for i := range last {
		if err := checkBehind(entries, indexes, i, sealed); err != nil {
			return at(err, f.place(i))
		}
	}
	if err := at(checkGenesis(entries[last], indexes[last], ids[last], c.Origin, genesis), f.place(last)); err != nil {
		return err
	}
	for i, e := range entries {
		if namesMldsa(e.Statement) {
			return &Error{"mldsa_unsupported", f.place(i), "it names an ML-DSA key, whose signature is not verified here"}
		}
	}
	p.Entry, p.Issuer, p.ID, p.Genesis = entries[0], &entries[0].Record.Issuer, &ids[0], &ids[last]
	if sealed != nil {
		p.Entry, p.SealIndex = sealed, &f.seal.index
	}
	return nil
}

// otherFormat is step 5: a genesis that is in the tree may be in another format.
func (l *link) otherFormat(c *Checkpoint) error {
	_, err := DecodeEntry(l.entry)
	if e, ok := err.(*Error); ok && e.Code == "other_format" && l.index == 0 && l.isIncluded(c) {
		return err
	}
	return nil
}

// openSeal opens the seal of a sealed entry, which the statement is under.
func (f *receiptFile) openSeal(sealed *Entry) (*Entry, error) {
	if f.seal.index != f.chain[0].index+uint64(sealed.Ahead) {
		return nil, refuse("seal_mismatch", "another entry than the sealed one names is to be its seal")
	}
	seal, err := f.seal.open(f.checkpoint)
	if err == nil {
		err = checkUnderSeal(sealed, seal, f.siblings)
	}
	return seal, err
}

// checkUnderSeal checks that an entry is the seal of a sealed one, and the statement under its root, at the entry's place.
func checkUnderSeal(sealed, seal *Entry, siblings []Bytes32) error {
	said, ok := seal.Statement.(*Seal)
	if !ok || seal.Form != 1 {
		return refuse("seal_mismatch", "the entry that is to be the seal is none")
	}
	count, ahead := uint64(said.Count), uint64(sealed.Ahead)
	if ahead > count {
		return refuse("seal_mismatch", "the entry is no part of the batch that was sealed")
	}
	if len(siblings) != pathLength(count-ahead, count) {
		return refuse("proof_incomplete", "the proof of the statement has not the number of hashes that its place needs")
	}
	if rootByPath(leafHash(sealed.statementBytes), count-ahead, count, siblings) != said.Root {
		return refuse("seal_mismatch", "the statement is not under the root of the seal")
	}
	return nil
}

// checkLink is the signatures of step 6, and step 9. It gives the record's id.
func checkLink(e *Entry, origin string, verify SignatureCheck) (Bytes32, error) {
	if e.Form != 1 {
		return Bytes32{}, refuse("authority_broken", "a sealed entry or a state entry gives nobody authority")
	}
	id, err := e.checkSignatures(origin, verify)
	if err != nil {
		return id, err
	}
	var mustSign []Bytes32
	switch s := e.Statement.(type) {
	case *Genesis:
		mustSign = append(append(mustSign, s.Governors...), s.LogKey)
	case *KeyGrant:
		mustSign = []Bytes32{s.Key}
	case *LogKey:
		mustSign = []Bytes32{s.Key}
	}
	for _, key := range mustSign {
		if !e.signedBy(key) {
			return id, refuse("possession_unproven", "%s gets a task and did not sign", key)
		}
	}
	return id, nil
}

var maySay = map[Role]map[string]bool{
	Platform: {"award": true, "transfer": true, "claim": true, "assignment": true, "correction": true, "seal": true},
	Planter:  {"plot": true, "planting": true, "correction": true, "seal": true},
	Surveyor: {"survey": true, "correction": true, "seal": true},
	Auditor:  {"correction": true, "attestation": true, "seal": true},
}

// setOf is the set of governors that a statement names, of a kind that governors say.
func setOf(s Statement) (*uint64, bool) {
	switch s := s.(type) {
	case *Governors:
		return &s.Set, true
	case *KeyGrant:
		return &s.Set, true
	case *KeyRevoke:
		return &s.Set, true
	case *LogKey:
		return &s.Set, true
	case *Method:
		return &s.Set, true
	case *PolicyStatement:
		return &s.Set, true
	case *Correction:
		return s.Set, true
	}
	return nil, false
}

// checkBehind is steps 7 and 8, of an entry and the link behind it.
func checkBehind(entries []*Entry, indexes []uint64, i int, sealed *Entry) error {
	e, behind := entries[i], entries[i+1]
	if len(e.Lineage) < 2 || e.Lineage[1] != indexes[i+1] || indexes[i+1] >= indexes[i] {
		return refuse("authority_broken", "the next link is not the earlier entry that lineage[1] names")
	}
	var governors []Bytes32
	var quorum uint8
	switch s := behind.Statement.(type) {
	case *KeyGrant:
		if s.Key != e.Record.Issuer || !maySay[s.Role][e.kind()] || i == 0 && sealed != nil && !maySay[s.Role][sealed.kind()] {
			return refuse("role_refused", "the grant does not give the issuer a role that says this")
		}
		if i != 0 {
			return refuse("authority_broken", "a grant behind a link")
		}
		return nil
	case *Genesis:
		governors, quorum = s.Governors, s.Quorum
	case *Governors:
		governors, quorum = s.Governors, s.Quorum
	default:
		return refuse("authority_broken", "the next link proves nothing")
	}
	set, say := setOf(e.Statement)
	signed, issuerGoverns, counted := 0, false, map[Bytes32]bool{}
	for _, key := range governors {
		issuerGoverns = issuerGoverns || key == e.Record.Issuer
		if e.signedBy(key) && !counted[key] {
			signed++
		}
		counted[key] = true
	}
	if !say || !issuerGoverns {
		return refuse("role_refused", "governors don't say this, or the issuer is none of them")
	}
	if set == nil || *set != indexes[i+1] {
		return refuse("authority_broken", "it names another set of governors")
	}
	if signed < int(quorum) {
		return refuse("quorum_short", "%d governors signed, %d are needed", signed, quorum)
	}
	return nil
}

func checkGenesis(e *Entry, index uint64, id Bytes32, origin string, pinned *Bytes32) error {
	genesis, ok := e.Statement.(*Genesis)
	if !ok || index != 0 {
		return refuse("authority_broken", "the last one is no genesis at index 0")
	}
	if genesis.Origin != origin {
		return refuse("genesis_other", "the genesis is of another log")
	}
	if pinned != nil && *pinned != id {
		return refuse("genesis_other", "the genesis is not the one that was pinned")
	}
	return nil
}
