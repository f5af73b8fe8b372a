package arborlog

import (
	"encoding/binary"
	"reflect"
	"strconv"
	"strings"
	"sync"
)

// The codec (docs/format.md, section 2). One walk over the fields of a table writes it and one reads it, and both check each
// field by the same rules, so that what this package writes is what a ledger reads.

// rules are what a field's tag says.
type rules struct {
	name      string
	min, max  int // of a list's items, or max of a text's bytes
	text      int // of each text in a list
	form      string
	least     uint64
	most      uint64
	limit     int64
	ascending bool
	version   bool
}

type field struct {
	at int
	rules
}

var tables sync.Map // reflect.Type: []field

func fieldsOf(t reflect.Type) []field {
	if known, ok := tables.Load(t); ok {
		return known.([]field)
	}
	var fields []field
	for i := range t.NumField() {
		parts := strings.Split(t.Field(i).Tag.Get("arb"), ",")
		f := field{at: i, rules: rules{name: parts[0], most: 1<<64 - 1, max: 1<<63 - 1}}
		for _, part := range parts[1:] {
			key, value, _ := strings.Cut(part, "=")
			n, _ := strconv.ParseUint(value, 10, 64)
			switch key {
			case "min":
				f.min = int(n)
			case "max":
				f.max = int(n)
			case "text":
				f.text = int(n)
			case "form":
				f.form = value
			case "least":
				f.least = n
			case "most":
				f.most = n
			case "limit":
				f.limit = int64(n)
			case "ascending":
				f.ascending = true
			case "version":
				f.version = true
			}
		}
		fields = append(fields, f)
	}
	tables.Store(t, fields)
	return fields
}

// isVariant says whether a struct is one of several: all of its fields are pointers to structs.
func isVariant(t reflect.Type) bool {
	if t.NumField() < 2 {
		return false
	}
	for i := range t.NumField() {
		if f := t.Field(i).Type; f.Kind() != reflect.Pointer || f.Elem().Kind() != reflect.Struct {
			return false
		}
	}
	return true
}

type checked interface{ check() error }

func checkTogether(v reflect.Value) error {
	if v.CanAddr() {
		if c, ok := v.Addr().Interface().(checked); ok {
			return c.check()
		}
	}
	return nil
}

func (r *rules) checkNumber(n uint64) error {
	if n < r.least || n > r.most {
		return refuse("not_canonical", "%d is not within %d to %d", n, r.least, r.most)
	}
	if r.version && n != 1 {
		return refuse("other_format", "the ledger is of version %d of the format, this package reads 1", n)
	}
	return nil
}

func (r *rules) checkInt(n int64) error {
	if r.limit > 0 && (n < -r.limit || n > r.limit) {
		return refuse("not_canonical", "%d is beyond %d", n, r.limit)
	}
	return nil
}

func (r *rules) checkLength(n uint64) error {
	if n < uint64(r.min) || n > uint64(r.max) {
		return refuse("not_canonical", "a list of %d, it must have %d to %d", n, r.min, r.max)
	}
	return nil
}

func (r *rules) checkOrder(v reflect.Value) error {
	for i := 1; r.ascending && i < v.Len(); i++ {
		if v.Index(i-1).String() >= v.Index(i).String() {
			return refuse("not_canonical", "the list is not strictly ascending")
		}
	}
	return nil
}

// item is what the rules of a list say of each of its items.
func (r *rules) item() *rules {
	return &rules{most: 1<<64 - 1, max: r.text, form: r.form, name: r.name}
}

var dayType, wordType = reflect.TypeFor[Day](), reflect.TypeFor[word]()

func numberRules(v reflect.Value, r *rules) *rules {
	if v.Type() == dayType {
		return &rules{name: r.name, most: uint64(DayMax)}
	}
	return r
}

// ---- writing

func encodeValue(out []byte, v reflect.Value, r *rules) ([]byte, error) {
	switch v.Kind() {
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n := v.Uint()
		if w, ok := v.Interface().(word); ok {
			if n >= uint64(len(w.words())) {
				return nil, refuse("not_canonical", "no variant has the number %d", n)
			}
		} else if err := numberRules(v, r).checkNumber(n); err != nil {
			return nil, err
		}
		return appendUint(out, n, int(v.Type().Size())), nil
	case reflect.Int32:
		return binary.BigEndian.AppendUint32(out, uint32(v.Int())), r.checkInt(v.Int())
	case reflect.Array:
		for i := range v.Len() {
			out = append(out, byte(v.Index(i).Uint()))
		}
		return out, nil
	case reflect.String:
		out = binary.BigEndian.AppendUint64(out, uint64(v.Len()))
		return append(out, v.String()...), checkText(v.String(), r.form, r.max)
	case reflect.Pointer:
		if v.IsNil() {
			return append(out, 0), nil
		}
		return encodeValue(append(out, 1), v.Elem(), r)
	case reflect.Slice:
		if err := r.checkLength(uint64(v.Len())); err != nil {
			return nil, err
		}
		out = binary.BigEndian.AppendUint64(out, uint64(v.Len()))
		var err error
		for i := range v.Len() {
			if out, err = encodeValue(out, v.Index(i), r.item()); err != nil {
				return nil, within(err, "["+strconv.Itoa(i)+"]")
			}
		}
		return out, r.checkOrder(v)
	}
	if isVariant(v.Type()) {
		return encodeVariant(out, v)
	}
	return encodeTable(out, v)
}

func encodeTable(out []byte, v reflect.Value) ([]byte, error) {
	var err error
	fields := fieldsOf(v.Type())
	for i := range fields {
		if out, err = encodeValue(out, v.Field(fields[i].at), &fields[i].rules); err != nil {
			return nil, within(err, fields[i].name)
		}
	}
	return out, checkTogether(v)
}

func encodeVariant(out []byte, v reflect.Value) ([]byte, error) {
	number, err := variantSet(v)
	if err != nil {
		return nil, err
	}
	out = binary.BigEndian.AppendUint32(out, uint32(number))
	out, err = encodeTable(out, v.Field(number).Elem())
	return out, within(err, fieldsOf(v.Type())[number].name)
}

// variantSet is the number of the one field that is set.
func variantSet(v reflect.Value) (int, error) {
	number, set := 0, 0
	for i := range v.NumField() {
		if !v.Field(i).IsNil() {
			number, set = i, set+1
		}
	}
	if set != 1 {
		return 0, refuse("not_canonical", "%d of its variants are set, just one must be", set)
	}
	return number, nil
}

func appendUint(out []byte, n uint64, width int) []byte {
	for shift := 8 * (width - 1); shift >= 0; shift -= 8 {
		out = append(out, byte(n>>shift))
	}
	return out
}

// EncodeStatement gives a statement's bytes, its kind's number first. Each limit of the format is checked.
func EncodeStatement(s Statement) ([]byte, error) {
	number, _ := kindNumber(s.Kind())
	out, err := encodeTable(binary.BigEndian.AppendUint32(nil, number), reflect.ValueOf(s).Elem())
	if err != nil {
		return nil, within(err, s.Kind())
	}
	if len(out) > RecordBytesMax-recordHeadBytes {
		return nil, refuse("not_canonical", "the %s has %d bytes, a record has room for %d", s.Kind(), len(out), RecordBytesMax-recordHeadBytes)
	}
	return out, nil
}

// ---- reading

type reader struct {
	data []byte
	at   int
}

func (r *reader) left() int { return len(r.data) - r.at }

func (r *reader) take(n uint64) ([]byte, error) {
	if n > uint64(r.left()) {
		return nil, refuse("not_canonical", "the bytes end too early")
	}
	taken := r.data[r.at : r.at+int(n)]
	r.at += int(n)
	return taken, nil
}

func (r *reader) uint(width int) (uint64, error) {
	data, err := r.take(uint64(width))
	var n uint64
	for _, b := range data {
		n = n<<8 | uint64(b)
	}
	return n, err
}

func (r *reader) bytes32() (b Bytes32, err error) {
	data, err := r.take(32)
	copy(b[:], data)
	return b, err
}

// byteString reads a length and so many bytes.
func (r *reader) byteString(max uint64) ([]byte, error) {
	n, err := r.uint(8)
	if err == nil && n > max {
		err = refuse("not_canonical", "%d bytes, at most %d are allowed", n, max)
	}
	if err != nil {
		return nil, err
	}
	return r.take(n)
}

// count reads the length of a list whose items have itemBytes at least, so that no length sets memory aside that is not there.
func (r *reader) count(max uint64, itemBytes int) (int, error) {
	n, err := r.uint(8)
	if err != nil {
		return 0, err
	}
	if n > max {
		return 0, refuse("not_canonical", "a list of %d, at most %d are allowed", n, max)
	}
	if n > uint64(r.left()/itemBytes) {
		return 0, refuse("not_canonical", "the bytes end too early")
	}
	return int(n), nil
}

func (r *reader) hashes(max uint64) ([]Bytes32, error) {
	n, err := r.count(max, 32)
	if err != nil {
		return nil, err
	}
	hashes := make([]Bytes32, n)
	for i := range hashes {
		hashes[i], _ = r.bytes32()
	}
	return hashes, nil
}

func (r *reader) end() error {
	if r.left() != 0 {
		return refuse("not_canonical", "%d bytes are left over after the end", r.left())
	}
	return nil
}

func decodeValue(r *reader, v reflect.Value, rules *rules) error {
	switch v.Kind() {
	case reflect.Bool:
		n, err := r.uint(1)
		if err == nil && n > 1 {
			err = refuse("not_canonical", "%d is neither true nor false", n)
		}
		v.SetBool(n == 1)
		return err
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := r.uint(int(v.Type().Size()))
		if err != nil {
			return err
		}
		v.SetUint(n)
		if w, ok := v.Interface().(word); ok {
			if n >= uint64(len(w.words())) {
				return refuse("not_canonical", "no variant has the number %d", n)
			}
			return nil
		}
		return numberRules(v, rules).checkNumber(n)
	case reflect.Int32:
		n, err := r.uint(4)
		v.SetInt(int64(int32(n)))
		if err != nil {
			return err
		}
		return rules.checkInt(v.Int())
	case reflect.Int64:
		n, err := r.uint(8)
		v.SetInt(int64(n))
		return err
	case reflect.Array:
		data, err := r.take(uint64(v.Len()))
		reflect.Copy(v, reflect.ValueOf(data))
		return err
	case reflect.String:
		data, err := r.byteString(uint64(rules.max))
		if err != nil {
			return err
		}
		v.SetString(string(data))
		return checkText(v.String(), rules.form, rules.max)
	case reflect.Pointer:
		tag, err := r.uint(1)
		if err != nil || tag == 0 {
			return err
		}
		if tag != 1 {
			return refuse("not_canonical", "an option's tag is %d, neither 0 nor 1", tag)
		}
		v.Set(reflect.New(v.Type().Elem()))
		return decodeValue(r, v.Elem(), rules)
	case reflect.Slice:
		return decodeList(r, v, rules)
	}
	if isVariant(v.Type()) {
		return decodeVariant(r, v)
	}
	return decodeTable(r, v)
}

func decodeList(r *reader, v reflect.Value, rules *rules) error {
	n, err := r.uint(8)
	if err != nil {
		return err
	}
	if err := rules.checkLength(n); err != nil {
		return err
	}
	for i := range n {
		if r.left() == 0 {
			return refuse("not_canonical", "the bytes end too early")
		}
		item := reflect.New(v.Type().Elem()).Elem()
		if err := decodeValue(r, item, rules.item()); err != nil {
			return within(err, "["+strconv.FormatUint(i, 10)+"]")
		}
		v.Set(reflect.Append(v, item))
	}
	return rules.checkOrder(v)
}

func decodeTable(r *reader, v reflect.Value) error {
	fields := fieldsOf(v.Type())
	for i := range fields {
		if err := decodeValue(r, v.Field(fields[i].at), &fields[i].rules); err != nil {
			return within(err, fields[i].name)
		}
	}
	return checkTogether(v)
}

func decodeVariant(r *reader, v reflect.Value) error {
	number, err := r.uint(4)
	if err != nil {
		return err
	}
	if number >= uint64(v.NumField()) {
		return refuse("not_canonical", "no variant has the number %d", number)
	}
	chosen := v.Field(int(number))
	chosen.Set(reflect.New(chosen.Type().Elem()))
	return within(decodeTable(r, chosen.Elem()), fieldsOf(v.Type())[number].name)
}

// decodeInto reads a table, whose address is given, from all of the bytes.
func decodeInto(data []byte, tables ...any) error {
	r := &reader{data: data}
	for _, table := range tables {
		if err := decodeValue(r, reflect.ValueOf(table).Elem(), &rules{most: 1<<64 - 1, max: 1<<63 - 1}); err != nil {
			return err
		}
	}
	return r.end()
}

func decodeStatement(r *reader) (Statement, error) {
	number, err := r.uint(4)
	if err != nil {
		return nil, err
	}
	if number >= uint64(len(kinds)) {
		return nil, refuse("not_canonical", "no kind has the number %d", number)
	}
	s := kinds[number]()
	return s, within(decodeTable(r, reflect.ValueOf(s).Elem()), s.Kind())
}

// DecodeStatement reads a statement from its bytes, strictly.
func DecodeStatement(data []byte) (Statement, error) {
	r := &reader{data: data}
	s, err := decodeStatement(r)
	if err == nil {
		err = r.end()
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}
