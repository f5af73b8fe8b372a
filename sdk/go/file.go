package arborlog

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// What was done to a file on its way (docs/format.md, 12.1).

var fileFaults = map[string]string{
	"file_utf16":    "it was saved as UTF-16",
	"file_bom":      "it begins with a byte order mark",
	"file_crlf":     "it has CRLF line ends",
	"file_not_utf8": "it is not UTF-8",
	"file_quoted":   "its lines begin with '>', as a mail program quotes text",
	"file_spaces":   "it has white space where none belongs",
	"file_wrapped":  "its long lines were broken into several, or its index line is missing",
	"file_cut":      "its end is missing",
	"file_trailing": "something follows its last signature line",
}

var straySpaces = []span{
	{0x09, 0x09}, {0x0b, 0x0c}, {0xa0, 0xa0}, {0x1680, 0x1680}, {0x2000, 0x200d}, {0x202f, 0x202f}, {0x205f, 0x2060},
	{0x3000, 0x3000}, {0xfeff, 0xfeff},
}

// fileFault is the first fault that applies to a file that could not be read, or nothing.
func fileFault(data []byte) string {
	begins := func(with ...byte) bool { return bytes.HasPrefix(data, with) }
	switch {
	case begins(0xff, 0xfe) || begins(0xfe, 0xff) || bytes.IndexByte(data[:min(2, len(data))], 0) >= 0:
		return "file_utf16"
	case begins(0xef, 0xbb, 0xbf):
		return "file_bom"
	case bytes.IndexByte(data, '\r') >= 0:
		return "file_crlf"
	case !utf8.Valid(data):
		return "file_not_utf8"
	case begins('>'):
		return "file_quoted"
	}
	whole := string(data)
	lines := strings.Split(whole, "\n")
	for _, line := range lines {
		if strings.HasPrefix(line, " ") || strings.HasSuffix(line, " ") || strings.Contains(line, "  ") {
			return "file_spaces"
		}
	}
	for _, r := range whole {
		if isIn(straySpaces, r) {
			return "file_spaces"
		}
	}
	last := -1
	for i, line := range lines {
		if strings.HasPrefix(line, "extra ") && i+1 < len(lines) && lines[i+1] != "" && !strings.HasPrefix(lines[i+1], "index ") {
			return "file_wrapped"
		}
		if strings.HasPrefix(line, "\u2014 ") {
			last = i
		}
	}
	switch {
	case !strings.HasSuffix(whole, "\n") || last < 0:
		return "file_cut"
	case last+2 < len(lines):
		return "file_trailing"
	}
	return ""
}

// nameFault puts what was done to the file, if that can be told, in the place of what could not be read for it.
func nameFault(data []byte, err error) error {
	if code := fileFault(data); code != "" {
		return &Error{code, "file", fileFaults[code] + "; get it again"}
	}
	return err
}
