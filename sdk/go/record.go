package arborlog

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"sort"
)

// Limits of the format (docs/format.md, 13.5).
const (
	RecordBytesMax    = 25_600
	EntryBytesMax     = 32_768
	EndorsementsMax   = 32
	SealedMax         = 16_384
	BatchBytesMax     = 8 << 20
	lineageMax        = 5
	recordHeadBytes   = 32 + 8 + 32 + 4
	mldsaSignatureLen = 2_420
	// NoEntry stands for none in a lineage.
	NoEntry = 1<<64 - 1
)

// Record is a statement as its issuer signs it.
type Record struct {
	Issuer    Bytes32
	Seq       uint64
	Prev      Bytes32
	IssuedOn  Day
	Statement Statement
}

// Encode gives the record's bytes.
func (r *Record) Encode() ([]byte, error) {
	statement, err := EncodeStatement(r.Statement)
	if err != nil {
		return nil, err
	}
	return encodeRecord(r.Issuer, r.Seq, r.Prev, r.IssuedOn, statement)
}

func encodeRecord(issuer Bytes32, seq uint64, prev Bytes32, issuedOn Day, statement []byte) ([]byte, error) {
	if issuedOn > DayMax {
		return nil, &Error{"not_canonical", "issued_on", "a day after 9999-12-31"}
	}
	out := append([]byte(nil), issuer[:]...)
	out = binary.BigEndian.AppendUint64(out, seq)
	out = append(out, prev[:]...)
	out = binary.BigEndian.AppendUint32(out, uint32(issuedOn))
	if out = append(out, statement...); len(out) > RecordBytesMax {
		return nil, refuse("not_canonical", "the record has %d bytes, at most %d are allowed", len(out), RecordBytesMax)
	}
	return out, nil
}

// DecodeRecord reads a record strictly.
func DecodeRecord(data []byte) (*Record, error) {
	if len(data) > RecordBytesMax {
		return nil, refuse("not_canonical", "the record has %d bytes, at most %d are allowed", len(data), RecordBytesMax)
	}
	r, record := &reader{data: data}, new(Record)
	head, err := r.take(recordHeadBytes)
	if err != nil {
		return nil, err
	}
	copy(record.Issuer[:], head)
	record.Seq = binary.BigEndian.Uint64(head[32:])
	copy(record.Prev[:], head[40:])
	record.IssuedOn = Day(binary.BigEndian.Uint32(head[72:]))
	if record.IssuedOn > DayMax {
		return nil, &Error{"not_canonical", "issued_on", "a day after 9999-12-31"}
	}
	if record.Statement, err = decodeStatement(r); err != nil {
		return nil, err
	}
	return record, r.end()
}

// SigningInput is what is signed of a record for the ledger of this origin.
func SigningInput(origin string, record []byte) []byte {
	return bytes.Join([][]byte{[]byte("arborlog/record/v1"), []byte(origin), record}, []byte{'\n'})
}

// RecordID is the id of a record in the ledger of this origin.
func RecordID(origin string, record []byte) Bytes32 {
	return sha256.Sum256(SigningInput(origin, record))
}

// Endorsement is a signature beside the issuer's.
type Endorsement struct {
	Key       Bytes32
	Signature [64]byte
}

// SignedRecord is a record's bytes with its signatures.
type SignedRecord struct {
	Record         []byte
	Signature      [64]byte
	Endorsements   []Endorsement
	MldsaSignature []byte
}

// Signer signs for one key. It may be a file's key, an agent or a hardware key.
type Signer interface {
	PublicKey() Bytes32
	Sign(message []byte) ([64]byte, error)
}

// Sign signs a record for the ledger of this origin. The endorsers sign too.
func Sign(origin string, record *Record, issuer Signer, endorsers ...Signer) (*SignedRecord, error) {
	if record.Issuer != issuer.PublicKey() {
		return nil, &Error{"wrong_use", "issuer", "the record's issuer is not the signer's key"}
	}
	data, err := record.Encode()
	if err != nil {
		return nil, err
	}
	signed := &SignedRecord{Record: data}
	input := SigningInput(origin, data)
	if signed.Signature, err = issuer.Sign(input); err != nil {
		return nil, err
	}
	for _, endorser := range endorsers {
		signature, err := endorser.Sign(input)
		if err != nil {
			return nil, err
		}
		signed.Endorsements = append(signed.Endorsements, Endorsement{endorser.PublicKey(), signature})
	}
	sort.Slice(signed.Endorsements, func(i, j int) bool {
		return bytes.Compare(signed.Endorsements[i].Key[:], signed.Endorsements[j].Key[:]) < 0
	})
	return signed, signed.check(record)
}

// check is what signatures must be together with the record.
func (s *SignedRecord) check(record *Record) error {
	if len(s.Endorsements) > EndorsementsMax {
		return &Error{"not_canonical", "endorsements", "there are more than 32"}
	}
	for i, e := range s.Endorsements {
		if e.Key == record.Issuer || i > 0 && bytes.Compare(s.Endorsements[i-1].Key[:], e.Key[:]) >= 0 {
			return &Error{"not_canonical", "endorsements", "they are not strictly ascending, or the issuer endorses"}
		}
	}
	return nil
}

// namesMldsa says whether a statement names an ML-DSA key, which then signs too.
func namesMldsa(s Statement) bool {
	switch s := s.(type) {
	case *Genesis:
		return s.MldsaKey != nil
	case *LogKey:
		return s.MldsaKey != nil
	}
	return false
}

// Encode gives the signed record's bytes.
func (s *SignedRecord) Encode() ([]byte, error) {
	record, err := DecodeRecord(s.Record)
	if err == nil {
		err = s.check(record)
	}
	if err != nil {
		return nil, err
	}
	if namesMldsa(record.Statement) != (len(s.MldsaSignature) == mldsaSignatureLen) || !namesMldsa(record.Statement) && len(s.MldsaSignature) > 0 {
		return nil, &Error{"not_canonical", "mldsa_signature", "it stands exactly where the statement names an ML-DSA key, and has 2,420 bytes"}
	}
	out := binary.BigEndian.AppendUint64(nil, uint64(len(s.Record)))
	out = append(append(out, s.Record...), s.Signature[:]...)
	out = binary.BigEndian.AppendUint64(out, uint64(len(s.Endorsements)))
	for _, e := range s.Endorsements {
		out = append(append(out, e.Key[:]...), e.Signature[:]...)
	}
	return append(out, s.MldsaSignature...), nil
}

// DecodeSignedRecord reads a signed record strictly; its signatures are not verified.
func DecodeSignedRecord(data []byte) (*SignedRecord, error) {
	r := &reader{data: data}
	signed, _, err := decodeSigned(r)
	if err == nil {
		err = r.end()
	}
	return signed, err
}

func decodeSigned(r *reader) (*SignedRecord, *Record, error) {
	s := new(SignedRecord)
	var err error
	if s.Record, err = r.byteString(RecordBytesMax); err != nil {
		return nil, nil, err
	}
	signature, err := r.take(64)
	if err != nil {
		return nil, nil, err
	}
	copy(s.Signature[:], signature)
	n, err := r.count(EndorsementsMax, 96)
	if err != nil {
		return nil, nil, within(err, "endorsements")
	}
	for range n {
		pair, _ := r.take(96)
		var e Endorsement
		copy(e.Key[:], pair)
		copy(e.Signature[:], pair[32:])
		s.Endorsements = append(s.Endorsements, e)
	}
	record, err := DecodeRecord(s.Record)
	if err == nil {
		err = s.check(record)
	}
	if err == nil && namesMldsa(record.Statement) {
		s.MldsaSignature, err = r.take(mldsaSignatureLen)
	}
	return s, record, err
}
