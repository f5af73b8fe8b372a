package arborlog

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Bounds of a policy (docs/format.md, 13.5). One in a statement has a bound of its own.
const (
	policyFileBytesMax = 131_072
	policyLogsMax      = 64
	policyWitnessesMax = 64
	policyGroupsMax    = 64
	policyNameBytesMax = 200
)

// Policy is what c2sp.org/tlog-policy reads, by the rules of docs/format.md, 6.14.1: which logs and witnesses count, and which
// of them must have seen a checkpoint.
type Policy struct {
	Logs []VerifierKey
	// Witnesses are auditors too: those whose name begins with audit-.
	Witnesses []PolicyWitness
	groups    []policyGroup
	quorum    string
}

// PolicyWitness is a witness by the name that the policy gives it.
type PolicyWitness struct {
	Name string
	Key  VerifierKey
}

// IsAuditor says whether the policy asks the witness as one who audits the ledger.
func (w PolicyWitness) IsAuditor() bool { return strings.HasPrefix(w.Name, "audit-") }

type policyGroup struct {
	name      string
	threshold uint64
	members   []string
}

// checkPolicyText checks the policy that a statement has.
func checkPolicyText(text string) error {
	_, err := ParsePolicy(text)
	return recoded(err, "not_canonical")
}

// ParsePolicy reads a policy's text. What is no policy is policy_malformed, and the error's Where is the line, such as "line 3".
func ParsePolicy(text string) (*Policy, error) {
	if len(text) > policyFileBytesMax {
		return nil, refuse("policy_malformed", "a policy has %d bytes, at most %d are allowed", len(text), policyFileBytesMax)
	}
	if !utf8.ValidString(text) {
		return nil, refuse("policy_malformed", "a policy is not well-formed UTF-8")
	}
	lines := strings.Split(text, "\n")
	last := len(lines) - 1
	p := &policyReader{names: map[string]bool{}, keys: map[string]bool{}, members: map[string]bool{}}
	err := p.atLine(last+1, func() error {
		return policyNeeds(last > 0 && lines[last] == "", "each line ends in a newline, the last one too")
	})
	for n := 0; n < last && err == nil; n++ {
		err = p.atLine(n+1, func() error { return p.take(lines[n]) })
	}
	if err == nil {
		err = p.atLine(last, func() error { return policyNeeds(p.quorum != "", "there is no quorum line") })
	}
	if err != nil {
		return nil, err
	}
	return &p.Policy, nil
}

// policyReader is a policy while its lines are read.
type policyReader struct {
	Policy
	// names are those of witnesses and groups, members those that stand in a group.
	names, keys, members map[string]bool
}

func policyNeeds(condition bool, what string, args ...any) error {
	if condition {
		return nil
	}
	return refuse("policy_malformed", what, args...)
}

// atLine says on which line of a policy, from 1, what is wrong.
func (p *policyReader) atLine(number int, read func() error) error {
	err := read()
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	return &Error{"policy_malformed", fmt.Sprintf("line %d", number), e.What}
}

func (p *policyReader) take(line string) error {
	for _, r := range line {
		if isIn(refusedInText, r) && r != '\t' {
			return refuse("policy_malformed", "it has the character U+%04X, which is refused", r)
		}
	}
	words := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' })
	if len(words) == 0 || strings.HasPrefix(words[0], "#") {
		return nil
	}
	switch what, rest := words[0], words[1:]; {
	case what == "log" && (len(rest) == 1 || len(rest) == 2):
		return p.takeLog(rest[0])
	case what == "witness" && (len(rest) == 2 || len(rest) == 3):
		return p.takeWitness(rest[0], rest[1])
	case what == "group" && len(rest) >= 3:
		return p.takeGroup(rest[0], rest[1], rest[2:])
	case what == "quorum" && len(rest) == 1:
		if err := policyNeeds(rest[0] == "none" || p.names[rest[0]], "no line before it defines %s", rest[0]); err != nil {
			return err
		}
		if err := policyNeeds(p.quorum == "", "there is a quorum line already"); err != nil {
			return err
		}
		p.quorum = rest[0]
		return nil
	}
	return refuse("policy_malformed", "it is none of: log VKEY [URL]; witness NAME VKEY [URL]; group NAME all|any|K NAME…; quorum NAME")
}

func (p *policyReader) takeLog(written string) error {
	key, err := readVerifierKey(written, LogKeyType, MldsaKeyType)
	if err == nil {
		err = policyNeeds(!p.keys["log "+string(key.Key)], "this log's key stands twice")
	}
	if err == nil {
		err = policyNeeds(len(p.Logs) < policyLogsMax, "it names more than %d logs", policyLogsMax)
	}
	p.keys["log "+string(key.Key)] = true
	p.Logs = append(p.Logs, key)
	return err
}

func (p *policyReader) takeWitness(name, written string) error {
	err := p.define(name)
	if err != nil {
		return err
	}
	key, err := readVerifierKey(written, WitnessKeyType, MldsaKeyType)
	if err == nil {
		err = policyNeeds(!p.keys["witness "+string(key.Key)], "this witness's key stands twice")
	}
	if err == nil {
		err = policyNeeds(len(p.Witnesses) < policyWitnessesMax, "it names more than %d witnesses", policyWitnessesMax)
	}
	p.keys["witness "+string(key.Key)] = true
	p.Witnesses = append(p.Witnesses, PolicyWitness{name, key})
	return err
}

func (p *policyReader) takeGroup(name, threshold string, members []string) error {
	for _, member := range members {
		if err := policyNeeds(p.names[member], "no line before it defines %s", member); err != nil {
			return err
		}
		if err := policyNeeds(!p.members[member], "%s is a member of a group already", member); err != nil {
			return err
		}
		p.members[member] = true
	}
	count := uint64(len(members))
	needed, plain := decodeDecimal(threshold)
	switch threshold {
	case "all":
		needed, plain = count, true
	case "any":
		needed, plain = 1, true
	}
	err := policyNeeds(plain && needed >= 1 && needed <= count, "a group of %d needs all, any, or a plain number up to that of them", count)
	if err == nil {
		err = p.define(name)
	}
	if err == nil {
		err = policyNeeds(len(p.groups) < policyGroupsMax, "it names more than %d groups", policyGroupsMax)
	}
	p.groups = append(p.groups, policyGroup{name, needed, members})
	return err
}

func (p *policyReader) define(name string) error {
	if err := policyNeeds(len(name) <= policyNameBytesMax, "a name is longer than %d bytes", policyNameBytesMax); err != nil {
		return err
	}
	if err := policyNeeds(name != "none" && !p.names[name], "%s is defined already", name); err != nil {
		return err
	}
	p.names[name] = true
	return nil
}
