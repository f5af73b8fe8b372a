package arborlog

import (
	"unicode/utf8"
)

type span struct{ first, last rune }

// refusedInText are the characters that no text has (docs/format.md, 2.2), tabs and line ends among them.
var refusedInText = []span{
	{0, 0x1f}, {0x7f, 0x9f}, {0xad, 0xad}, {0x34f, 0x34f}, {0x61c, 0x61c}, {0x115f, 0x1160}, {0x17b4, 0x17b5},
	{0x180b, 0x180f}, {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f}, {0x2800, 0x2800}, {0x3164, 0x3164},
	{0xfe00, 0xfe0f}, {0xfeff, 0xfeff}, {0xffa0, 0xffa0}, {0xfff0, 0xfffb}, {0x1bca0, 0x1bca3},
	{0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
}

// whiteSpace is Unicode's White_Space, which a name of a log or a witness does not have.
var whiteSpace = []span{
	{0x09, 0x0d}, {0x20, 0x20}, {0x85, 0x85}, {0xa0, 0xa0}, {0x1680, 0x1680}, {0x2000, 0x200a}, {0x2028, 0x2029},
	{0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000},
}

func isIn(spans []span, r rune) bool {
	for _, s := range spans {
		if s.first <= r && r <= s.last {
			return true
		}
	}
	return false
}

// The forms that a text may be asked to have.
const (
	anyText   = ""
	slugForm  = "slug"
	webForm   = "web"
	origForm  = "origin"
	landForm  = "country"
	policForm = "policy"
)

func isSlug(s string) bool {
	if len(s) < 1 || len(s) > 64 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c != '-' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// isLineName says whether a name may stand on a line of signatures: nothing else is asked of a stranger's.
func isLineName(s string) bool {
	for _, r := range s {
		if r == '+' || isIn(whiteSpace, r) {
			return false
		}
	}
	return s != ""
}

func hasPrefix(s, prefix string) bool { return len(s) >= len(prefix) && s[:len(prefix)] == prefix }

// checkText checks a text's length, characters and form.
func checkText(s, form string, bytesMax int) error {
	if len(s) > bytesMax {
		return refuse("not_canonical", "the text has %d bytes, at most %d are allowed", len(s), bytesMax)
	}
	if !utf8.ValidString(s) {
		return refuse("not_canonical", "the text is not well-formed UTF-8")
	}
	for i, r := range s {
		if isIn(refusedInText, r) && !(form == policForm && (r == '\t' || r == '\n')) {
			return refuse("not_canonical", "the text has the character U+%04X at byte %d, which is refused", r, i)
		}
	}
	ok, what := true, ""
	switch form {
	case slugForm:
		ok, what = isSlug(s), "1 to 64 of a-z, 0-9 and -, with no - at the beginning or end"
	case webForm:
		ok, what = s == "" || hasPrefix(s, "https://") || hasPrefix(s, "http://"), "empty, or begin with https:// or http://"
	case origForm:
		ok, what = isLineName(s), "1 to 200 bytes without white space and +"
	case landForm:
		ok = len(s) == 2 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z'
		what = "two of A-Z"
	case policForm:
		return checkPolicyText(s)
	}
	if !ok {
		return refuse("not_canonical", "%q: it must be %s", s, what)
	}
	return nil
}
