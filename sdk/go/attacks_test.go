package arborlog

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
)

// text writes a receipt anew, as it was changed.
func (f *receiptFile) text(note string) string {
	frame := func(out, data []byte) []byte {
		return append(binary.BigEndian.AppendUint64(out, uint64(len(data))), data...)
	}
	extra := frame(nil, f.chain[0].entry)
	extra = binary.BigEndian.AppendUint64(extra, uint64(len(f.chain)-1))
	for _, link := range f.chain[1:] {
		extra = frame(binary.BigEndian.AppendUint64(extra, link.index), link.entry)
		extra = binary.BigEndian.AppendUint64(extra, uint64(len(link.path)))
		for _, hash := range link.path {
			extra = append(extra, hash[:]...)
		}
	}
	lines := []string{firstLine, "extra " + base64.StdEncoding.EncodeToString(extra), fmt.Sprintf("index %d", f.chain[0].index)}
	for _, hash := range f.chain[0].path {
		lines = append(lines, base64.StdEncoding.EncodeToString(hash[:]))
	}
	return strings.Join(lines, "\n") + "\n\n" + note
}

func witnessKey(name string, key []byte) VerifierKey {
	sum := sha256.Sum256(append([]byte(name+"\n\x04"), key...))
	return VerifierKey{name, WitnessKeyType, key, [4]byte(sum[:4])}
}

// TestTheRowsOfTheAttackTable holds to what docs/threat-model.md says of whoever holds a receipt.
func TestTheRowsOfTheAttackTable(t *testing.T) {
	log, _ := ParseLogKey(string(readGolden(t, "note/log.vkey")))
	award, other := string(readGolden(t, "receipts/award.tlog-proof")), readGolden(t, "receipts/governors.tlog-proof")
	_, note, _ := strings.Cut(award, "\n\n")
	governors, err := readReceipt(other)
	if err != nil {
		t.Fatal(err)
	}
	hash := strings.Split(award, "\n")[3]
	links := func(lie func(f *receiptFile)) string {
		f, err := readReceipt([]byte(award))
		if err != nil {
			t.Fatal(err)
		}
		lie(f)
		return f.text(note)
	}
	for _, row := range []struct {
		name, text, wanted string
		genesis            *Bytes32
	}{
		{"no lie", links(func(*receiptFile) {}), "holds", nil},
		{"A receipt that leads to another genesis", award, "false genesis_other", new(Bytes32)},
		{"A receipt moved to another index", links(func(f *receiptFile) { f.chain[0].index = 10 }), "false not_included", nil},
		{"A receipt with another entry", links(func(f *receiptFile) { f.chain[0].entry = governors.chain[0].entry }), "false not_included", nil},
		{"A receipt with a changed entry", links(func(f *receiptFile) { f.chain[0].entry[200] ^= 1 }), "false not_included", nil},
		{"A receipt whose tree is too small for its entry", links(func(f *receiptFile) { f.chain[0].index = 55 }), "unchecked proof_incomplete", nil},
		{"A receipt with another key's grant", links(func(f *receiptFile) { f.chain[1] = governors.chain[0] }), "false authority_broken", nil},
		{"A receipt without the grant", links(func(f *receiptFile) { f.chain = append(f.chain[:1], f.chain[2:]...) }), "false authority_broken", nil},
		{"A receipt with a link behind the genesis", links(func(f *receiptFile) { f.chain = append(f.chain, f.chain[1]) }), "false authority_broken", nil},
		{"A receipt without the genesis", links(func(f *receiptFile) { f.chain = f.chain[:2] }), "false authority_broken", nil},
		{"A receipt whose genesis was changed to look like another version", links(func(f *receiptFile) {
			genesis := f.chain[2].entry
			at := strings.Index(string(genesis), "\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x12example")
			genesis[at+3] = 2
		}), "false not_included", nil},
		{"A receipt with its index written otherwise", strings.Replace(award, "index ", "index 0", 1), "unchecked receipt_malformed", nil},
		{"A receipt with a hash in another base64", strings.Replace(award, hash, hash[:42]+string(hash[42]+1)+"=", 1), "unchecked receipt_malformed", nil},
		{"A receipt of another version", strings.Replace(award, "proof@v1", "proof@v2", 1), "not_that_kind not_a_receipt", nil},
		{"A receipt with a line more in its proof", strings.Replace(award, "\n\n", "\n"+hash+"\n\n", 1), "unchecked proof_incomplete", nil},
		{"A receipt of another log", strings.Replace(award, "\n\nexample.org/ledger", "\n\nexample.org/other", 1), "unchecked other_log", nil},
		{"A checkpoint that nobody signed", strings.Replace(award, "\n55\n", "\n56\n", 1), "false signature_invalid", nil},
	} {
		_, err := VerifyReceipt([]byte(row.text), Trust{Log: log, Genesis: row.genesis})
		if found := strings.TrimSpace(OutcomeOf(err).String() + " " + codeOf(err)); found != row.wanted {
			t.Errorf("%s: %s, not %s", row.name, found, row.wanted)
		}
	}
}

func TestAPolicysQuorum(t *testing.T) {
	log, witness := strings.TrimSpace(string(readGolden(t, "note/log.vkey"))), strings.TrimSpace(string(readGolden(t, "note/witness.vkey")))
	data := readGolden(t, "receipts/last_award_cosigned.tlog-proof")
	// A second witness, who did not sign: the golden key of the next log, under a name of its own.
	next, _ := ParseLogKey(string(readGolden(t, "note/log_next.vkey")))
	absent := witnessKey("absent.example", next.Key)
	head := "log " + log + "\nwitness w1 " + witness + "\nwitness w2 " + absent.String() + "\n"
	for rest, wanted := range map[string]string{
		"group g any w1 w2\nquorum g\n":                "",
		"group g 2 w1 w2\nquorum g\n":                  "witness_missing",
		"group g all w1 w2\nquorum g\n":                "witness_missing",
		"quorum w2\n":                                  "witness_missing",
		"quorum none\n":                                "",
		"group a any w1\ngroup b 2 a w2\nquorum b\n":   "witness_missing",
		"group a any w1\ngroup b any a w2\nquorum b\n": "",
	} {
		policy, err := ParsePolicy(head + rest)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := VerifyReceipt(data, Trust{Policy: policy}); codeOf(err) != wanted {
			t.Errorf("%q: %v", rest, err)
		}
	}
	policy, _ := ParsePolicy(strings.Replace(head, "log "+log+"\n", "", 1) + "quorum w1\n")
	if _, err := VerifyReceipt(data, Trust{Policy: policy}); codeOf(err) != "wrong_use" {
		t.Error(err)
	}
}

func TestLimitsAreNamedWithTheirField(t *testing.T) {
	to := Bytes32{1}
	for where, s := range map[string]Statement{
		"assignment.claims":          &Assignment{},
		"planting.count":             &Planting{},
		"planting.evidence_at":       &Planting{Count: 1, EvidenceAt: "ftp://x"},
		"key_grant.holder":           &KeyGrant{Holder: "-x"},
		"plot.country":               &Plot{Country: "us", Place: Place{Circle: &Circle{}}},
		"plot.place.circle.latitude": &Plot{Country: "US", Place: Place{Circle: &Circle{Latitude: 900_000_001}}},
		"plot.for[1]":                &Plot{Country: "US", Place: Place{Circle: &Circle{}}, CarbonRights: CarbonRights{Unknown: &Nothing{}}, For: []string{"a", "B"}},
		"correction.reason":          &Correction{Reason: "a\nb", Remedy: Remedy{Void: &Nothing{}}},
		"correction.remedy":          &Correction{Reason: "a"},
		"award.occurred_on":          &Award{OccurredOn: DayMax + 1},
		"transfer":                   &Transfer{To: &to, Reason: Expired},
	} {
		_, err := EncodeStatement(s)
		if e, ok := err.(*Error); !ok || e.Code != "not_canonical" || e.Where != where {
			t.Errorf("%s: %v", where, err)
		}
	}
}
