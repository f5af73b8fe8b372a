package arborlog

import (
	"errors"
	"fmt"
)

// Outcome is what a check comes to (docs/format.md, 13.2).
type Outcome int

const (
	// Holds: every step holds.
	Holds Outcome = 0
	// False: something signed contradicts what is shown.
	False Outcome = 1
	// WrongUse: what was asked makes no sense, such as a policy that is none.
	WrongUse Outcome = 2
	// Unchecked: what is needed is missing, which accuses nobody.
	Unchecked Outcome = 3
	// NotThatKind: the file is no receipt.
	NotThatKind Outcome = 4
)

func (o Outcome) String() string {
	switch o {
	case Holds:
		return "holds"
	case False:
		return "false"
	case WrongUse:
		return "wrong_use"
	case Unchecked:
		return "unchecked"
	case NotThatKind:
		return "not_that_kind"
	}
	return fmt.Sprintf("outcome %d", int(o))
}

// Error is something that is not as the format says: a code of docs/format.md, where it was found, and what is wrong.
type Error struct {
	Code  string
	Where string
	What  string
}

func (e *Error) Error() string {
	if e.Where == "" {
		return fmt.Sprintf("%s (%s)", e.What, e.Code)
	}
	return fmt.Sprintf("%s: %s (%s)", e.Where, e.What, e.Code)
}

// codesUnchecked says nothing against anybody: something is missing, or was changed on its way.
var codesUnchecked = map[string]bool{
	"too_long": true, "receipt_malformed": true, "note_malformed": true, "checkpoint_malformed": true,
	"other_log": true, "unsigned": true, "witness_missing": true, "quorum_missing": true, "proof_incomplete": true, "other_format": true,
	"mldsa_unsupported": true, "state_item_malformed": true, "state_file_unfit": true, "about_part": true,
	"rules_version_unsupported": true, "file_utf16": true, "file_bom": true, "file_crlf": true, "file_not_utf8": true,
	"file_quoted": true, "file_spaces": true, "file_wrapped": true, "file_cut": true, "file_trailing": true,
	// Of an outbox.
	"unanswered": true, "key_refused": true,
}

// codesWrongUse are about what was asked for, here or by the ledger's word.
var codesWrongUse = map[string]bool{
	"wrong_use": true, "policy_malformed": true, "vkey_malformed": true, "refused": true, "answer_malformed": true,
}

// Outcome is what the error's code means for a receipt, and of an outbox: only what is False accuses somebody.
func (e *Error) Outcome() Outcome {
	switch {
	case codesWrongUse[e.Code]:
		return WrongUse
	case e.Code == "not_a_receipt":
		return NotThatKind
	case codesUnchecked[e.Code]:
		return Unchecked
	}
	return False
}

// OutcomeOf is the outcome of a verification that ended with err.
func OutcomeOf(err error) Outcome {
	var e *Error
	switch {
	case err == nil:
		return Holds
	case errors.As(err, &e):
		return e.Outcome()
	}
	return Unchecked
}

func refuse(code, format string, args ...any) *Error {
	return &Error{Code: code, What: fmt.Sprintf(format, args...)}
}

// recoded gives an error another code: it was this that could not be read, whatever is wrong inside.
func recoded(err error, code string) error {
	var e *Error
	if err == nil || !errors.As(err, &e) {
		return err
	}
	return &Error{Code: code, Where: e.Where, What: e.What}
}

// at says where an error happened, unless that is said already.
func at(err error, where string) error {
	var e *Error
	if err == nil || !errors.As(err, &e) || e.Where != "" {
		return err
	}
	return &Error{Code: e.Code, Where: where, What: e.What}
}

// within puts the name of a field in front of where an error happened.
func within(err error, name string) error {
	var e *Error
	if err == nil || !errors.As(err, &e) {
		return err
	}
	where := name
	if e.Where != "" && e.Where[0] == '[' {
		where += e.Where
	} else if e.Where != "" {
		where += "." + e.Where
	}
	return &Error{Code: e.Code, Where: where, What: e.What}
}
