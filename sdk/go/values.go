package arborlog

import (
	"encoding/hex"
	"fmt"
	"time"
)

// Bytes32 is a key, an account, a digest or an id.
type Bytes32 [32]byte

// Hex32 reads 64 hexadecimal digits.
func Hex32(digits string) (Bytes32, error) {
	var b Bytes32
	if len(digits) != 64 {
		return b, refuse("not_canonical", "%q has %d hexadecimal digits, 64 are needed", digits, len(digits))
	}
	if _, err := hex.Decode(b[:], []byte(digits)); err != nil {
		return b, refuse("not_canonical", "%q are no hexadecimal digits", digits)
	}
	return b, nil
}

func (b Bytes32) String() string { return hex.EncodeToString(b[:]) }

// MldsaKey is a key of ML-DSA-44.
type MldsaKey [1312]byte

// Day counts the days since 1970-01-01, UTC.
type Day uint32

// DayMax is 9999-12-31.
const DayMax Day = 2_932_896

// DayOf is the day of a moment, in UTC.
func DayOf(t time.Time) Day { return Day(t.UTC().Unix() / 86_400) }

// Date is a day of the calendar.
func Date(year int, month time.Month, day int) Day {
	return DayOf(time.Date(year, month, day, 0, 0, 0, 0, time.UTC))
}

// ParseDay reads YYYY-MM-DD.
func ParseDay(written string) (Day, error) {
	t, err := time.Parse("2006-01-02", written)
	if err != nil || t.Unix() < 0 || t.Format("2006-01-02") != written {
		return 0, refuse("not_canonical", "%q is no day from 1970-01-01 to 9999-12-31", written)
	}
	return DayOf(t), nil
}

func (d Day) String() string {
	t := time.Unix(int64(d)*86_400, 0).UTC()
	return fmt.Sprintf("%04d-%02d-%02d", t.Year(), t.Month(), t.Day())
}

// word is one of several variants that have no fields: a number, and a name in JSON.
type word interface{ words() []string }

func wordOf(words []string, n uint32) string {
	if int(n) < len(words) {
		return words[n]
	}
	return fmt.Sprintf("number %d", n)
}

// Role is what a key may say.
type Role uint32

const (
	Platform Role = iota
	Planter
	Surveyor
	Auditor
)

func (Role) words() []string  { return []string{"platform", "planter", "surveyor", "auditor"} }
func (r Role) String() string { return wordOf(r.words(), uint32(r)) }
func (Reason) words() []string {
	return []string{"gift", "collected", "pooled", "expired", "spent_elsewhere"}
}
func (r Reason) String() string  { return wordOf(r.words(), uint32(r)) }
func (Basis) words() []string    { return []string{"census", "random_sample", "remote_sensing"} }
func (b Basis) String() string   { return wordOf(b.words(), uint32(b)) }
func (Level) words() []string    { return []string{"limited", "reasonable"} }
func (l Level) String() string   { return wordOf(l.words(), uint32(l)) }
func (Opinion) words() []string  { return []string{"unmodified", "qualified", "adverse", "disclaimed"} }
func (o Opinion) String() string { return wordOf(o.words(), uint32(o)) }

// Reason is why points leave an account.
type Reason uint32

const (
	Gift Reason = iota
	Collected
	Pooled
	Expired
	SpentElsewhere
)

// Basis is how a survey looked at trees.
type Basis uint32

const (
	Census Basis = iota
	RandomSample
	RemoteSensing
)

// Level is how sure an auditor is.
type Level uint32

const (
	Limited Level = iota
	Reasonable
)

// Opinion is an auditor's.
type Opinion uint32

const (
	Unmodified Opinion = iota
	Qualified
	Adverse
	Disclaimed
)
