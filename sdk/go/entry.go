package arborlog

import "bytes"

// Entry is one of the log's, in one of its three forms: the fields that a form does not have are zero.
type Entry struct {
	// Form is 1 of a signed entry, 2 of a sealed one, 3 of a state entry.
	Form       uint16
	AdmittedAt uint64
	Lineage    []uint64
	Signed     *SignedRecord
	// Record is what a signed entry says; of a sealed one Statement alone is known, until its seal is at hand.
	Record    *Record
	Statement Statement
	// Ahead is a sealed entry's way to its seal, and Places are its lineage from the third on.
	Ahead  uint16
	Places []uint64
	State  *StateEntry

	statementBytes []byte
}

// StateTotals are the sums beside a state root.
type StateTotals struct {
	Awarded          uint64 `arb:"awarded"`
	Reversed         uint64 `arb:"reversed"`
	Expired          uint64 `arb:"expired"`
	SpentElsewhere   uint64 `arb:"spent_elsewhere"`
	Claimed          uint64 `arb:"claimed"`
	Balances         int64  `arb:"balances"`
	Owed             uint64 `arb:"owed"`
	PlantedRecorded  uint64 `arb:"planted_recorded"`
	PlantedVoided    uint64 `arb:"planted_voided"`
	Lost             uint64 `arb:"lost"`
	Standing         uint64 `arb:"standing"`
	Assigned         uint64 `arb:"assigned"`
	Waiting          uint64 `arb:"waiting"`
	Claims           uint64 `arb:"claims"`
	AccountsNegative uint64 `arb:"accounts_negative"`
}

// StateEntry is the log's word on what the entries before a size make.
type StateEntry struct {
	Form         uint16      `arb:"form"`
	AdmittedAt   uint64      `arb:"admitted_at"`
	Size         uint64      `arb:"size"`
	Before       uint64      `arb:"before"`
	RulesVersion uint32      `arb:"rules_version"`
	StateRoot    Bytes32     `arb:"state_root"`
	Totals       StateTotals `arb:"totals"`
}

// stateLagMax is the most entries between a state entry and the size that it speaks of.
const stateLagMax = 1 << 18

// mayStandAt says whether a state entry can stand at an index, whatever the entries are.
func (s *StateEntry) mayStandAt(index uint64) bool {
	least := uint64(1)
	if s.Before != NoEntry {
		least = s.Before + 1
	}
	return (s.Before == NoEntry || s.Before < index) && least <= s.Size && s.Size <= index && index-s.Size <= stateLagMax
}

// rulesVersion is that of the rules by which this package reads a state.
const rulesVersion = 8

func formOf(data []byte) uint16 {
	if len(data) < 2 {
		return 0
	}
	return uint16(data[0])<<8 | uint16(data[1])
}

// DecodeEntry reads an entry strictly; no signature is verified.
func DecodeEntry(data []byte) (*Entry, error) {
	if len(data) > EntryBytesMax {
		return nil, refuse("not_canonical", "the entry has %d bytes, at most %d are allowed", len(data), EntryBytesMax)
	}
	e := &Entry{Form: formOf(data)}
	r := &reader{data: data}
	switch e.Form {
	case 1:
		if err := e.readSigned(r); err != nil {
			return nil, err
		}
	case 2:
		if err := e.readSealed(r); err != nil {
			return nil, err
		}
	case 3:
		e.State = new(StateEntry)
		if err := decodeInto(data, e.State); err != nil {
			return nil, err
		}
		e.AdmittedAt = e.State.AdmittedAt
		return e, nil
	default:
		return nil, refuse("not_canonical", "the entry is of form %d, which is none of 1, 2 and 3", e.Form)
	}
	return e, r.end()
}

func (e *Entry) readSigned(r *reader) error {
	_, _ = r.uint(2)
	var err error
	if e.AdmittedAt, err = r.uint(8); err != nil {
		return err
	}
	n, err := r.count(lineageMax, 8)
	if err != nil {
		return within(err, "lineage")
	}
	for range n {
		place, _ := r.uint(8)
		e.Lineage = append(e.Lineage, place)
	}
	if e.Signed, e.Record, err = decodeSigned(r); err != nil {
		return err
	}
	e.Statement, e.statementBytes = e.Record.Statement, e.Signed.Record[recordHeadBytes:]
	return nil
}

func (e *Entry) readSealed(r *reader) error {
	_, _ = r.uint(2)
	ahead, err := r.uint(2)
	if err != nil {
		return err
	}
	if ahead < 1 || ahead > SealedMax {
		return &Error{"not_canonical", "ahead", "it is not within 1 to 16384"}
	}
	e.Ahead = uint16(ahead)
	start := r.at
	if number, err := r.uint(4); err != nil {
		return err
	} else if number >= uint64(len(kinds)) || sealedPlaces[kinds[number]().Kind()] == 0 {
		return refuse("not_canonical", "no statement of kind %d is sealed", number)
	}
	r.at = start
	if e.Statement, err = decodeStatement(r); err != nil {
		return err
	}
	e.statementBytes = r.data[start:r.at]
	if len(e.statementBytes) > RecordBytesMax {
		return refuse("not_canonical", "the statement has %d bytes, at most %d are allowed", len(e.statementBytes), RecordBytesMax)
	}
	for range sealedPlaces[e.Statement.Kind()] {
		place, err := r.uint(8)
		if err != nil {
			return err
		}
		e.Places = append(e.Places, place)
	}
	return nil
}

// kind is the statement's, or that it is a state entry.
func (e *Entry) kind() string {
	if e.Form == 3 {
		return "state"
	}
	return e.Statement.Kind()
}

// fieldBytes are the statement's, behind its kind's number.
func (e *Entry) fieldBytes() []byte { return e.statementBytes[4:] }

// signedBy says whether a key is the issuer's or an endorser's.
func (e *Entry) signedBy(key Bytes32) bool {
	if key == e.Record.Issuer {
		return true
	}
	for _, endorsement := range e.Signed.Endorsements {
		if key == endorsement.Key {
			return true
		}
	}
	return false
}

// checkSignatures verifies the issuer's signature and each endorsement, and gives the record's id.
func (e *Entry) checkSignatures(origin string, verify SignatureCheck) (Bytes32, error) {
	input := SigningInput(origin, e.Signed.Record)
	if !verify(e.Record.Issuer, e.Signed.Signature, input) {
		return Bytes32{}, refuse("signature_invalid", "the issuer's signature does not hold")
	}
	for _, endorsement := range e.Signed.Endorsements {
		if !verify(endorsement.Key, endorsement.Signature, input) {
			return Bytes32{}, refuse("signature_invalid", "the endorsement by %s does not hold", endorsement.Key)
		}
	}
	return RecordID(origin, e.Signed.Record), nil
}

func startsWith(data, beginning []byte) bool { return bytes.HasPrefix(data, beginning) }
