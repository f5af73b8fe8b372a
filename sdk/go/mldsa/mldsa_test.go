package mldsa_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	arborlog "arborlog.org/go"
	"arborlog.org/go/mldsa"
)

var _ arborlog.MldsaCheck = mldsa.Holds

func readGolden(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../../../tests/golden", name))
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

type keys map[string]struct{ Seed, Vkey string }

// written puts the verifier keys of a text in the places of their names.
func (k keys) written(text string) string {
	return regexp.MustCompile(`\{([^{}]+)\}`).ReplaceAllStringFunc(text, func(name string) string {
		if key, known := k[name[1:len(name)-1]]; known {
			return key.Vkey
		}
		return name
	})
}

// verdict is what a case comes to; nil and an empty list differ, since a case need not say everything.
type verdict struct {
	Outcome    string
	Code       *string
	Levels     []string
	By         [][]*string
	Seen       [][]string
	Missing    []string
	NotChecked []string `json:"not_checked"`
	SeenTo     *string  `json:"seen_to"`
	ReplayedTo *string  `json:"replayed_to"`
}

type policyCase struct {
	verdict
	Name, Policy, Text, Log string
	// Receipt is a whole file, where the case is no checkpoint alone.
	Receipt          string
	Lines, Witnesses []string
	Without          *verdict `json:"without_mldsa"`
}

type policyCases struct {
	Keys         keys
	Texts, Lines map[string]string
	Cases        []policyCase
}

// head is the award's golden receipt without its checkpoint.
func head(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../../tests/golden/receipts/award.tlog-proof")
	if err != nil {
		t.Fatal(err)
	}
	before, _, _ := strings.Cut(string(data), "\n\n")
	return before + "\n\n"
}

func (c *policyCases) judge(t *testing.T, one *policyCase, check arborlog.MldsaCheck) (*arborlog.Proven, error) {
	t.Helper()
	text := one.Text
	if text == "" {
		text = "golden"
	}
	receipt := head(t) + c.Texts[text] + "\n"
	for _, line := range one.Lines {
		receipt += c.Lines[line]
	}
	if one.Receipt != "" {
		receipt = one.Receipt
	}
	policy, err := arborlog.ParsePolicy(c.Keys.written(one.Policy))
	if err != nil {
		t.Fatalf("%s: %v", one.Name, err)
	}
	trust := arborlog.Trust{Policy: policy, Mldsa: check}
	if one.Log != "" {
		if trust.Log, err = arborlog.ParseLogKey(c.Keys[one.Log].Vkey); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range one.Witnesses {
		witness, err := arborlog.ParseWitnessKey(c.Keys[name].Vkey)
		if err != nil {
			t.Fatal(err)
		}
		trust.Witnesses = append(trust.Witnesses, witness)
	}
	return arborlog.VerifyReceipt([]byte(receipt), trust)
}

// foundIn is a verdict in the words of the cases.
func foundIn(one *policyCase, proven *arborlog.Proven, err error) verdict {
	found := verdict{Outcome: arborlog.OutcomeOf(err).String()}
	var e *arborlog.Error
	if errors.As(err, &e) {
		found.Code = &e.Code
	}
	var q *arborlog.QuorumMissing
	if errors.As(err, &q) {
		found.Levels = q.Levels
		for _, missing := range q.Missing {
			found.Missing = append(found.Missing, missing.Name)
			if !strings.Contains(err.Error(), missing.Name+" ("+missing.Key.Name+")") {
				found.Missing = append(found.Missing, "and the words don't name it")
			}
		}
	}
	if err != nil {
		return found
	}
	found.Levels, found.By, found.NotChecked = proven.Policy.Levels, [][]*string{}, append([]string{}, proven.Policy.NotChecked...)
	for _, by := range proven.Policy.CosignedBy {
		as, seconds := by.As, (*string)(nil)
		if by.AtS != nil {
			digits := strconv.FormatUint(*by.AtS, 10)
			seconds = &digits
		}
		if (by.Role == "auditor") != strings.HasPrefix(as, "audit-") {
			as += ", and its role is " + by.Role
		}
		one := []*string{&as, seconds}
		if proven.SecondSize != nil {
			size := strconv.FormatUint(by.Size, 10)
			one = append(one, &size)
		}
		found.By = append(found.By, one)
	}
	found.SeenTo, found.ReplayedTo = digitsOf(proven.Policy.SeenTo), digitsOf(proven.Policy.ReplayedTo)
	for n, seen := range proven.Witnesses {
		found.Seen = append(found.Seen, []string{one.Witnesses[n], strconv.FormatUint(seen.AtS, 10)})
	}
	return found
}

func digitsOf(n *uint64) *string {
	if n == nil {
		return nil
	}
	digits := strconv.FormatUint(*n, 10)
	return &digits
}

func (v verdict) differs(wanted *verdict) bool {
	return v.Outcome != wanted.Outcome || !reflect.DeepEqual(v.Code, wanted.Code) ||
		wanted.Levels != nil && (wanted.Outcome == "holds" || v.Missing != nil) && !reflect.DeepEqual(v.Levels, wanted.Levels) ||
		wanted.By != nil && wanted.Outcome == "holds" && !reflect.DeepEqual(v.By, wanted.By) ||
		wanted.Seen != nil && !reflect.DeepEqual(v.Seen, wanted.Seen) || !reflect.DeepEqual(v.Missing, wanted.Missing) ||
		wanted.SeenTo != nil && !reflect.DeepEqual(v.SeenTo, wanted.SeenTo) ||
		wanted.ReplayedTo != nil && !reflect.DeepEqual(v.ReplayedTo, wanted.ReplayedTo) ||
		wanted.NotChecked != nil && !reflect.DeepEqual(v.NotChecked, wanted.NotChecked)
}

func TestGoldenPoliciesComeToWhatTheyMust(t *testing.T) {
	var cases policyCases
	readGolden(t, "policy/cases.json", &cases)
	var two policyCases
	readGolden(t, "policy/two_checkpoints.json", &two)
	if len(two.Cases) < 30 {
		t.Errorf("%d files with two checkpoints", len(two.Cases))
	}
	cases.Cases = append(cases.Cases, two.Cases...)
	without, missing := 0, 0
	for i := range cases.Cases {
		one := &cases.Cases[i]
		proven, err := cases.judge(t, one, mldsa.Holds)
		if found := foundIn(one, proven, err); found.differs(&one.verdict) {
			t.Errorf("%s: %+v, it must be %+v; %v", one.Name, found, one.verdict, err)
		}
		wanted := &one.verdict
		if one.Without != nil {
			wanted = one.Without
			without++
		}
		missing += len(one.Missing)
		proven, err = cases.judge(t, one, nil)
		if found := foundIn(one, proven, err); found.differs(wanted) {
			t.Errorf("%s, without ML-DSA: %+v, it must be %+v; %v", one.Name, found, *wanted, err)
		}
	}
	if len(cases.Cases) < 80 || without < 10 || missing < 20 {
		t.Errorf("%d cases, %d differ without ML-DSA, %d names are missing", len(cases.Cases), without, missing)
	}
}

func TestGoldenSignaturesHold(t *testing.T) {
	var cases struct {
		Keys   keys
		Signed []struct{ Key, Message, Signature string }
	}
	readGolden(t, "mldsa/cases.json", &cases)
	if len(cases.Signed) < 5 {
		t.Fatalf("%d cases", len(cases.Signed))
	}
	for _, one := range cases.Signed {
		key, err := arborlog.ParseLogKey(cases.Keys[one.Key].Vkey)
		if err != nil {
			t.Fatal(err)
		}
		message, _ := hex.DecodeString(one.Message)
		signature, err := base64.StdEncoding.DecodeString(one.Signature)
		if err != nil || !mldsa.Holds(key.Key, signature, message) {
			t.Errorf("%s: %v: it does not hold", one.Key, err)
		}
		message[len(message)-1] ^= 1
		if mldsa.Holds(key.Key, signature, message) || mldsa.Holds(key.Key, signature[1:], message) || mldsa.Holds(key.Key[1:], signature, message) {
			t.Errorf("%s: another message, or half of a key or signature holds", one.Key)
		}
	}
}

// TestALineOfAnotherProgramHolds asks about a checkpoint that litewitness's log signed: behind a receipt of ours it is of another
// tree, so that the verdict is about the tree where the line holds, and about the line where it does not.
func TestALineOfAnotherProgramHolds(t *testing.T) {
	var foreign struct{ Vkey, Note string }
	readGolden(t, "mldsa/foreign.json", &foreign)
	log, err := arborlog.ParseLogKey(foreign.Vkey)
	if err != nil {
		t.Fatal(err)
	}
	lineAt := strings.Index(foreign.Note, "\n\n") + 200
	changed := foreign.Note[:lineAt] + map[bool]string{true: "B", false: "A"}[foreign.Note[lineAt] == 'A'] + foreign.Note[lineAt+1:]
	for _, one := range []struct {
		note  string
		check arborlog.MldsaCheck
		codes string
	}{
		{foreign.Note, mldsa.Holds, "proof_incomplete not_included"}, {changed, mldsa.Holds, "signature_invalid"}, {foreign.Note, nil, "mldsa_unsupported"},
	} {
		_, err := arborlog.VerifyReceipt([]byte(head(t)+one.note), arborlog.Trust{Log: log, Mldsa: one.check})
		var e *arborlog.Error
		if !errors.As(err, &e) || !strings.Contains(one.codes, e.Code) {
			t.Errorf("%v, it must be %s", err, one.codes)
		}
	}
}
