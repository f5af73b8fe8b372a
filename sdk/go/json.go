package arborlog

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
)

// StatementFromJSON reads a statement as docs/statements.md writes it: an object with its kind and its fields. Unknown names
// are refused. What is signed is its bytes, never this.
func StatementFromJSON(data []byte) (Statement, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var read any
	if err := decoder.Decode(&read); err != nil {
		return nil, refuse("not_canonical", "the statement is no JSON: %v", err)
	}
	object, ok := read.(map[string]any)
	if !ok || decoder.More() {
		return nil, refuse("not_canonical", "a statement is one JSON object")
	}
	kind, _ := object["kind"].(string)
	number, ok := kindNumber(kind)
	if !ok {
		return nil, &Error{"not_canonical", "kind", "no statement is of the kind " + strconv.Quote(kind)}
	}
	delete(object, "kind")
	s := kinds[number]()
	if err := tableFromJSON(object, reflect.ValueOf(s).Elem()); err != nil {
		return nil, within(err, kind)
	}
	if _, err := EncodeStatement(s); err != nil {
		return nil, err
	}
	return s, nil
}

func tableFromJSON(object map[string]any, v reflect.Value) error {
	fields := fieldsOf(v.Type())
	for name := range object {
		known := false
		for i := range fields {
			known = known || fields[i].name == name
		}
		if !known {
			return &Error{"not_canonical", name, "no field has this name"}
		}
	}
	for i := range fields {
		value, there := object[fields[i].name]
		if !there && v.Field(fields[i].at).Kind() != reflect.Pointer {
			return &Error{"not_canonical", fields[i].name, "the field is missing"}
		}
		if err := valueFromJSON(value, v.Field(fields[i].at)); err != nil {
			return within(err, fields[i].name)
		}
	}
	return nil
}

func valueFromJSON(value any, v reflect.Value) error {
	wrong := func(what string) error { return refuse("not_canonical", "it must be %s", what) }
	switch v.Kind() {
	case reflect.Pointer:
		if value == nil {
			return nil
		}
		v.Set(reflect.New(v.Type().Elem()))
		return valueFromJSON(value, v.Elem())
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return numberFromJSON(value, v)
	case reflect.Int32:
		number, _ := value.(json.Number)
		n, err := strconv.ParseInt(number.String(), 10, 32)
		if err != nil {
			return wrong("a whole number of 32 bits")
		}
		v.SetInt(n)
	case reflect.Array:
		text, _ := value.(string)
		data, err := hex.DecodeString(text)
		if err != nil || len(data) != v.Len() {
			return wrong(strconv.Itoa(2*v.Len()) + " hexadecimal digits")
		}
		reflect.Copy(v, reflect.ValueOf(data))
	case reflect.String:
		text, ok := value.(string)
		if !ok {
			return wrong("a text")
		}
		v.SetString(text)
	case reflect.Slice:
		list, ok := value.([]any)
		if !ok {
			return wrong("an array")
		}
		v.Set(reflect.MakeSlice(v.Type(), len(list), len(list)))
		for i := range list {
			if err := valueFromJSON(list[i], v.Index(i)); err != nil {
				return within(err, "["+strconv.Itoa(i)+"]")
			}
		}
	case reflect.Struct:
		if isVariant(v.Type()) {
			return variantFromJSON(value, v)
		}
		object, ok := value.(map[string]any)
		if !ok {
			return wrong("an object")
		}
		return tableFromJSON(object, v)
	}
	return nil
}

func numberFromJSON(value any, v reflect.Value) error {
	if v.Type() == dayType {
		text, _ := value.(string)
		day, err := ParseDay(text)
		v.SetUint(uint64(day))
		return err
	}
	if w, ok := v.Interface().(word); ok {
		text, _ := value.(string)
		for n, name := range w.words() {
			if name == text {
				v.SetUint(uint64(n))
				return nil
			}
		}
		return refuse("not_canonical", "%q is none of %s", text, strings.Join(w.words(), ", "))
	}
	number, _ := value.(json.Number)
	n, err := strconv.ParseUint(number.String(), 10, v.Type().Bits())
	if err != nil {
		return refuse("not_canonical", "it must be a whole number of %d bits", v.Type().Bits())
	}
	v.SetUint(n)
	return nil
}

func variantFromJSON(value any, v reflect.Value) error {
	name, fields := "", map[string]any{}
	switch value := value.(type) {
	case string:
		name = value
	case map[string]any:
		for key, inner := range value {
			name = key
			fields, _ = inner.(map[string]any)
		}
		if len(value) != 1 || fields == nil {
			return refuse("not_canonical", "a variant is a name, or an object with one name")
		}
	}
	for i, f := range fieldsOf(v.Type()) {
		if f.name != name {
			continue
		}
		chosen := reflect.New(v.Field(i).Type().Elem())
		if _, isName := value.(string); isName != (chosen.Elem().NumField() == 0) {
			break
		}
		v.Field(i).Set(chosen)
		return within(tableFromJSON(fields, chosen.Elem()), name)
	}
	return refuse("not_canonical", "%q is no variant, or not written as it is", name)
}

// StatementJSON writes a statement as docs/statements.md does.
func StatementJSON(s Statement) ([]byte, error) {
	out := append([]byte(`{"kind":`), strconv.Quote(s.Kind())...)
	return tableJSON(out, reflect.ValueOf(s).Elem(), ",")
}

func tableJSON(out []byte, v reflect.Value, before string) ([]byte, error) {
	var err error
	for _, f := range fieldsOf(v.Type()) {
		out = append(append(out, before...), strconv.Quote(f.name)+":"...)
		if out, err = valueJSON(out, v.Field(f.at)); err != nil {
			return nil, err
		}
		before = ","
	}
	return append(out, '}'), nil
}

func valueJSON(out []byte, v reflect.Value) ([]byte, error) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return append(out, "null"...), nil
		}
		return valueJSON(out, v.Elem())
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		_, isWord := v.Interface().(word)
		if v.Type() == dayType || isWord {
			return append(out, strconv.Quote(v.Interface().(interface{ String() string }).String())...), nil
		}
		return strconv.AppendUint(out, v.Uint(), 10), nil
	case reflect.Int32:
		return strconv.AppendInt(out, v.Int(), 10), nil
	case reflect.Array:
		data, _ := encodeValue(nil, v, &rules{})
		return append(out, strconv.Quote(hex.EncodeToString(data))...), nil
	case reflect.Slice:
		out = append(out, '[')
		var err error
		for i := range v.Len() {
			if i > 0 {
				out = append(out, ',')
			}
			if out, err = valueJSON(out, v.Index(i)); err != nil {
				return nil, err
			}
		}
		return append(out, ']'), nil
	case reflect.Struct:
		if isVariant(v.Type()) {
			number, err := variantSet(v)
			if err != nil {
				return nil, err
			}
			name := strconv.Quote(fieldsOf(v.Type())[number].name)
			if v.Field(number).Elem().NumField() == 0 {
				return append(out, name...), nil
			}
			out, err = tableJSON(append(out, "{"+name+":"...), v.Field(number).Elem(), "{")
			return append(out, '}'), err
		}
		return tableJSON(out, v, "{")
	}
	text, err := json.Marshal(v.Interface())
	return append(out, text...), err
}
