package arborlog

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// Items of the state in a file (docs/format.md, 13.4 and 16.5).

// Domains are the names of the state's domains, in the order of their numbers.
var Domains = [16]string{"once", "keys", "holders", "methods", "species", "accounts", "plots", "plantings", "trees", "surveys",
	"claims", "reversed", "losses", "voided", "months", "evidence"}

// keyWidths are the bytes of a key, where its path is no hash.
var keyWidths = map[string]int{"once": 1, "methods": 8, "species": 2, "plots": 4, "plantings": 8, "trees": 8, "surveys": 16,
	"claims": 8, "reversed": 8, "losses": 8, "voided": 8, "months": 4, "evidence": 32}

var digested = map[string]bool{"once": true, "keys": true, "methods": true, "plots": true, "plantings": true, "surveys": true,
	"losses": true}

const (
	itemsMax      = 64
	shownMax      = 512
	itemFieldsMax = 1 << 20
)

// Item is what a state entry says of one key of a domain, proven.
type Item struct {
	Domain string
	// Key is the key's bytes (13.4); KeyText is it as people write it.
	Key     []byte
	KeyText string
	// UpTo is, of a proof of neighbours, the key up to which nothing else is.
	UpTo []byte
	// Leaf is nil where nothing is at the key, and then so is Fields.
	Leaf *Leaf
	// Fields is what the item says: a pointer to one of the Item… types, by the domain.
	Fields any

	fieldBytes []byte
}

// The fields of items, by their domains (docs/format.md, 16.5).
type (
	ItemProgramme struct {
		Origin    string  `arb:"origin,max=200,form=origin"`
		Genesis   Bytes32 `arb:"genesis"`
		Programme string  `arb:"programme,max=500"`
	}
	ItemGovernors struct {
		Governors []Bytes32 `arb:"governors,min=1,max=16"`
		Quorum    uint8     `arb:"quorum"`
		StatedAt  uint64    `arb:"stated_at"`
	}
	NamedLogKey struct {
		Key     Bytes32 `arb:"key"`
		NamedAt uint64  `arb:"named_at"`
	}
	ItemLogKeys struct {
		LogKeys []NamedLogKey `arb:"log_keys,min=1,max=4294967296"`
	}
	ItemPolicy  struct{}
	GrantedTask struct {
		Role        Role   `arb:"role"`
		Holder      string `arb:"holder,max=64,form=slug"`
		Number      uint32 `arb:"number"`
		DisplayName string `arb:"display_name,max=100"`
	}
	Task struct {
		Governor *Nothing     `arb:"governor"`
		Log      *Nothing     `arb:"log"`
		Granted  *GrantedTask `arb:"granted"`
	}
	NewestRecord struct {
		Seq      uint64  `arb:"seq"`
		ID       Bytes32 `arb:"id"`
		Entry    uint64  `arb:"entry"`
		IssuedOn Day     `arb:"issued_on"`
	}
	ItemKey struct {
		Key              Bytes32       `arb:"key"`
		Task             Task          `arb:"task"`
		GivenAt          uint64        `arb:"given_at"`
		GivenBy          Bytes32       `arb:"given_by"`
		ExpiresOn        *Day          `arb:"expires_on"`
		RevokedAt        *uint64       `arb:"revoked_at"`
		CompromisedSince *Day          `arb:"compromised_since"`
		Last             uint64        `arb:"last"`
		Newest           *NewestRecord `arb:"newest"`
	}
	ItemHolder struct {
		Tag    uint8  `arb:"tag,most=0"`
		Number uint32 `arb:"number"`
		Duties uint8  `arb:"duties,least=1,most=7"`
	}
	ItemName struct {
		Tag    uint8  `arb:"tag,least=1,most=1"`
		Number uint32 `arb:"number"`
	}
	ItemMethod struct {
		Method   Method
		StatedAt struct {
			StatedAt uint64 `arb:"stated_at"`
		}
	}
	ItemSpecies struct {
		Name string `arb:"name,max=100"`
	}
	ItemAccount struct {
		Balance int64  `arb:"balance"`
		Last    uint64 `arb:"last"`
		Holder  uint32 `arb:"holder"`
	}
	PlotBooks struct {
		Holder     string  `arb:"holder,max=64,form=slug"`
		StatedAt   uint64  `arb:"stated_at"`
		Last       uint64  `arb:"last"`
		Planted    uint64  `arb:"planted"`
		Lost       uint64  `arb:"lost"`
		Assigned   uint64  `arb:"assigned"`
		NextSerial *uint32 `arb:"next_serial"`
	}
	ItemPlot struct {
		Plot  Plot
		Books PlotBooks
	}
	LostRange struct {
		First uint32 `arb:"first"`
		Last  uint32 `arb:"last"`
		Loss  uint64 `arb:"loss"`
	}
	ItemPlanting struct {
		Entry        uint64      `arb:"entry"`
		Species      uint16      `arb:"species"`
		First        uint32      `arb:"first"`
		Last         uint32      `arb:"last"`
		PlantedFrom  Day         `arb:"planted_from"`
		PlantedUntil Day         `arb:"planted_until"`
		Voided       bool        `arb:"voided"`
		Lost         uint32      `arb:"lost"`
		LostRanges   []LostRange `arb:"lost_ranges"`
		Assigned     uint32      `arb:"assigned"`
	}
	ItemTree struct {
		Claim      uint64 `arb:"claim"`
		Assignment uint64 `arb:"assignment"`
	}
	SurveyEntry struct {
		Entry uint64 `arb:"entry"`
	}
	SurveyHolder struct {
		Holder string `arb:"holder,max=64,form=slug"`
	}
	ItemSurvey struct {
		Entry  SurveyEntry
		Survey Survey
		Holder SurveyHolder
	}
	TreeOf struct {
		Plot   uint32 `arb:"plot"`
		Serial uint32 `arb:"serial"`
	}
	Standing struct {
		Waits  *Nothing `arb:"waits"`
		Tied   *TreeOf  `arb:"tied"`
		Voided *Nothing `arb:"voided"`
	}
	ItemClaim struct {
		Account  Bytes32  `arb:"account"`
		Species  uint16   `arb:"species"`
		Points   uint64   `arb:"points"`
		Standing Standing `arb:"standing"`
	}
	ItemReversed struct {
		Points uint64 `arb:"points"`
	}
	TakenTree struct {
		Serial     uint32 `arb:"serial"`
		Claim      uint64 `arb:"claim"`
		Assignment uint64 `arb:"assignment"`
	}
	ItemLoss struct {
		Entry    uint64      `arb:"entry"`
		Plot     uint32      `arb:"plot"`
		Planting uint32      `arb:"planting"`
		Count    uint32      `arb:"count"`
		BySerial bool        `arb:"by_serial"`
		Taken    []TakenTree `arb:"taken"`
	}
	ItemVoided struct {
		By uint64 `arb:"by"`
	}
	ItemMonth struct {
		Awarded uint64 `arb:"awarded"`
		Planted uint64 `arb:"planted"`
	}
	ItemEvidence struct {
		Entry uint64 `arb:"entry"`
	}
)

// emptyItem makes the fields of a domain's item, and the tables that are read into them.
func emptyItem(domain string, key []byte) (any, []any) {
	one := func(table any) (any, []any) { return table, []any{table} }
	switch domain {
	case "once":
		return one([]any{new(ItemProgramme), new(ItemGovernors), new(ItemLogKeys), new(ItemPolicy)}[key[0]])
	case "keys":
		return one(new(ItemKey))
	case "holders":
		if key[0] == 1 {
			return one(new(ItemName))
		}
		return one(new(ItemHolder))
	case "methods":
		item := new(ItemMethod)
		return item, []any{&item.Method, &item.StatedAt}
	case "species":
		return one(new(ItemSpecies))
	case "accounts":
		return one(new(ItemAccount))
	case "plots":
		item := new(ItemPlot)
		return item, []any{&item.Plot, &item.Books}
	case "plantings":
		return one(new(ItemPlanting))
	case "trees":
		return one(new(ItemTree))
	case "surveys":
		item := new(ItemSurvey)
		return item, []any{&item.Entry, &item.Survey, &item.Holder}
	case "claims":
		return one(new(ItemClaim))
	case "reversed":
		return one(new(ItemReversed))
	case "losses":
		return one(new(ItemLoss))
	case "voided":
		return one(new(ItemVoided))
	case "months":
		return one(new(ItemMonth))
	}
	return one(new(ItemEvidence))
}

// pathOf is the path of the item with a key; false if it is no key of the domain.
func pathOf(domain string, key []byte) (path Bytes32, ok bool) {
	switch domain {
	case "accounts":
		return sha256.Sum256(append([]byte("arborlog account"), key...)), len(key) == 64
	case "keys":
		return sha256.Sum256(key), len(key) == 32
	case "holders":
		if len(key) == 0 || key[0] > 1 {
			return path, false
		}
		form, bytesMax := slugForm, 64
		if key[0] == 1 {
			form, bytesMax = anyText, 100
		}
		return sha256.Sum256(key), checkText(string(key[1:]), form, bytesMax) == nil
	}
	copy(path[:], key)
	return path, len(key) == keyWidths[domain]
}

func isOne(is bool) uint64 {
	if is {
		return 1
	}
	return 0
}

// sumsOf are a leaf's a and b, by its fields.
func sumsOf(fields any) (a, b uint64) {
	switch f := fields.(type) {
	case *ItemKey:
		return isOne(f.RevokedAt == nil), isOne(f.RevokedAt != nil)
	case *ItemHolder:
		return 1, 0
	case *ItemName:
		return 0, 1
	case *ItemAccount:
		if f.Balance < 0 {
			return 0, -uint64(f.Balance)
		}
		return uint64(f.Balance), 0
	case *ItemPlot:
		return f.Books.Planted - f.Books.Lost, f.Books.Assigned
	case *ItemPlanting:
		if f.Voided {
			return 0, 0
		}
		return uint64(f.Last) - uint64(f.First) + 1 - uint64(f.Lost), uint64(f.Lost)
	case *ItemClaim:
		if f.Standing.Voided != nil {
			return 0, 0
		}
		return f.Points, isOne(f.Standing.Waits != nil)
	case *ItemReversed:
		return f.Points, 0
	case *ItemLoss:
		return uint64(f.Count), 0
	case *ItemMonth:
		return f.Awarded, f.Planted
	}
	return 0, 0
}

// fits says whether sums that are differences are none below 0.
func sumsFit(fields any) bool {
	switch f := fields.(type) {
	case *ItemPlot:
		return f.Books.Planted >= f.Books.Lost
	case *ItemPlanting:
		return f.First <= f.Last && (f.Voided || uint64(f.Last)-uint64(f.First)+1 >= uint64(f.Lost))
	}
	return true
}

// beganAt is the entry that a digested item began with; that of a policy is only in the leaf.
func beganAt(fields any, said uint64) uint64 {
	switch f := fields.(type) {
	case *ItemProgramme:
		return 0
	case *ItemGovernors:
		return f.StatedAt
	case *ItemLogKeys:
		return f.LogKeys[len(f.LogKeys)-1].NamedAt
	case *ItemKey:
		return f.GivenAt
	case *ItemMethod:
		return f.StatedAt.StatedAt
	case *ItemPlot:
		return f.Books.StatedAt
	case *ItemPlanting:
		return f.Entry
	case *ItemSurvey:
		return f.Entry.Entry
	case *ItemLoss:
		return f.Entry
	}
	return said
}

func be32(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
func be64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func concat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// isOfKey says whether fields can be of the item with a key.
func isOfKey(fields any, key []byte) bool {
	switch f := fields.(type) {
	case *ItemKey:
		return bytes.Equal(key, f.Key[:])
	case *ItemMethod:
		return bytes.Equal(key, concat(be32(f.Method.ID), be32(f.Method.Version)))
	case *ItemPlot:
		return bytes.Equal(key, be32(f.Plot.Number))
	case *ItemPlanting:
		return bytes.Equal(key[4:], be32(f.First)) && f.First <= f.Last && !(f.Voided && (f.Lost > 0 || len(f.LostRanges) > 0))
	case *ItemSurvey:
		return bytes.Equal(key, concat(be32(f.Survey.Plot), be32(uint32(f.Survey.SurveyedOn)), be64(f.Entry.Entry)))
	case *ItemLoss:
		return bytes.Equal(key, be64(f.Entry))
	case *ItemVoided:
		return bytes.Compare(key, be64(f.By)) < 0
	}
	return true
}

func (r *reader) rawItem() (item rawItem, err error) {
	if item.key, err = r.byteString(extraBytesMax); err != nil {
		return item, err
	}
	tag, err := r.uint(1)
	if err == nil && tag > 1 {
		err = refuse("receipt_malformed", "an option's tag is neither 0 nor 1")
	}
	if err != nil {
		return item, err
	}
	if item.hasFields = tag == 1; item.hasFields {
		if item.fields, err = r.byteString(extraBytesMax); err != nil {
			return item, err
		}
	}
	item.proof, err = r.byteString(extraBytesMax)
	return item, err
}

// open verifies an item against the state root: what is at its key, or that nothing is.
func (raw *rawItem) open(stateRoot Bytes32, genesis *Bytes32) (*Item, error) {
	proof, keys, paths, err := raw.readProof()
	if err != nil {
		return nil, recoded(err, "state_item_malformed")
	}
	item := &Item{Domain: Domains[proof.domain], Key: keys[0], fieldBytes: raw.fields}
	if len(keys) == 2 {
		item.UpTo = keys[1]
	}
	item.KeyText = keyText(item.Domain, item.Key)
	if item.Leaf, err = proof.verify(paths, stateRoot); err != nil {
		return nil, err
	}
	if item.Leaf == nil && raw.hasFields {
		return nil, differs("it has fields, and nothing is there")
	}
	if item.Leaf != nil {
		if err := item.readFields(raw); err != nil {
			return nil, recoded(err, "state_item_wrong")
		}
	}
	if item.Domain == "accounts" && genesis != nil && !bytes.Equal(item.Key[:32], genesis[:]) {
		return nil, refuse("genesis_other", "the account is of a ledger with another genesis than the one that was pinned")
	}
	return item, nil
}

// readProof reads an item's proof, and gives the item's key, or of neighbours both, with the paths.
func (raw *rawItem) readProof() (*stateProof, [][]byte, []Bytes32, error) {
	proof, err := readStateProof(raw.proof)
	if err != nil {
		return nil, nil, nil, err
	}
	domain, keys := Domains[proof.domain], [][]byte{raw.key}
	if proof.high != nil {
		width := keyWidths[domain]
		if width == 0 || len(raw.key) != 2*width {
			return nil, nil, nil, refuse("", "its key is not two keys of a domain that has an order")
		}
		keys = [][]byte{raw.key[:width], raw.key[width:]}
		if bytes.Compare(keys[0], keys[1]) >= 0 {
			return nil, nil, nil, refuse("", "its keys do not ascend")
		}
	}
	var paths []Bytes32
	for _, key := range keys {
		path, ok := pathOf(domain, key)
		if !ok {
			return nil, nil, nil, refuse("", "its key is none of its domain")
		}
		paths = append(paths, path)
	}
	return proof, keys, paths, nil
}

func (i *Item) readFields(raw *rawItem) error {
	wrong := differs("its fields are not those of the leaf, or of another item")
	data := i.Leaf.Value
	if raw.hasFields {
		data = raw.fields
	}
	if digested[i.Domain] != raw.hasFields || len(data) > itemFieldsMax || i.Domain == "once" && i.Key[0] > 3 {
		return wrong
	}
	fields, tables := emptyItem(i.Domain, i.Key)
	if err := decodeInto(data, tables...); err != nil {
		return err
	}
	if raw.hasFields {
		if len(i.Leaf.Value) != 40 {
			return wrong
		}
		sum := sha256.Sum256(data)
		began := beganAt(fields, binary.BigEndian.Uint64(i.Leaf.Value))
		if !bytes.Equal(i.Leaf.Value, concat(be64(began), sum[:])) {
			return wrong
		}
	}
	a, b := sumsOf(fields)
	if !sumsFit(fields) || a != i.Leaf.A || b != i.Leaf.B || !isOfKey(fields, i.Key) {
		return wrong
	}
	i.Fields = fields
	return nil
}

// keyText is a key as people write it.
func keyText(domain string, key []byte) string {
	number := func(data []byte) string {
		n := uint64(0)
		for _, b := range data {
			n = n<<8 | uint64(b)
		}
		return strconv.FormatUint(n, 10)
	}
	switch domain {
	case "holders":
		return string(key[1:])
	case "accounts", "keys", "evidence":
		return fmt.Sprintf("%x", key[len(key)-32:])
	case "methods", "plantings", "trees", "surveys":
		parts := []string{number(key[:4]), number(key[4:8])}
		if len(key) > 8 {
			parts = append(parts, number(key[8:]))
		}
		return strings.Join(parts, "/")
	}
	return number(key)
}
