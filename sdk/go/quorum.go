package arborlog

import (
	"fmt"
	"slices"
	"strings"
)

// What a policy makes of a checkpoint (docs/format.md, 12.3).

// ByPolicy tells who of a policy cosigned a receipt's checkpoint, or one of two.
type ByPolicy struct {
	// Levels are those reached of cosigned, witnessed and audited.
	Levels     []string
	CosignedBy []Cosigner
	// SeenTo and ReplayedTo are the sizes of the larger of the file's checkpoints that is witnessed, and audited; nil where none is.
	SeenTo, ReplayedTo *uint64
	// NotChecked are the witnesses, by the policy's names, whose lines are of ML-DSA-44 where Trust.Mldsa is nil.
	NotChecked []string
}

// Cosigner is a witness, or an auditor, whose line holds.
type Cosigner struct {
	// As is the policy's name for it, Name its key's.
	As, Name string
	// Role is witness or auditor.
	Role string
	// AtS is the newest time of its lines, nil where an auditor gives none.
	AtS *uint64
	// Size is that of the checkpoint.
	Size uint64
}

// QuorumMissing is the error quorum_missing: too few of a policy's witnesses signed. It is an *Error for errors.As.
type QuorumMissing struct {
	Err *Error
	// Missing are those that the quorum asks for, in the order of the policy's lines.
	Missing []PolicyWitness
	// Levels are those of witnessed and audited that are reached all the same.
	Levels []string
}

func (q *QuorumMissing) Error() string { return q.Err.Error() }

// Unwrap gives the error's code, where, and what.
func (q *QuorumMissing) Unwrap() error { return q.Err }

// logByPolicy checks the lines of the log's own keys in a policy: all hold, and there is one at least.
func (p *Policy) logByPolicy(c *Checkpoint, checks checks) error {
	named, signed, unread := false, false, false
	for _, key := range p.Logs {
		if key.Name != c.Origin {
			continue
		}
		named = true
		times, unchecked, err := c.readLines(key, checks)
		if err != nil {
			return err
		}
		signed = signed || len(times) > 0 && !unchecked
		unread = unread || unchecked
	}
	switch {
	case !named:
		return &Error{"other_log", "checkpoint", "it is of " + c.Origin + ", and the policy names no key of that log"}
	case signed:
		return nil
	case unread:
		return mldsaMissing("the log's line")
	}
	return &Error{"unsigned", "checkpoint", "no line is by a log's key of the policy"}
}

func mldsaMissing(what string) *Error {
	return &Error{"mldsa_unsupported", "checkpoint", what + " is of ML-DSA-44, which is checked only by a Trust.Mldsa"}
}

// timesThatCount leaves out a witness's lines of ML-DSA-44 without a time: they say nothing of a newest tree (12.2).
func timesThatCount(key VerifierKey, times []uint64, isAuditor bool) []uint64 {
	if isAuditor || key.Type != MldsaKeyType {
		return times
	}
	return slices.DeleteFunc(slices.Clone(times), func(seconds uint64) bool { return seconds == 0 })
}

// judge tells who of the policy cosigned a file's checkpoints. Without the quorum it is a *QuorumMissing, or mldsa_unsupported.
func (p *Policy) judge(all []*Checkpoint, checks checks) (*ByPolicy, error) {
	by, present, withUnread := &ByPolicy{Levels: []string{}}, []map[string]bool{}, []map[string]bool{}
	notChecked, reached := map[string]bool{}, map[string]bool{}
	for n, c := range all {
		seen, unread := map[string]bool{}, map[string]bool{}
		for _, witness := range p.Witnesses {
			times, unchecked, err := c.readLines(witness.Key, checks)
			if err != nil {
				return nil, err
			}
			times = timesThatCount(witness.Key, times, witness.IsAuditor())
			switch {
			case len(times) == 0:
			case unchecked:
				unread[witness.Name], notChecked[witness.Name] = true, true
			default:
				seen[witness.Name] = true
				by.CosignedBy = append(by.CosignedBy, cosignerOf(witness, slices.Max(times), c.Size))
			}
		}
		present, withUnread = append(present, seen), append(withUnread, both(seen, unread))
		for _, level := range p.levels(seen) {
			reached[level] = true
			by.reaches(level, all[n].Size)
		}
	}
	for _, witness := range p.Witnesses {
		if notChecked[witness.Name] {
			by.NotChecked = append(by.NotChecked, witness.Name)
		}
	}
	met := p.isMet(present)
	for _, level := range []string{"cosigned", "witnessed", "audited"} {
		if reached[level] || level == "cosigned" && met {
			by.Levels = append(by.Levels, level)
		}
	}
	if met {
		return by, nil
	}
	if p.isMet(withUnread) {
		return nil, mldsaMissing("the policy's quorum depends on a line that: " + strings.Join(by.NotChecked, ", "))
	}
	return nil, p.quorumMissing(by, present)
}

func (by *ByPolicy) reaches(level string, size uint64) {
	switch level {
	case "witnessed":
		by.SeenTo = &size
	case "audited":
		by.ReplayedTo = &size
	}
}

// waysToQuorum are those who count together: of one checkpoint those who saw it; of two those of either, or the witnesses of one with
// the auditors of the other.
func (p *Policy) waysToQuorum(present []map[string]bool) []map[string]bool {
	if len(present) == 1 {
		return present
	}
	mixed := func(witnesses, auditors map[string]bool) map[string]bool {
		way := map[string]bool{}
		for _, one := range p.Witnesses {
			if one.IsAuditor() && auditors[one.Name] || !one.IsAuditor() && witnesses[one.Name] {
				way[one.Name] = true
			}
		}
		return way
	}
	first, second := present[0], present[1]
	return []map[string]bool{first, second, mixed(second, first), mixed(first, second)}
}

func (p *Policy) isMet(present []map[string]bool) bool {
	return slices.ContainsFunc(p.waysToQuorum(present), func(way map[string]bool) bool { return p.holding(way)[p.quorum] })
}

func cosignerOf(witness PolicyWitness, newest, size uint64) Cosigner {
	one := Cosigner{As: witness.Name, Name: witness.Key.Name, Role: "witness", Size: size}
	if witness.IsAuditor() {
		one.Role = "auditor"
	}
	if newest > 0 || witness.Key.Type != MldsaKeyType {
		one.AtS = &newest
	}
	return one
}

// quorumMissing names who is missing in that way to the quorum which lacks the fewest.
func (p *Policy) quorumMissing(by *ByPolicy, present []map[string]bool) error {
	ways := p.waysToQuorum(present)
	way, missing := ways[0], p.missing(ways[0])
	for _, other := range ways[1:] {
		if lacks := p.missing(other); len(lacks) < len(missing) {
			way, missing = other, lacks
		}
	}
	names, there := []string{}, []string{}
	for _, one := range missing {
		names = append(names, fmt.Sprintf("%s (%s)", one.Name, one.Key.Name))
	}
	for _, one := range p.Witnesses {
		if way[one.Name] {
			there = append(there, one.Name)
		}
	}
	if len(there) == 0 {
		there = []string{"nobody"}
	}
	what := fmt.Sprintf("the policy's quorum, %s, is not there: no cosignature by %s; there are those by %s", p.quorum,
		strings.Join(names, ", "), strings.Join(there, ", "))
	return &QuorumMissing{&Error{"quorum_missing", "checkpoint", what}, missing, by.Levels}
}

func both(one, other map[string]bool) map[string]bool {
	all := map[string]bool{}
	for _, names := range []map[string]bool{one, other} {
		for name := range names {
			all[name] = true
		}
	}
	return all
}

// holding are the witnesses that are present, and the groups that have enough of them: a group's members are defined before it.
func (p *Policy) holding(present map[string]bool) map[string]bool {
	holding := both(present, map[string]bool{"none": true})
	for _, group := range p.groups {
		count := uint64(0)
		for _, member := range group.members {
			if holding[member] {
				count++
			}
		}
		if count >= group.threshold {
			holding[group.name] = true
		}
	}
	return holding
}

// levels are those that a checkpoint reaches by the policy.
func (p *Policy) levels(present map[string]bool) []string {
	auditors, witnesses := map[string]bool{}, map[string]bool{}
	audited, witnessed := false, false
	for _, one := range p.Witnesses {
		if one.IsAuditor() {
			auditors[one.Name] = true
			audited = audited || present[one.Name]
		} else {
			witnesses[one.Name] = true
			witnessed = witnessed || present[one.Name]
		}
	}
	levels := []string{}
	if p.holding(present)[p.quorum] {
		levels = append(levels, "cosigned")
	}
	if witnessed && p.holding(both(present, auditors))[p.quorum] {
		levels = append(levels, "witnessed")
	}
	if audited && p.holding(both(present, witnesses))[p.quorum] {
		levels = append(levels, "audited")
	}
	return levels
}

// missing are the witnesses that are not present, and that the quorum or a group that it lacks asks for.
func (p *Policy) missing(present map[string]bool) (missing []PolicyWitness) {
	holding, wanted := p.holding(present), map[string]bool{p.quorum: true}
	for _, group := range slices.Backward(p.groups) {
		if wanted[group.name] && !holding[group.name] {
			for _, member := range group.members {
				wanted[member] = true
			}
		}
	}
	for _, witness := range p.Witnesses {
		if wanted[witness.Name] && !holding[witness.Name] {
			missing = append(missing, witness)
		}
	}
	return missing
}
