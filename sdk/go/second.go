package arborlog

import "math/bits"

// A second checkpoint in a receipt's file, larger than its own: where no checkpoint has the whole quorum, one has the witnesses'
// half and another the auditors' (docs/format.md, 13.7).

type secondCheckpoint struct {
	note        []byte
	checkpoint  *Checkpoint
	consistency []Bytes32
}

func readSecond(r *reader) (*secondCheckpoint, error) {
	note, err := r.byteString(noteBytesMax)
	if err != nil {
		return nil, err
	}
	consistency, err := r.hashes(pathMax)
	return &secondCheckpoint{note: note, consistency: consistency}, err
}

// read reads the note; there may be no second checkpoint.
func (s *secondCheckpoint) read(size uint64) (err error) {
	if s == nil {
		return nil
	}
	if s.checkpoint, err = ReadCheckpoint(s.note); err != nil {
		return err
	}
	if s.checkpoint.Size <= size {
		return refuse("receipt_malformed", "its second checkpoint is not larger than its own")
	}
	return nil
}

// extends checks that the second checkpoint's tree begins with the file's own, where there is one.
func (s *secondCheckpoint) extends(c *Checkpoint) error {
	if s == nil {
		return nil
	}
	larger := s.checkpoint
	if len(s.consistency) != consistencyLength(c.Size, larger.Size) {
		return refuse("proof_incomplete", "the proof between the two checkpoints has not the number of hashes that it needs")
	}
	if !consistencyHolds(c.Size, larger.Size, c.Root, larger.Root, s.consistency) {
		return refuse("forked", "the tree of %d entries does not begin with that of %d", larger.Size, c.Size)
	}
	return nil
}

// checkpoints are the file's own, and the second one if it has one.
func (f *receiptFile) checkpoints() []*Checkpoint {
	if f.second == nil {
		return []*Checkpoint{f.checkpoint}
	}
	return []*Checkpoint{f.checkpoint, f.second.checkpoint}
}

// consistencyLength is how many hashes prove that a tree begins with a smaller one (RFC 9162, 2.1.4.1): those of the place of the
// smaller one's last whole subtree, and that subtree's own unless it is all of the smaller tree.
func consistencyLength(from, to uint64) int {
	whole := bits.TrailingZeros64(from)
	place := (from - 1) >> whole
	length := pathLength(place, (to-1)>>whole+1)
	if place > 0 {
		length++
	}
	return length
}
