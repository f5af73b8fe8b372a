package arborlog

import (
	"bytes"
	"strings"
)

// What a file must be about, as docs/format.md, 13.6, writes it: certificate/33258, account-history/ID, tree/1/7, totals.

// keyForm is how the key of a domain is written: numbers of these widths, or 64 hexadecimal digits, or a slug.
type keyForm struct {
	widths []int
	hash   bool
}

var keyForms = map[string]keyForm{
	"once": {widths: []int{1}}, "keys": {hash: true}, "holders": {}, "methods": {widths: []int{4, 4}}, "species": {widths: []int{2}},
	"accounts": {hash: true}, "plots": {widths: []int{4}}, "plantings": {widths: []int{4, 4}}, "trees": {widths: []int{4, 4}},
	"surveys": {widths: []int{4, 4, 8}}, "claims": {widths: []int{8}}, "reversed": {widths: []int{8}}, "losses": {widths: []int{8}},
	"voided": {widths: []int{8}}, "months": {widths: []int{4}}, "evidence": {hash: true},
}

var (
	oneOf = map[string]string{"account": "accounts", "key": "keys", "holder": "holders", "method": "methods", "plot": "plots",
		"planting": "plantings", "tree": "trees", "survey": "surveys", "claim": "claims", "loss": "losses", "month": "months"}
	fileForms = map[string]string{"receipt": "claims", "certificate": "claims", "entry": "claims", "account-history": "accounts",
		"plot-history": "plots"}
	fileAbout = map[string]string{"certificate": "certificate", "entry": "corrections", "account-history": "account_history",
		"plot-history": "plot_history"}
)

func (f keyForm) read(written string) ([]byte, bool) {
	if f.hash {
		key, err := Hex32(written)
		return key[:], err == nil && key.String() == written
	}
	if f.widths == nil {
		return append([]byte{0}, written...), isSlug(written)
	}
	parts := strings.Split(written, "/")
	if len(parts) != len(f.widths) {
		return nil, false
	}
	var key []byte
	for i, part := range parts {
		n, ok := decodeDecimal(part)
		if !ok || f.widths[i] < 8 && n>>(8*f.widths[i]) != 0 {
			return nil, false
		}
		key = appendUint(key, n, f.widths[i])
	}
	return key, true
}

// CheckAbout checks that what was proven answers a question. It gives an error with the code about_other (false) where it does
// not, about_part (unchecked) where the file has a part of the history that was asked for, and wrong_use for no question.
func (p *Proven) CheckAbout(question string) error {
	name, written, parted := strings.Cut(question, "/")
	noQuestion := &Error{"wrong_use", "question", question + " is no question of docs/format.md, 13.6"}
	other := &Error{"about_other", "file", "the file is true, and does not answer what was asked: " + question}
	if name == "totals" {
		if parted {
			return noQuestion
		}
		if p.Entry.State == nil {
			return other
		}
		return nil
	}
	form, isFile := fileForms[name]
	if !isFile {
		if plural, ok := oneOf[name]; ok {
			name = plural
		}
		form = name
	}
	begin, fromBegin, latest := "", false, false
	if name == "account-history" || name == "plot-history" {
		written, begin, fromBegin = strings.Cut(written, "/from/")
	}
	how, known := keyForms[form]
	if plot, ok := strings.CutSuffix(written, "/latest"); ok && name == "surveys" {
		written, how, latest = plot, keyForms["plots"], true
	}
	key, ok := how.read(written)
	beginIndex, plain := decodeDecimal(begin)
	if !known || !ok || fromBegin && !plain {
		return noQuestion
	}
	switch {
	case name == "receipt":
		if !bytes.Equal(key, be64(p.Index)) {
			return other
		}
		return nil
	case isFile:
		return p.checkFileAbout(name, written, fromBegin, beginIndex, other)
	case p.Entry.State != nil && p.hasItem(name, key, latest):
		return nil
	}
	return other
}

func (p *Proven) checkFileAbout(name, of string, fromBegin bool, begin uint64, other error) error {
	if p.File == nil || p.File.About != fileAbout[name] || p.File.Of != of || fromBegin && p.File.Begin != begin {
		return other
	}
	isHistory := name == "account-history" || name == "plot-history"
	if isHistory && !fromBegin && !p.File.Complete {
		return &Error{"about_part", "file", "the file is true, and a part of the history: missing are " + p.File.Missing}
	}
	return nil
}

func (p *Proven) hasItem(domain string, key []byte, latest bool) bool {
	for i := range p.Items {
		item := &p.Items[i]
		if item.Domain != domain {
			continue
		}
		if latest {
			all := concat(key, bytes.Repeat([]byte{0xff}, 12))
			if bytes.Equal(item.Key[:4], key) && bytes.Equal(item.UpTo, all) && (item.Leaf != nil || bytes.Equal(item.Key[4:], make([]byte, 12))) {
				return true
			}
			continue
		}
		have := item.Key
		if domain == "accounts" {
			have = have[32:]
		}
		if item.UpTo == nil && bytes.Equal(have, key) {
			return true
		}
	}
	return false
}
