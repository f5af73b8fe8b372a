package arborlog

import (
	"strings"
)

// Policy is what c2sp.org/tlog-policy reads, by the rules of docs/format.md, 6.14.1: which logs and witnesses count, and which
// of them must have seen a checkpoint.
type Policy struct {
	Logs      []VerifierKey
	Witnesses []PolicyWitness
	groups    []policyGroup
	quorum    string
}

// PolicyWitness is a witness by the name that the policy gives it.
type PolicyWitness struct {
	Name string
	Key  VerifierKey
}

type policyGroup struct {
	name      string
	threshold uint64
	members   []string
}

func checkPolicyText(text string) error {
	_, err := parsePolicy(text)
	return err
}

// ParsePolicy reads a policy's text.
func ParsePolicy(text string) (*Policy, error) {
	if err := checkText(text, policForm, 24_576); err != nil {
		return nil, err
	}
	return parsePolicy(text)
}

func parsePolicy(text string) (*Policy, error) {
	wrong := func(line int, what string) (*Policy, error) {
		return nil, refuse("not_canonical", "line %d: %s", line+1, what)
	}
	if !strings.HasSuffix(text, "\n") {
		return nil, refuse("not_canonical", "the policy's last line has no newline")
	}
	p := new(Policy)
	keys, names, members := map[string]bool{}, map[string]bool{}, map[string]bool{}
	quorums := 0
	for n, line := range strings.Split(text[:len(text)-1], "\n") {
		words := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' })
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		what, rest := words[0], words[1:]
		switch {
		case what == "log" && (len(rest) == 1 || len(rest) == 2):
			key, err := readVerifierKey(rest[0], LogKeyType, MldsaKeyType)
			if err != nil || keys["l"+string(key.Key)] {
				return wrong(n, "the log's key is no verifier key, or stands twice")
			}
			keys["l"+string(key.Key)] = true
			p.Logs = append(p.Logs, key)
		case what == "witness" && (len(rest) == 2 || len(rest) == 3):
			key, err := readVerifierKey(rest[1], WitnessKeyType, MldsaKeyType)
			if err != nil || keys["w"+string(key.Key)] {
				return wrong(n, "the witness's key is no verifier key, or stands twice")
			}
			if rest[0] == "none" || names[rest[0]] {
				return wrong(n, "the name "+rest[0]+" is none, or stands twice")
			}
			names[rest[0]], keys["w"+string(key.Key)] = true, true
			p.Witnesses = append(p.Witnesses, PolicyWitness{rest[0], key})
		case what == "group" && len(rest) >= 3:
			group := policyGroup{name: rest[0], members: rest[2:]}
			for _, member := range group.members {
				if !names[member] || members[member] {
					return wrong(n, "no line before defines the member "+member+", or it is a member twice")
				}
				members[member] = true
			}
			number, plain := decodeDecimal(rest[1])
			switch {
			case rest[1] == "all":
				group.threshold = uint64(len(group.members))
			case rest[1] == "any":
				group.threshold = 1
			case plain && number >= 1 && number <= uint64(len(group.members)):
				group.threshold = number
			default:
				return wrong(n, "the threshold is not all, any, or a number up to that of the members")
			}
			if group.name == "none" || names[group.name] {
				return wrong(n, "the name "+group.name+" is none, or stands twice")
			}
			names[group.name] = true
			p.groups = append(p.groups, group)
		case what == "quorum" && len(rest) == 1:
			if rest[0] != "none" && !names[rest[0]] {
				return wrong(n, "no line before defines "+rest[0])
			}
			p.quorum = rest[0]
			quorums++
		default:
			return wrong(n, "it is none of log, witness, group and quorum")
		}
	}
	if quorums != 1 {
		return nil, refuse("not_canonical", "the policy has not just one quorum line")
	}
	return p, nil
}

// met says whether the witnesses that saw a checkpoint are enough.
func (p *Policy) met(seen map[string]bool) bool {
	have := map[string]bool{"none": true}
	for name := range seen {
		have[name] = true
	}
	for _, group := range p.groups {
		count := uint64(0)
		for _, member := range group.members {
			if have[member] {
				count++
			}
		}
		have[group.name] = count >= group.threshold
	}
	return have[p.quorum]
}
