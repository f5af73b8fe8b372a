package arborlog

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

// asked is a file that the Python verifier was asked about, and what it said.
type asked struct {
	Receipt, Log, Outcome, Code string
	Genesis                     *string
	Witnesses                   []string
	Index                       uint64
	ID                          *string
	GenesisIs                   *string `json:"genesis_is"`
	Leaves                      []string
	About, Of, Next             *string
	Complete                    *bool
	Question                    *string
	SkipAbout                   bool `json:"skip_about"`
}

// TestTheSameVerdictsAsThePythonVerifier asks about each file of the tests of docs/verifier, forged ledgers and all, and about
// files that chance changed. ARBORLOG_ALL=1 takes tens of thousands more, for some minutes.
func TestTheSameVerdictsAsThePythonVerifier(t *testing.T) {
	if err := exec.Command("python3", "-c", "import cryptography").Run(); err != nil {
		t.Skip("python3 with its package cryptography is not there")
	}
	all, changes := "few", "1500"
	if os.Getenv("ARBORLOG_ALL") != "" {
		all, changes = "all", "20000"
	}
	if path := os.Getenv("ARBORLOG_VERDICTS"); path != "" {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		compareVerdicts(t, file)
	}
	for _, arguments := range [][]string{{all}, {"changes", changes}} {
		t.Run(arguments[0], func(t *testing.T) {
			command := exec.Command("python3", append([]string{"-B", "testdata/verdicts.py", "../../docs/verifier"}, arguments...)...)
			var errors bytes.Buffer
			command.Stderr = &errors
			out, err := command.StdoutPipe()
			if err == nil {
				err = command.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			compareVerdicts(t, out)
			if err := command.Wait(); err != nil {
				t.Fatalf("%v\n%s", err, errors.String())
			}
		})
	}
}

func compareVerdicts(t *testing.T, lines io.Reader) {
	t.Helper()
	counts, differ := map[string]int{}, 0
	scanner := bufio.NewScanner(lines)
	scanner.Buffer(nil, 16<<20)
	for scanner.Scan() {
		var one asked
		if err := json.Unmarshal(scanner.Bytes(), &one); err != nil {
			t.Fatal(err)
		}
		counts[one.Outcome]++
		if what := one.differs(); what != "" && differ < 10 {
			differ++
			t.Errorf("%s\n%.300s", what, one.Receipt)
		}
	}
	t.Log(counts)
	if counts["false"] < 50 || counts["unchecked"] < 50 {
		t.Errorf("too few files were asked about: %v", counts)
	}
}

// differs says where this package and the Python verifier disagree.
func (a *asked) differs() string {
	data, _ := base64.StdEncoding.DecodeString(a.Receipt)
	log, err := ParseLogKey(a.Log)
	if err != nil {
		return a.unlessUsage(err)
	}
	trust := Trust{Log: log}
	if a.Genesis != nil {
		id, _ := Hex32(*a.Genesis)
		trust.Genesis = &id
	}
	for _, written := range a.Witnesses {
		key, err := ParseWitnessKey(written)
		if err != nil {
			return a.unlessUsage(err)
		}
		trust.Witnesses = append(trust.Witnesses, key)
	}
	proven, err := VerifyReceipt(data, trust)
	if err == nil && a.Question != nil {
		err = proven.CheckAbout(*a.Question)
	}
	// Of what is false each verifier may find something else first.
	if OutcomeOf(err).String() != a.Outcome || a.Outcome != "false" && codeOf(err) != a.Code {
		return fmt.Sprintf("%v, it must be %s %s", err, a.Outcome, a.Code)
	}
	if err != nil || a.Question != nil {
		return ""
	}
	var leaves []string
	for _, item := range proven.Items {
		value := "None"
		if item.Leaf != nil {
			value = fmt.Sprintf("%x", item.Leaf.Value)
		}
		leaves = append(leaves, fmt.Sprintf("%s %x %s", item.Domain, item.Key, value))
	}
	file := proven.File
	if file == nil {
		file = new(StateFile)
	}
	var next *string
	if file.Next != nil {
		digits := strconv.FormatUint(*file.Next, 10)
		next = &digits
	}
	is := func(have *Bytes32, wanted *string) bool {
		return (have == nil) == (wanted == nil) && (have == nil || have.String() == *wanted)
	}
	same := func(have string, wanted *string) bool {
		return wanted == nil && have == "" || wanted != nil && have == *wanted
	}
	if proven.Index != a.Index || !is(proven.ID, a.ID) || !is(proven.Genesis, a.GenesisIs) || fmt.Sprint(leaves) != fmt.Sprint(a.Leaves) ||
		!same(file.About, a.About) || !same(file.Of, a.Of) || !a.SkipAbout && ((next == nil) != (a.Next == nil) || next != nil && *next != *a.Next) ||
		!a.SkipAbout && a.Complete != nil && file.Complete != *a.Complete {
		return fmt.Sprintf("it holds, and means something else: %+v", proven)
	}
	return ""
}

func (a *asked) unlessUsage(err error) string {
	if a.Outcome == "usage" {
		return ""
	}
	return err.Error()
}
