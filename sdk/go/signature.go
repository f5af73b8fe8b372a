package arborlog

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"sync"
)

// SignatureCheck says whether a signature over a message holds by all of docs/format.md, section 4: strictly, and for good keys
// alone. SignatureHolds is one on the standard library's Ed25519.
type SignatureCheck func(key Bytes32, signature [64]byte, message []byte) bool

// MldsaCheck says whether a signature of ML-DSA-44 (FIPS 204, pure, with an empty context) over a message holds: a key has 1,312
// bytes, a signature 2,420. The module arborlog.org/go/mldsa has one.
type MldsaCheck func(key, signature, message []byte) bool

// smallOrder are the encodings of the eight points of small order, none of which is an R (section 4).
var smallOrder = func() map[Bytes32]bool {
	list := map[Bytes32]bool{}
	add := func(first byte, rest byte, ends ...byte) {
		b := Bytes32(bytes.Repeat([]byte{rest}, 32))
		b[0] = first
		for _, end := range ends {
			b[31] = end
			list[b] = true
		}
	}
	add(0x01, 0x00, 0x00, 0x80)
	add(0xec, 0xff, 0x7f, 0xff)
	add(0x00, 0x00, 0x00, 0x80)
	add(0xee, 0xff, 0x7f, 0xff)
	add(0xed, 0xff, 0x7f, 0xff)
	for _, digits := range []string{
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	} {
		b, _ := Hex32(digits)
		list[b] = true
		b[31] |= 0x80
		list[b] = true
	}
	return list
}()

// SignatureHolds checks a signature. The standard library does steps 2 and 4 of section 4 (s below L; sB - kA is encoded and
// compared with R), the key and the list are checked here.
func SignatureHolds(key Bytes32, signature [64]byte, message []byte) bool {
	return GoodKey(key) && !smallOrder[Bytes32(signature[:32])] && ed25519.Verify(key[:], message, signature[:])
}

var (
	goodKeys   = map[Bytes32]bool{}
	goodKeysMu sync.Mutex
)

// goodKeysMax bounds what is remembered of keys: a check of one takes a millisecond.
const goodKeysMax = 4_096

// GoodKey says whether a key is one of section 4: a canonical encoding of a point that is not of small order and has no torsion.
func GoodKey(key Bytes32) bool {
	goodKeysMu.Lock()
	good, known := goodKeys[key]
	goodKeysMu.Unlock()
	if known {
		return good
	}
	good = isGoodKey(key)
	goodKeysMu.Lock()
	defer goodKeysMu.Unlock()
	if len(goodKeys) >= goodKeysMax {
		clear(goodKeys)
	}
	goodKeys[key] = good
	return good
}

var (
	fieldP, _ = new(big.Int).SetString("57896044618658097711785492504343953926634992332820282019728792003956564819949", 10)
	orderL, _ = new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	curveD, _ = new(big.Int).SetString("37095705934669439343138083508754565189542113879843219016388785533085940283555", 10)
	one       = big.NewInt(1)
)

type curvePoint struct{ x, y, z, t *big.Int }

func isGoodKey(key Bytes32) bool {
	point, ok := decodePoint(key)
	if !ok || isIdentity(point) {
		return false
	}
	result := curvePoint{new(big.Int), big.NewInt(1), big.NewInt(1), new(big.Int)}
	for i := orderL.BitLen() - 1; i >= 0; i-- {
		result = addPoints(result, result)
		if orderL.Bit(i) == 1 {
			result = addPoints(result, point)
		}
	}
	return isIdentity(result)
}

func isIdentity(p curvePoint) bool { return p.x.Sign() == 0 && p.y.Cmp(p.z) == 0 }

func mulP(a, b *big.Int) *big.Int {
	c := new(big.Int).Mul(a, b)
	return c.Mod(c, fieldP)
}

// decodePoint reads a canonical encoding (RFC 8032, 5.1.3).
func decodePoint(encoded Bytes32) (curvePoint, bool) {
	var reversed [32]byte
	for i, b := range encoded {
		reversed[31-i] = b
	}
	sign := uint(encoded[31] >> 7)
	reversed[0] &= 0x7f
	y := new(big.Int).SetBytes(reversed[:])
	if y.Cmp(fieldP) >= 0 {
		return curvePoint{}, false
	}
	y2 := mulP(y, y)
	numerator := new(big.Int).Sub(y2, one)
	divisor := new(big.Int).Add(mulP(curveD, y2), one)
	x := new(big.Int).ModSqrt(mulP(new(big.Int).Mod(numerator, fieldP), new(big.Int).ModInverse(divisor, fieldP)), fieldP)
	if x == nil || x.Sign() == 0 && sign == 1 {
		return curvePoint{}, false
	}
	if x.Bit(0) != sign {
		x.Sub(fieldP, x)
	}
	return curvePoint{x, y, big.NewInt(1), mulP(x, y)}, true
}

// addPoints adds by RFC 8032, 5.1.4, which is complete and so doubles too.
func addPoints(p, q curvePoint) curvePoint {
	sub := func(a, b *big.Int) *big.Int { return new(big.Int).Sub(a, b) }
	add := func(a, b *big.Int) *big.Int { return new(big.Int).Add(a, b) }
	a, b := mulP(sub(p.y, p.x), sub(q.y, q.x)), mulP(add(p.y, p.x), add(q.y, q.x))
	c, d := mulP(mulP(p.t, q.t), add(curveD, curveD)), mulP(p.z, add(q.z, q.z))
	e, f, g, h := sub(b, a), sub(d, c), add(d, c), add(b, a)
	return curvePoint{mulP(e, f), mulP(g, h), mulP(f, g), mulP(e, h)}
}

// KeySigner signs with a private key in memory, such as a file's.
type KeySigner struct{ key ed25519.PrivateKey }

// NewKeySigner takes a private key.
func NewKeySigner(key ed25519.PrivateKey) *KeySigner { return &KeySigner{key} }

// ReadKey reads a key file of arborlog keygen or openssl: PKCS#8 in PEM.
func ReadKey(path string) (*KeySigner, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, &Error{"wrong_use", path, "it is no PEM file with a private key"}
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, &Error{"wrong_use", path, "it holds no Ed25519 key in PKCS#8"}
	}
	return NewKeySigner(key), nil
}

// PublicKey is the key's public half.
func (k *KeySigner) PublicKey() Bytes32 { return Bytes32(k.key.Public().(ed25519.PublicKey)) }

// Sign signs a message.
func (k *KeySigner) Sign(message []byte) ([64]byte, error) {
	signature, err := k.key.Sign(rand.Reader, message, crypto.Hash(0))
	if err != nil {
		return [64]byte{}, err
	}
	return [64]byte(signature), nil
}
