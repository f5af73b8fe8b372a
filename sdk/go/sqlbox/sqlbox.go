// Package sqlbox keeps an outbox in three tables of an SQLite database, beside the platform's own, on database/sql: a statement
// is put there in the platform's own transaction. The driver is yours; the database must sync its writes (PRAGMA synchronous is
// FULL unless you changed it).
package sqlbox

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"

	arborlog "arborlog.org/go"
)

const schema = `
CREATE TABLE IF NOT EXISTS arborlog_statement (
	id INTEGER PRIMARY KEY AUTOINCREMENT, reference TEXT UNIQUE, statement BLOB NOT NULL,
	state TEXT NOT NULL DEFAULT 'waiting', entry INTEGER, code TEXT, detail TEXT, replaces INTEGER);
CREATE INDEX IF NOT EXISTS arborlog_waiting ON arborlog_statement (id) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS arborlog_replaces ON arborlog_statement (replaces) WHERE replaces IS NOT NULL;
CREATE TABLE IF NOT EXISTS arborlog_attempt (
	number INTEGER PRIMARY KEY AUTOINCREMENT, issuer BLOB NOT NULL, seq INTEGER NOT NULL, record_id BLOB NOT NULL,
	issued_on INTEGER NOT NULL, path TEXT NOT NULL, media_type TEXT NOT NULL, body BLOB NOT NULL, statements BLOB NOT NULL,
	replaced INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS arborlog_head (
	issuer BLOB PRIMARY KEY, seq INTEGER NOT NULL, prev BLOB NOT NULL, issued_on INTEGER NOT NULL, checkpoint TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS arborlog_lock (name TEXT PRIMARY KEY, taken INTEGER NOT NULL);
INSERT OR IGNORE INTO arborlog_lock VALUES ('outbox', 0);
`

// Box is an outbox's tables.
type Box struct{ db *sql.DB }

// Open makes the tables if they are not there.
func Open(ctx context.Context, db *sql.DB) (*Box, error) {
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, fmt.Errorf("the outbox's tables can't be made: %w", err)
	}
	return &Box{db}, nil
}

// Execer is an *sql.Tx, or an *sql.DB.
type Execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Put puts a statement into the outbox, in the platform's own transaction: it is sent if that commits. The reference is your name
// for it, and makes it one: what is put twice under a reference is there once, and another statement under it is refused, unless
// the ledger refused the first one. An award without a reference has its evidence for one, since that names its event, and so has one
// that Recover found in the log; any other statement has none then. It gives the statement's number.
func (b *Box) Put(ctx context.Context, tx Execer, reference string, statement arborlog.Statement) (int64, error) {
	data, err := arborlog.EncodeStatement(statement)
	if err != nil {
		return 0, err
	}
	byEvent := ""
	if award, ok := statement.(*arborlog.Award); ok {
		byEvent = eventName(award)
		reference = cmp.Or(reference, byEvent)
	}
	name, replaces := sql.NullString{String: reference, Valid: reference != ""}, sql.NullInt64{}
	if name.Valid {
		var id int64
		var known []byte
		var state, code string
		err := tx.QueryRowContext(ctx, "SELECT id, statement, state, coalesce(code, '') FROM arborlog_statement WHERE reference = ? OR reference = ? ORDER BY reference = ? DESC",
			reference, byEvent, reference).Scan(&id, &known, &state, &code)
		switch {
		case errors.Is(err, sql.ErrNoRows):
		case err != nil || string(known) == string(data):
			return id, err
		case state != "refused" || code == arborlog.CodeEventIsIn:
			return id, &arborlog.Error{Code: "wrong_use", Where: reference, What: "another statement was put under this reference"}
		default:
			// The corrected one takes the name. The refused one keeps its row, for its bytes may be on their way still.
			replaces = sql.NullInt64{Int64: id, Valid: true}
			if _, err := tx.ExecContext(ctx, "UPDATE arborlog_statement SET reference = NULL WHERE id = ?", id); err != nil {
				return 0, err
			}
		}
	}
	result, err := tx.ExecContext(ctx, "INSERT INTO arborlog_statement (reference, statement, replaces) VALUES (?, ?, ?)", name, data, replaces)
	if err != nil {
		return 0, err
	}
	return result.LastInsertId()
}

// eventName is what an award without a reference is known by.
func eventName(award *arborlog.Award) string { return "award/" + award.Evidence.String() }

// State is what became of a statement: waiting, in (with its entry's index) or refused (with code and detail).
type State struct {
	State, Code, Detail string
	Entry               uint64
}

// State looks a statement up.
func (b *Box) State(ctx context.Context, statement int64) (State, error) {
	var s State
	var entry sql.NullInt64
	var code, detail sql.NullString
	err := b.db.QueryRowContext(ctx, "SELECT state, entry, code, detail FROM arborlog_statement WHERE id = ?", statement).
		Scan(&s.State, &entry, &code, &detail)
	s.Entry, s.Code, s.Detail = uint64(entry.Int64), code.String, detail.String
	return s, err
}

// Requeue lets a refused statement wait again, when what it was refused for is mended. One that was corrected since, or whose event
// is in, stays refused.
func (b *Box) Requeue(ctx context.Context, statement int64) error {
	_, err := b.db.ExecContext(ctx, "UPDATE arborlog_statement SET state = 'waiting', code = NULL, detail = NULL WHERE id = ? AND state = 'refused' AND code != ? AND id NOT IN "+
		"(SELECT replaces FROM arborlog_statement WHERE replaces IS NOT NULL)", statement, arborlog.CodeEventIsIn)
	return err
}

// Do runs f in a transaction that begins with a write, so that no other one is beside it.
func (b *Box) Do(ctx context.Context, f func(arborlog.Tx) error) error {
	tx, err := b.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "UPDATE arborlog_lock SET taken = taken + 1"); err != nil {
		return err
	}
	if err := f(&boxTx{ctx, tx}); err != nil {
		return err
	}
	return tx.Commit()
}

type boxTx struct {
	ctx context.Context
	tx  *sql.Tx
}

func (t *boxTx) exec(query string, args ...any) error {
	_, err := t.tx.ExecContext(t.ctx, query, args...)
	return err
}

func (t *boxTx) Head(issuer arborlog.Bytes32) (*arborlog.Head, error) {
	var head arborlog.Head
	var prev []byte
	err := t.tx.QueryRowContext(t.ctx, "SELECT seq, prev, issued_on, checkpoint FROM arborlog_head WHERE issuer = ?", issuer[:]).
		Scan(&head.Seq, &prev, &head.IssuedOn, &head.Checkpoint)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	copy(head.Prev[:], prev)
	return &head, err
}

func (t *boxTx) SetHead(issuer arborlog.Bytes32, head arborlog.Head) error {
	return t.exec("INSERT OR REPLACE INTO arborlog_head VALUES (?, ?, ?, ?, ?)", issuer[:], head.Seq, head.Prev[:], int64(head.IssuedOn), head.Checkpoint)
}

func (t *boxTx) Waiting(most int) ([]arborlog.Queued, error) {
	return t.queued("SELECT id, statement FROM arborlog_statement WHERE state = 'waiting' ORDER BY id LIMIT ?", most)
}

func (t *boxTx) queued(query string, args ...any) ([]arborlog.Queued, error) {
	rows, err := t.tx.QueryContext(t.ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []arborlog.Queued
	for rows.Next() {
		var one arborlog.Queued
		if err := rows.Scan(&one.ID, &one.Bytes); err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return found, rows.Err()
}

func (t *boxTx) Attempts() ([]arborlog.Attempt, error) {
	rows, err := t.tx.QueryContext(t.ctx, "SELECT number, issuer, seq, record_id, issued_on, path, media_type, body, statements, replaced FROM arborlog_attempt ORDER BY number")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var attempts []arborlog.Attempt
	for rows.Next() {
		var a arborlog.Attempt
		var issuer, id, statements []byte
		if err := rows.Scan(&a.Number, &issuer, &a.Body.Seq, &id, &a.Body.IssuedOn, &a.Body.Path, &a.Body.MediaType, &a.Body.Body, &statements, &a.Replaced); err != nil {
			return nil, err
		}
		copy(a.Issuer[:], issuer)
		copy(a.Body.ID[:], id)
		for ; len(statements) >= 8; statements = statements[8:] {
			a.Statements = append(a.Statements, int64(binary.BigEndian.Uint64(statements)))
		}
		attempts = append(attempts, a)
	}
	return attempts, rows.Err()
}

func (t *boxTx) AddAttempt(a arborlog.Attempt) error {
	var statements []byte
	for _, id := range a.Statements {
		statements = binary.BigEndian.AppendUint64(statements, uint64(id))
	}
	return t.exec("INSERT INTO arborlog_attempt (issuer, seq, record_id, issued_on, path, media_type, body, statements) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		a.Issuer[:], a.Body.Seq, a.Body.ID[:], int64(a.Body.IssuedOn), a.Body.Path, a.Body.MediaType, a.Body.Body, statements)
}

func (t *boxTx) Replace(a arborlog.Attempt) error {
	return t.exec("UPDATE arborlog_attempt SET replaced = 1 WHERE number = ?", a.Number)
}

func (t *boxTx) DropAttempts() error { return t.exec("DELETE FROM arborlog_attempt") }

func (t *boxTx) MarkIn(statement int64, entry uint64) error {
	err := t.exec("UPDATE arborlog_statement SET state = 'in', entry = ?, code = NULL, detail = NULL WHERE id = ?", entry, statement)
	if err != nil {
		return err
	}
	return t.exec("UPDATE arborlog_statement SET state = 'refused', code = ?, detail = ? WHERE replaces = ? AND state = 'waiting'",
		arborlog.CodeEventIsIn, fmt.Sprintf("statement %d, which it corrects, came in late", statement), statement)
}

func (t *boxTx) Unsettled() ([]arborlog.Queued, error) {
	return t.queued("SELECT id, statement FROM arborlog_statement WHERE state != 'in' ORDER BY id")
}

func (t *boxTx) AddIn(statement []byte, entry uint64, standsFor int64) error {
	said, err := arborlog.DecodeStatement(statement)
	if err != nil {
		return err
	}
	var name sql.NullString
	if standsFor != 0 {
		if err := t.tx.QueryRowContext(t.ctx, "SELECT reference FROM arborlog_statement WHERE id = ?", standsFor).Scan(&name); err != nil {
			return err
		}
		if err := t.exec("UPDATE arborlog_statement SET reference = NULL WHERE id = ?", standsFor); err != nil {
			return err
		}
	}
	if award, ok := said.(*arborlog.Award); ok && !name.Valid {
		name = sql.NullString{String: eventName(award), Valid: true}
	}
	var taken bool
	if err := t.tx.QueryRowContext(t.ctx, "SELECT count(*) > 0 FROM arborlog_statement WHERE reference = ?", name).Scan(&taken); err != nil {
		return err
	}
	if taken {
		name = sql.NullString{}
	}
	return t.exec("INSERT INTO arborlog_statement (reference, statement, state, entry) VALUES (?, ?, 'in', ?)", name, statement, entry)
}

func (t *boxTx) MarkRefused(statement int64, code, detail string) error {
	return t.exec("UPDATE arborlog_statement SET state = 'refused', code = ?, detail = ? WHERE id = ?", code, detail, statement)
}
