package arborlog

import (
	"crypto/sha256"
	"encoding/json"
	"strings"
	"testing"
)

func witnessKey(name string, key []byte) VerifierKey {
	sum := sha256.Sum256(append([]byte(name+"\n\x04"), key...))
	return VerifierKey{name, WitnessKeyType, key, [4]byte(sum[:4])}
}

// TestTheRowsOfTheAttackTable asks about each receipt of the table in docs/threat-model.md, which the attacks' own tests wrote.
func TestTheRowsOfTheAttackTable(t *testing.T) {
	counts := map[string]int{}
	for line := range strings.Lines(string(readGolden(t, "attacks.ndjson"))) {
		var row struct {
			Attack, Receipt, Log, Genesis, Outcome, Code string
			Witnesses                                    []string
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		log, err := ParseLogKey(row.Log)
		if err != nil {
			t.Fatal(err)
		}
		genesis, err := Hex32(row.Genesis)
		if err != nil {
			t.Fatal(err)
		}
		trust := Trust{Log: log, Genesis: &genesis}
		for _, written := range row.Witnesses {
			witness, err := ParseWitnessKey(written)
			if err != nil {
				t.Fatal(err)
			}
			trust.Witnesses = append(trust.Witnesses, witness)
		}
		_, err = VerifyReceipt([]byte(row.Receipt), trust)
		counts[row.Outcome]++
		// Of what is false each verifier may find something else first.
		if OutcomeOf(err).String() != row.Outcome || row.Outcome != "false" && codeOf(err) != row.Code {
			t.Errorf("%s: %v, it must be %s %s", row.Attack, err, row.Outcome, row.Code)
		}
	}
	if counts["false"] < 80 || counts["unchecked"] < 10 || counts["holds"] < 50 {
		t.Errorf("the table has fewer rows than that: %v", counts)
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
		"group g 2 w1 w2\nquorum g\n":                  "quorum_missing",
		"group g all w1 w2\nquorum g\n":                "quorum_missing",
		"quorum w2\n":                                  "quorum_missing",
		"quorum none\n":                                "",
		"group a any w1\ngroup b 2 a w2\nquorum b\n":   "quorum_missing",
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
