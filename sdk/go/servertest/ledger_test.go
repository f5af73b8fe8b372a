// Package servertest tests the outbox against a real server: ARBORLOG is the path of the program.
package servertest

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	arborlog "arborlog.org/go"
	"arborlog.org/go/sqlbox"

	_ "modernc.org/sqlite"
)

// ledger is a server of its own, with a platform's key and a method.
type ledger struct {
	t       *testing.T
	dir     string
	address string
	url     string
	server  *exec.Cmd
	log     arborlog.VerifierKey
}

func program(t *testing.T) string {
	t.Helper()
	path := os.Getenv("ARBORLOG")
	if path == "" {
		t.Skip("ARBORLOG is not set: the path of the program")
	}
	return path
}

func (l *ledger) run(arguments ...string) string {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	command := exec.CommandContext(ctx, program(l.t), arguments...)
	command.Dir = l.dir
	var errors strings.Builder
	command.Stderr = &errors
	out, err := command.Output()
	if err != nil {
		l.t.Fatalf("arborlog %v: %v\n%s%s", arguments, err, out, errors.String())
	}
	return strings.TrimSpace(string(out))
}

func (l *ledger) start() {
	l.t.Helper()
	l.server = exec.Command(program(l.t), "serve", "ledger", "--listen", l.address, "--state-every-ms", "200")
	l.server.Dir = l.dir
	out, err := l.server.StdoutPipe()
	if err == nil {
		err = l.server.Start()
	}
	if err != nil {
		l.t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		l.t.Fatalf("the server said nothing: %v", err)
	}
	l.url = strings.TrimSpace(strings.TrimPrefix(line, "listening on "))
	l.address = strings.TrimPrefix(l.url, "http://")
}

func (l *ledger) kill() {
	_ = l.server.Process.Kill()
	_ = l.server.Wait()
}

// proposal signs a governors' proposal by the others, and sends it.
func (l *ledger) proposal(file string, keys ...string) {
	l.t.Helper()
	for _, key := range keys {
		l.run("endorse", file, "--key", key)
	}
	l.run("submit", file, "--to", l.url)
}

func (l *ledger) grant(name string) {
	l.t.Helper()
	public := l.run("keygen", name+".pem")
	l.run("grant", "--grantee", public, "--role", "platform", "--holder", "green-app", "--name", "Green App", "--key", "north.pem",
		"--out", name+".json", "--from", l.url)
	l.proposal(name+".json", "south.pem", name+".pem")
}

const method = `{"id": 1, "version": 1, "effective_from": "2026-01-01",
 "activities": [{"code": 1, "name": "metro ride", "unit": "ride", "factor": 52000000, "cap": 520}],
 "species": [{"code": 1, "name": "Haloxylon ammodendron", "price": 300}],
 "baseline": "an average car", "sources": "the programme's own table", "jurisdiction": "here",
 "document": "0000000000000000000000000000000000000000000000000000000000000000"}`

func newLedger(t *testing.T) *ledger {
	t.Helper()
	l := &ledger{t: t, dir: t.TempDir(), address: "127.0.0.1:0"}
	l.run("keygen", "north.pem")
	l.run("keygen", "south.pem")
	l.run("init", "ledger", "--origin", "example.org/ledger", "--programme", "Green rides", "--governor", "north.pem",
		"--governor", "south.pem", "--quorum", "2", "--json")
	vkey, err := os.ReadFile(filepath.Join(l.dir, "ledger", "log.vkey"))
	if err != nil {
		t.Fatal(err)
	}
	if l.log, err = arborlog.ParseLogKey(string(vkey)); err != nil {
		t.Fatal(err)
	}
	l.start()
	t.Cleanup(l.kill)
	l.grant("app")
	if err := os.WriteFile(filepath.Join(l.dir, "method-file.json"), []byte(method), 0o600); err != nil {
		t.Fatal(err)
	}
	l.run("method", "--file", "method-file.json", "--key", "north.pem", "--out", "method.json", "--from", l.url)
	l.proposal("method.json", "south.pem")
	return l
}

// platform is an outbox of its own.
type platform struct {
	*arborlog.Outbox
	t   *testing.T
	db  *sql.DB
	box *sqlbox.Box
}

func openBox(path string) (*sql.DB, *sqlbox.Box, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)&_pragma=synchronous(FULL)")
	if err != nil {
		return nil, nil, err
	}
	box, err := sqlbox.Open(context.Background(), db)
	return db, box, err
}

func (l *ledger) platform(name, key string) *platform {
	l.t.Helper()
	db, box, err := openBox(filepath.Join(l.dir, name+".db"))
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = db.Close() })
	signer, err := arborlog.ReadKey(filepath.Join(l.dir, key+".pem"))
	if err != nil {
		l.t.Fatal(err)
	}
	client := &arborlog.Client{Addresses: []string{l.url}, AttemptTimeout: 3 * time.Second, RetryFor: 20 * time.Second}
	return &platform{&arborlog.Outbox{Store: box, Client: client, Signer: signer, Log: l.log}, l.t, db, box}
}

func number32(n int) (b arborlog.Bytes32) {
	copy(b[:], fmt.Sprintf("%032d", n))
	return b
}

// award is a ride; event tells it from the others.
func award(account, event, quantity int) *arborlog.Award {
	points, _ := arborlog.Points(uint64(quantity), 52_000_000)
	return &arborlog.Award{Account: number32(account), Method: 1, Version: 1, Activity: 1, Quantity: uint64(quantity), Points: points,
		OccurredOn: arborlog.Date(2026, 3, 1), Evidence: number32(event)}
}

func (p *platform) put(statements ...arborlog.Statement) (ids []int64) {
	p.t.Helper()
	tx, err := p.db.Begin()
	if err != nil {
		p.t.Fatal(err)
	}
	for _, s := range statements {
		id, err := p.box.Put(context.Background(), tx, "", s)
		if err != nil {
			p.t.Fatal(err)
		}
		ids = append(ids, id)
	}
	if err := tx.Commit(); err != nil {
		p.t.Fatal(err)
	}
	return ids
}

func (p *platform) putAwards(first, count int) []int64 {
	p.t.Helper()
	var statements []arborlog.Statement
	for n := first; n < first+count; n++ {
		statements = append(statements, award(n%7, n, 2000))
	}
	return p.put(statements...)
}

func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 45*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func (p *platform) send() arborlog.Report {
	p.t.Helper()
	report, err := p.Send(bounded(p.t))
	if err != nil {
		p.t.Fatal(err)
	}
	return report
}

func (p *platform) state(id int64) sqlbox.State {
	p.t.Helper()
	s, err := p.box.State(context.Background(), id)
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

// checkOnce reads the whole log, and checks that each event is in it once, at the place that the outbox says.
func (p *platform) checkOnce(ids []int64) {
	p.t.Helper()
	ctx := bounded(p.t)
	checkpoint, _, err := p.Client.Checkpoint(ctx)
	if err != nil {
		p.t.Fatal(err)
	}
	seen, at := map[arborlog.Bytes32]int{}, map[uint64]bool{}
	for _, id := range ids {
		s := p.state(id)
		if s.State != "in" || at[s.Entry] {
			p.t.Fatalf("statement %d is %+v", id, s)
		}
		at[s.Entry] = true
	}
	for index := range checkpoint.Size {
		e, err := p.Client.Entry(ctx, index)
		if err != nil {
			p.t.Fatal(err)
		}
		if a, ok := e.Statement.(*arborlog.Award); ok {
			if seen[a.Evidence]++; seen[a.Evidence] > 1 || !at[index] {
				p.t.Fatalf("entry %d: the event %s is in %d times, and the outbox says so: %v", index, a.Evidence, seen[a.Evidence], at[index])
			}
		}
	}
	if len(seen) != len(ids) {
		p.t.Fatalf("%d events are in, %d were put", len(seen), len(ids))
	}
}

func (p *platform) verify(index uint64) *arborlog.Proven {
	p.t.Helper()
	file, err := p.Client.Receipt(bounded(p.t), index)
	if err != nil {
		p.t.Fatal(err)
	}
	proven, err := arborlog.VerifyReceipt(file, arborlog.Trust{Log: p.Log})
	if err != nil {
		p.t.Fatal(err)
	}
	return proven
}
