package arborlog

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"
)

// The types of verifier keys.
const (
	LogKeyType     byte = 1
	WitnessKeyType byte = 4
	MldsaKeyType   byte = 6
)

// VerifierKey is a key of a log or a witness by its name (c2sp.org/signed-note).
type VerifierKey struct {
	Name string
	Type byte
	// Key is an Ed25519 key's 32 bytes, or an ML-DSA-44 key's 1,312.
	Key []byte
	id  [4]byte
}

func (k VerifierKey) String() string {
	return k.Name + "+" + hex.EncodeToString(k.id[:]) + "+" + base64.StdEncoding.EncodeToString(append([]byte{k.Type}, k.Key...))
}

// ParseLogKey reads a log's verifier key, as it is published: of Ed25519, or of ML-DSA-44, by which receipts alone are verified.
func ParseLogKey(written string) (VerifierKey, error) {
	return readVerifierKey(strings.Trim(written, "\t\n\f\r "), LogKeyType, MldsaKeyType)
}

// ParseWitnessKey reads a witness's verifier key.
func ParseWitnessKey(written string) (VerifierKey, error) {
	return readVerifierKey(strings.Trim(written, "\t\n\f\r "), WitnessKeyType, MldsaKeyType)
}

func readVerifierKey(written string, types ...byte) (VerifierKey, error) {
	wrong := func(what string) (VerifierKey, error) { return VerifierKey{}, refuse("vkey_malformed", "%s", what) }
	parts := strings.SplitN(written, "+", 3)
	if len(parts) != 3 {
		return wrong("a verifier key is <name>+<id>+<base64>")
	}
	decoded, ok := decodeBase64(parts[2])
	if !ok {
		return wrong("the verifier key is no base64")
	}
	if err := checkText(parts[0], origForm, 200); err != nil {
		return VerifierKey{}, err
	}
	keyBytes := 32
	if decoded[0] == MldsaKeyType {
		keyBytes = 1312
	}
	if !bytes.Contains(types, decoded[:1]) || len(decoded) != 1+keyBytes {
		return wrong("the key is of another type or length")
	}
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), decoded...))
	k := VerifierKey{parts[0], decoded[0], decoded[1:], [4]byte(sum[:4])}
	if parts[1] != hex.EncodeToString(k.id[:]) {
		return wrong("the id does not belong to the key")
	}
	if k.Type != MldsaKeyType && !GoodKey(Bytes32(k.Key)) {
		return VerifierKey{}, refuse("key_invalid", "it is no good key")
	}
	return k, nil
}

// decodeBase64 reads base64 in its one writing, of one byte at least.
func decodeBase64(written string) ([]byte, bool) {
	decoded, err := base64.StdEncoding.Strict().DecodeString(written)
	if err != nil || len(decoded) == 0 || base64.StdEncoding.EncodeToString(decoded) != written {
		return nil, false
	}
	return decoded, true
}

// decodeDecimal reads a decimal below 2^64 without leading zeros.
func decodeDecimal(digits string) (uint64, bool) {
	if digits == "" || len(digits) > 20 || len(digits) > 1 && digits[0] == '0' {
		return 0, false
	}
	var n uint64
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return 0, false
		}
		d := uint64(c - '0')
		if n > (1<<64-1-d)/10 {
			return 0, false
		}
		n = 10*n + d
	}
	return n, true
}

const (
	noteBytesMax     = 262_144
	noteSignatureMax = 64
)

type noteLine struct {
	name      string
	id        [4]byte
	signature []byte
}

// Checkpoint is what a note claims; which of its lines hold is told by Verify.
type Checkpoint struct {
	Origin string
	Size   uint64
	Root   Bytes32
	signed []byte
	lines  []noteLine
}

func readNote(data []byte) (string, []noteLine, error) {
	wrong := func(what string) (string, []noteLine, error) { return "", nil, refuse("note_malformed", "%s", what) }
	if len(data) > noteBytesMax {
		return wrong("the note is longer than 262144 bytes")
	}
	if !utf8.Valid(data) {
		return wrong("the note is not UTF-8")
	}
	note := string(data)
	parted := strings.LastIndex(note, "\n\n")
	if parted < 0 || note[len(note)-1] != '\n' {
		return wrong("the note is not text, an empty line and lines of signatures")
	}
	for _, c := range data {
		if c < 0x20 && c != '\n' {
			return wrong("the note has a control character")
		}
	}
	signatures := note[parted+2:]
	if signatures == "" {
		return wrong("the note has no line of signatures")
	}
	var lines []noteLine
	for _, line := range strings.Split(signatures[:len(signatures)-1], "\n") {
		parts := strings.Split(line, " ")
		if len(parts) != 3 || parts[0] != "\u2014" || !isLineName(parts[1]) {
			return wrong("a signature's line is not a dash, a name and base64")
		}
		decoded, ok := decodeBase64(parts[2])
		if !ok || len(decoded) < 5 {
			return wrong("a signature's line has no signature in base64")
		}
		lines = append(lines, noteLine{parts[1], [4]byte(decoded[:4]), decoded[4:]})
	}
	if len(lines) > noteSignatureMax {
		return wrong("the note has more than 64 lines of signatures")
	}
	return note[:parted+1], lines, nil
}

// ReadCheckpoint reads a checkpoint as the bytes that it is. Nothing is verified yet.
func ReadCheckpoint(data []byte) (*Checkpoint, error) {
	signed, lines, err := readNote(data)
	if err != nil {
		return nil, err
	}
	wrong := func(what string) (*Checkpoint, error) { return nil, refuse("checkpoint_malformed", "%s", what) }
	parts := strings.Split(signed, "\n")
	if len(parts) != 4 {
		return wrong("a checkpoint's text is not just three lines")
	}
	if err := checkText(parts[0], origForm, 200); err != nil {
		return nil, recoded(err, "checkpoint_malformed")
	}
	size, ok := decodeDecimal(parts[1])
	root, ok2 := decodeBase64(parts[2])
	if !ok || !ok2 || size == 0 || len(root) != 32 {
		return wrong("the size is no plain decimal or 0, or the root not 32 bytes in base64")
	}
	return &Checkpoint{parts[0], size, Bytes32(root), []byte(signed), lines}, nil
}

// checks are those of signatures: of Ed25519, and of ML-DSA-44, which may be nil.
type checks struct {
	ed25519 SignatureCheck
	mldsa   MldsaCheck
}

// readLines checks every line that names a key, and gives their times in seconds; those of a log's Ed25519 key are 0. Of
// ML-DSA-44 without a check for it the form of the lines alone is known: they are unread then.
func (c *Checkpoint) readLines(key VerifierKey, checks checks) (times []uint64, unread bool, err error) {
	stamp, width := 8, 64
	if key.Type == LogKeyType {
		stamp = 0
	} else if key.Type == MldsaKeyType {
		width = mldsaSignatureLen
	}
	var signatures [][]byte
	for _, line := range c.lines {
		if line.name != key.Name || line.id != key.id {
			continue
		}
		if len(line.signature) != stamp+width {
			return nil, false, falseLine(key)
		}
		seconds := uint64(0)
		if stamp > 0 {
			seconds = binary.BigEndian.Uint64(line.signature)
		}
		if seconds >= 1<<63 {
			return nil, false, falseLine(key)
		}
		times, signatures = append(times, seconds), append(signatures, line.signature[stamp:])
	}
	if key.Type == MldsaKeyType && checks.mldsa == nil {
		return times, len(times) > 0, nil
	}
	for i, signature := range signatures {
		if !c.lineHolds(key, times[i], signature, checks) {
			return nil, false, falseLine(key)
		}
	}
	return times, false, nil
}

func (c *Checkpoint) lineHolds(key VerifierKey, seconds uint64, signature []byte, checks checks) bool {
	message := c.signed
	switch key.Type {
	case MldsaKeyType:
		return checks.mldsa(key.Key, signature, c.mldsaMessage(key.Name, seconds))
	case WitnessKeyType:
		message = append(fmt.Appendf(nil, "cosignature/v1\ntime %d\n", seconds), c.signed...)
	}
	return checks.ed25519(Bytes32(key.Key), [64]byte(signature), message)
}

// mldsaMessage is what a line of ML-DSA-44 signs: names, time, and the tree from its first entry on (docs/format.md, 12.2).
func (c *Checkpoint) mldsaMessage(name string, seconds uint64) []byte {
	message := append([]byte("subtree/v1\n\x00"), byte(len(name)))
	message = binary.BigEndian.AppendUint64(append(message, name...), seconds)
	message = append(append(message, byte(len(c.Origin))), c.Origin...)
	message = binary.BigEndian.AppendUint64(message, 0)
	message = binary.BigEndian.AppendUint64(message, c.Size)
	return append(message, c.Root[:]...)
}

// linesOf is readLines where lines that can't be checked are an error.
func (c *Checkpoint) linesOf(key VerifierKey, checks checks) ([]uint64, error) {
	times, unread, err := c.readLines(key, checks)
	if err == nil && unread {
		err = mldsaMissing(fmt.Sprintf("the line by %s %x", key.Name, key.id))
	}
	return times, err
}

func falseLine(key VerifierKey) error {
	return &Error{"signature_invalid", "checkpoint", fmt.Sprintf("the line by %s %x does not hold", key.Name, key.id)}
}

// Verify checks the line of a log's key.
func (c *Checkpoint) Verify(key VerifierKey) error {
	return c.verifyBy(key, checks{ed25519: SignatureHolds})
}

func (c *Checkpoint) verifyBy(key VerifierKey, checks checks) error {
	if c.Origin != key.Name {
		return &Error{"other_log", "checkpoint", fmt.Sprintf("it is of %s, the key given is %s's", c.Origin, key.Name)}
	}
	times, err := c.linesOf(key, checks)
	if err == nil && len(times) == 0 {
		err = &Error{"unsigned", "checkpoint", "no line is by the log's key that was given"}
	}
	return err
}
