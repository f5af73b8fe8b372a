package arborlog

import (
	"crypto/sha256"
	"math/bits"
)

func leafHash(data []byte) Bytes32 {
	return sha256.Sum256(append([]byte{0}, data...))
}

func nodeHash(left, right Bytes32) Bytes32 {
	var both [65]byte
	both[0] = 1
	copy(both[1:], left[:])
	copy(both[33:], right[:])
	return sha256.Sum256(both[:])
}

// treeRoot is RFC 6962's root over leaves, of which there is one at least.
func treeRoot(hashes []Bytes32) Bytes32 {
	for len(hashes) > 1 {
		above := make([]Bytes32, 0, (len(hashes)+1)/2)
		for i := 0; i+1 < len(hashes); i += 2 {
			above = append(above, nodeHash(hashes[i], hashes[i+1]))
		}
		if len(hashes)%2 == 1 {
			above = append(above, hashes[len(hashes)-1])
		}
		hashes = above
	}
	return hashes[0]
}

// pathLength is how many hashes prove a leaf: to where its way parts from the last leaf's, then one for each turn left.
func pathLength(index, size uint64) int {
	parted := bits.Len64(index ^ (size - 1))
	if parted == 64 {
		return 64
	}
	return parted + bits.OnesCount64(index>>parted)
}

// rootByPath is the root that an inclusion proof of the right length leads to.
func rootByPath(leaf Bytes32, index, size uint64, path []Bytes32) Bytes32 {
	node, last := leaf, size-1
	for _, sibling := range path {
		if index%2 == 1 || index == last {
			for index%2 == 0 && index != 0 {
				index, last = index/2, last/2
			}
			node = nodeHash(sibling, node)
		} else {
			node = nodeHash(node, sibling)
		}
		index, last = index/2, last/2
	}
	return node
}

// consistencyHolds says whether a proof (RFC 6962, 2.1.2) leads from an old root to a new one. 0 < from < to.
func consistencyHolds(from, to uint64, oldRoot, newRoot Bytes32, proof []Bytes32) bool {
	index, last := from-1, to-1
	for index%2 == 1 {
		index, last = index/2, last/2
	}
	if index > 0 && len(proof) == 0 {
		return false
	}
	oldNode, newNode := oldRoot, oldRoot
	if index > 0 {
		oldNode, newNode, proof = proof[0], proof[0], proof[1:]
	}
	for _, sibling := range proof {
		if last == 0 {
			return false
		}
		if index%2 == 1 || index == last {
			oldNode, newNode = nodeHash(sibling, oldNode), nodeHash(sibling, newNode)
			for index%2 == 0 && index != 0 {
				index, last = index/2, last/2
			}
		} else {
			newNode = nodeHash(newNode, sibling)
		}
		index, last = index/2, last/2
	}
	return last == 0 && oldNode == oldRoot && newNode == newRoot
}

// halfOf is where the largest whole tree at the beginning of a range of leaves ends.
func halfOf(start, end uint64) uint64 {
	return start + 1<<(bits.Len64(end-start-1)-1)
}

func mulDiv(a, b, c uint64) (uint64, bool) {
	high, low := bits.Mul64(a, b)
	if high >= c {
		return 0, false
	}
	quotient, _ := bits.Div64(high, low, c)
	return quotient, true
}
