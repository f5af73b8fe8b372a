package arborlog

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// Proofs in the tries of the state (docs/format.md, 16.3 and 16.4).

type trieNode struct {
	hash    Bytes32
	a, b, n uint64
}

func (t trieNode) append(out []byte) []byte {
	out = append(out, t.hash[:]...)
	for _, n := range []uint64{t.a, t.b, t.n} {
		out = binary.BigEndian.AppendUint64(out, n)
	}
	return out
}

func bitOf(path []byte, place int) byte { return path[place/8] >> (7 - place%8) & 1 }

// Leaf is an item's value in its domain, with the two numbers that the domain sums.
type Leaf struct {
	Value []byte
	A, B  uint64
}

type trieProof struct {
	siblings []trieNode
	end      byte
	other    Bytes32
	leaf     *Leaf
}

func (r *reader) trieNode() (t trieNode, err error) {
	if t.hash, err = r.bytes32(); err != nil {
		return t, err
	}
	if t.a, err = r.uint(8); err != nil {
		return t, err
	}
	if t.b, err = r.uint(8); err != nil {
		return t, err
	}
	t.n, err = r.uint(8)
	return t, err
}

func (r *reader) trieProof() (*trieProof, error) {
	malformed := func(what string) (*trieProof, error) { return nil, refuse("state_item_malformed", "%s", what) }
	depth, err := r.uint(2)
	if err != nil {
		return nil, err
	}
	if depth > 256 {
		return malformed("a proof is deeper than a path is long")
	}
	empty, err := r.take((depth + 7) / 8)
	if err != nil {
		return nil, err
	}
	for place := int(depth); place < 8*len(empty); place++ {
		if bitOf(empty, place) == 1 {
			return malformed("a bit is set behind the last sibling's")
		}
	}
	p := new(trieProof)
	for place := range int(depth) {
		var sibling trieNode
		if bitOf(empty, place) == 0 {
			if sibling, err = r.trieNode(); err != nil {
				return nil, err
			}
			if sibling.n == 0 {
				return malformed("a sibling without leaves is not said to be empty")
			}
		}
		p.siblings = append(p.siblings, sibling)
	}
	end, err := r.uint(1)
	if err != nil {
		return nil, err
	}
	if end > 2 {
		return malformed("a proof ends in nothing, its leaf or another leaf")
	}
	p.end = byte(end)
	if end == 2 {
		if p.other, err = r.bytes32(); err != nil {
			return nil, err
		}
	}
	if end != 0 {
		p.leaf = new(Leaf)
		if p.leaf.A, err = r.uint(8); err != nil {
			return nil, err
		}
		if p.leaf.B, err = r.uint(8); err != nil {
			return nil, err
		}
		length, err := r.uint(1)
		if err != nil {
			return nil, err
		}
		if length > 128 {
			return malformed("a leaf's value is longer than 128 bytes")
		}
		if p.leaf.Value, err = r.take(length); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func differs(what string) error { return refuse("state_item_wrong", "%s", what) }

// root is that of the trie to which a proof of a path leads.
func (p *trieProof) root(domain byte, path Bytes32) (trieNode, error) {
	depth, node := len(p.siblings), trieNode{}
	standsAt := path
	if p.end == 2 {
		standsAt = p.other
		for place := range depth {
			if bitOf(path[:], place) != bitOf(p.other[:], place) {
				return node, differs("the other leaf is not in the place of this one")
			}
		}
		if path == p.other {
			return node, differs("the other leaf is at this path")
		}
	}
	if p.leaf != nil {
		sum := sha256.Sum256(bytes.Join([][]byte{{0, domain}, standsAt[:], p.leaf.Value}, nil))
		node = trieNode{sum, p.leaf.A, p.leaf.B, 1}
	}
	if depth > 0 && p.siblings[0].n == 0 && node.n < 2 || depth > 0 && p.siblings[0].n == 1 && node.n == 0 {
		return node, differs("what stands at the end would stand higher")
	}
	for i, sibling := range p.siblings {
		left, right := node, sibling
		if bitOf(path[:], depth-1-i) == 1 {
			left, right = sibling, node
		}
		var carries [3]uint64
		var above trieNode
		above.a, carries[0] = bits.Add64(left.a, right.a, 0)
		above.b, carries[1] = bits.Add64(left.b, right.b, 0)
		above.n, carries[2] = bits.Add64(left.n, right.n, 0)
		if carries != [3]uint64{} {
			return node, differs("a sum does not fit 64 bits")
		}
		above.hash = sha256.Sum256(right.append(left.append([]byte{1})))
		node = above
	}
	return node, nil
}

const neighboursTag = 16

// stateProof is of a leaf, or of neighbours, against a state root.
type stateProof struct {
	domain    byte
	a, b, n   uint64
	siblings  [4]Bytes32
	low, high *trieProof // high is nil of a leaf
}

func readStateProof(data []byte) (*stateProof, error) {
	r, p := &reader{data: data}, new(stateProof)
	ofNeighbours := len(data) > 0 && data[0] == neighboursTag
	if ofNeighbours {
		r.at = 1
	}
	domain, err := r.uint(1)
	if err == nil && domain > 15 {
		err = refuse("state_item_malformed", "no domain has the number %d", domain)
	}
	if err != nil {
		return nil, err
	}
	p.domain = byte(domain)
	for _, n := range []*uint64{&p.a, &p.b, &p.n} {
		if *n, err = r.uint(8); err != nil {
			return nil, err
		}
	}
	for i := range p.siblings {
		if p.siblings[i], err = r.bytes32(); err != nil {
			return nil, err
		}
	}
	if p.low, err = r.trieProof(); err != nil {
		return nil, err
	}
	if ofNeighbours {
		if p.high, err = r.trieProof(); err != nil {
			return nil, err
		}
	}
	return p, r.end()
}

func (p *stateProof) checkRoot(root trieNode, stateRoot Bytes32) error {
	if root.a != p.a || root.b != p.b || root.n != p.n {
		return differs("the sums are not those of the proof")
	}
	found := Bytes32(sha256.Sum256(root.append([]byte{2, p.domain})))
	for step, sibling := range p.siblings {
		left, right := found, sibling
		if p.domain>>step&1 == 1 {
			left, right = sibling, found
		}
		found = sha256.Sum256(bytes.Join([][]byte{{3}, left[:], right[:]}, nil))
	}
	if found != stateRoot {
		return differs("it leads to another state root")
	}
	return nil
}

// verify gives the leaf at a path, or nil; of neighbours that at the low path, and that none is behind it up to the high one.
func (p *stateProof) verify(paths []Bytes32, stateRoot Bytes32) (*Leaf, error) {
	root, err := p.low.root(p.domain, paths[0])
	if err != nil {
		return nil, err
	}
	if p.high != nil {
		other, err := p.high.root(p.domain, paths[1])
		if err != nil {
			return nil, err
		}
		if other != root {
			return nil, differs("the two proofs lead to different roots")
		}
	}
	if err := p.checkRoot(root, stateRoot); err != nil {
		return nil, err
	}
	if p.high != nil {
		if err := p.nothingBetween(paths[0], paths[1]); err != nil {
			return nil, err
		}
		if p.high.end == 1 {
			return nil, differs("a leaf is at the high path")
		}
	}
	if p.low.end == 1 {
		return p.low.leaf, nil
	}
	return nil, nil
}

// nothingBetween is 16.3, neighbours: by two proofs that hold against one root, no leaf is between the paths.
func (p *stateProof) nothingBetween(low, high Bytes32) error {
	if bytes.Compare(low[:], high[:]) >= 0 {
		return differs("the paths of neighbours do not ascend")
	}
	shared := 0
	for bitOf(low[:], shared) == bitOf(high[:], shared) {
		shared++
	}
	for side, one := range []struct {
		path  Bytes32
		proof *trieProof
	}{{low, p.low}, {high, p.high}} {
		for i, sibling := range one.proof.siblings {
			depth := len(one.proof.siblings) - 1 - i
			if depth > shared && bitOf(one.path[:], depth) == byte(side) && sibling.n != 0 {
				return differs("leaves are between the paths")
			}
		}
		other := one.proof.other[:]
		if one.proof.end == 2 && bytes.Compare(low[:], other) < 0 && bytes.Compare(other, high[:]) < 0 {
			return differs("a leaf is between the paths")
		}
	}
	return nil
}
