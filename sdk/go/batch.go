package arborlog

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"strconv"
)

// Chain is where a key's chain goes on: the place of its next record, the id of the one before, and that one's day, which the
// next one's is never before.
type Chain struct {
	Seq      uint64
	Prev     Bytes32
	IssuedOn Day
}

// next is the chain behind a record.
func (c Chain) next(id Bytes32, issuedOn Day) Chain { return Chain{c.Seq + 1, id, issuedOn} }

// day is today, or the day of the record before if that is later: the clock may have been put back.
func (c Chain) day(today Day) Day { return max(today, c.IssuedOn) }

// SignedBody is what is posted: its path and media type, the bytes, and the record or seal that they end or begin with.
type SignedBody struct {
	Path      string
	MediaType string
	Body      []byte
	ID        Bytes32
	Seq       uint64
	IssuedOn  Day
}

const batchesPath = "/v1/batches"

// SignNext signs a statement as the chain's next record, for POST /v1/records.
func SignNext(origin string, chain Chain, today Day, statement []byte, signer Signer) (*SignedBody, error) {
	signed, record, err := signBytes(origin, chain, today, statement, signer)
	if err != nil {
		return nil, err
	}
	body := binary.BigEndian.AppendUint32(nil, uint32(len(signed)))
	return &SignedBody{"/v1/records", "application/octet-stream", append(body, signed...), RecordID(origin, record), chain.Seq, chain.day(today)}, nil
}

// SealNext seals statements' bytes as the chain's next record, for POST /v1/batches: all of them are in then, or none.
func SealNext(origin string, chain Chain, today Day, statements [][]byte, signer Signer) (*SignedBody, error) {
	if len(statements) == 0 || len(statements) > SealedMax {
		return nil, refuse("not_canonical", "a batch of %d statements, a seal signs 1 to %d", len(statements), SealedMax)
	}
	leaves, total := make([]Bytes32, len(statements)), 0
	for i, data := range statements {
		s, err := DecodeStatement(data)
		if err == nil && !CanSeal(s) {
			err = refuse("not_canonical", "no %s of this kind may be sealed: send it as a record", s.Kind())
		}
		if err != nil {
			return nil, within(err, "["+strconv.Itoa(i)+"]")
		}
		leaves[i], total = leafHash(data), total+len(data)
	}
	if total > BatchBytesMax {
		return nil, refuse("not_canonical", "the statements have %d bytes, a batch has room for %d", total, BatchBytesMax)
	}
	seal, err := EncodeStatement(&Seal{Count: uint32(len(statements)), Root: treeRoot(leaves)})
	if err != nil {
		return nil, err
	}
	signed, record, err := signBytes(origin, chain, today, seal, signer)
	if err != nil {
		return nil, err
	}
	body := append(binary.BigEndian.AppendUint32(nil, uint32(len(signed))), signed...)
	for _, data := range statements {
		body = append(binary.BigEndian.AppendUint32(body, uint32(len(data))), data...)
	}
	return &SignedBody{batchesPath, "application/vnd.arborlog.batch", body, RecordID(origin, record), chain.Seq, chain.day(today)}, nil
}

func signBytes(origin string, chain Chain, today Day, statement []byte, signer Signer) (signed, record []byte, err error) {
	if _, err := DecodeStatement(statement); err != nil {
		return nil, nil, err
	}
	if record, err = encodeRecord(signer.PublicKey(), chain.Seq, chain.Prev, chain.day(today), statement); err != nil {
		return nil, nil, err
	}
	signature, err := signer.Sign(SigningInput(origin, record))
	if err != nil {
		return nil, nil, err
	}
	signed, err = (&SignedRecord{Record: record, Signature: signature}).Encode()
	return signed, record, err
}

// Points are those of an award: quantity × factor ÷ 10⁹, rounded down. It is false where they don't fit 64 bits.
func Points(quantity, factor uint64) (uint64, bool) {
	return mulDiv(quantity, factor, 1_000_000_000)
}

// EvidenceOf names an event for an award: HMAC-SHA-256 under a secret that the platform keeps, so that nobody else can guess it.
func EvidenceOf(secret, event []byte) (evidence Bytes32) {
	mac := hmac.New(sha256.New, secret)
	mac.Write(event)
	copy(evidence[:], mac.Sum(nil))
	return evidence
}
