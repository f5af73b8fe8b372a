package servertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	arborlog "arborlog.org/go"
)

func (p *platform) recover(taken, added int) {
	p.t.Helper()
	recovered, err := p.Recover(bounded(p.t))
	if err != nil || recovered != (arborlog.Recovered{Taken: taken, Added: added}) {
		p.t.Fatalf("%+v %v, it must be %d and %d", recovered, err, taken, added)
	}
}

func (p *platform) sendFails(code string) {
	p.t.Helper()
	if _, err := p.Send(bounded(p.t)); codeOf(err) != code {
		p.t.Fatalf("%v, it must be %s", err, code)
	}
}

// events are how often each award's event is in the log.
func (l *ledger) events() (count, most int) {
	l.t.Helper()
	client, ctx, seen := &arborlog.Client{Addresses: []string{l.url}}, bounded(l.t), map[arborlog.Bytes32]int{}
	checkpoint, _, err := client.Checkpoint(ctx)
	if err != nil {
		l.t.Fatal(err)
	}
	for index := range checkpoint.Size {
		e, err := client.Entry(ctx, index)
		if err != nil {
			l.t.Fatal(err)
		}
		if a, ok := e.Statement.(*arborlog.Award); ok {
			seen[a.Evidence]++
			most = max(most, seen[a.Evidence])
		}
	}
	return len(seen), most
}

func (l *ledger) hasOnce(events int) {
	l.t.Helper()
	if count, most := l.events(); count != events || most != 1 {
		l.t.Fatalf("%d events are in, one of them %d times; it must be %d, once", count, most, events)
	}
}

func (l *ledger) rename(from, to string) {
	l.t.Helper()
	if err := os.Rename(filepath.Join(l.dir, from), filepath.Join(l.dir, to)); err != nil {
		l.t.Fatal(err)
	}
}

func (l *ledger) copyOf(from, to string) {
	l.t.Helper()
	if out, err := exec.Command("cp", "-a", filepath.Join(l.dir, from), filepath.Join(l.dir, to)).CombinedOutput(); err != nil {
		l.t.Fatalf("%v %s", err, out)
	}
}

func TestAnOutboxThatWasPutBackRecoversWithoutDoubling(t *testing.T) {
	l := newLedger(t)
	p := l.platform("app", "app")
	p.putAwards(0, 2)
	p.send()
	if _, err := p.db.Exec("VACUUM INTO ?", filepath.Join(l.dir, "older.db")); err != nil {
		t.Fatal(err)
	}
	p.putAwards(2, 2)
	p.send()
	older := l.platform("older", "app")
	ids := older.putAwards(3, 2)
	older.sendFails("another_writer")
	older.sendFails("another_writer") // it is told until it is recovered
	older.recover(1, 1)
	if s := older.state(ids[0]); s.State != "in" || older.verify(s.Entry).Entry.Statement.(*arborlog.Award).Evidence != award(0, 3, 1).Evidence {
		t.Fatalf("%+v", s)
	}
	older.recover(0, 0)
	if report := older.send(); report.In != 1 {
		t.Fatalf("%+v", report)
	}
	l.hasOnce(5)
	// The newer one is the other writer now.
	p.putAwards(7, 1)
	p.sendFails("another_writer")
	p.recover(0, 1)
	if report := p.send(); report.In != 1 {
		t.Fatalf("%+v", report)
	}
	l.hasOnce(6)
}

func TestAnOutboxThatWasLostRecoversALongChainFromBundles(t *testing.T) {
	l := newLedger(t)
	p := l.platform("app", "app")
	p.SealMost = 100
	p.putAwards(0, 350)
	p.send()
	to := number32(2)
	p.put(&arborlog.Transfer{From: number32(1), To: &to, Points: 5, Reason: arborlog.Gift})
	p.send()
	fresh := l.platform("fresh", "app")
	ids := fresh.putAwards(300, 60)
	fresh.sendFails("another_writer")
	fresh.recover(50, 301)
	if report := fresh.send(); report.In != 10 {
		t.Fatalf("%+v", report)
	}
	for _, id := range ids {
		if fresh.state(id).State != "in" {
			t.Fatalf("%+v", fresh.state(id))
		}
	}
	l.hasOnce(360)
	// What was recovered is known: the same event is not put again, under a name of its own neither.
	again, err := fresh.box.Put(context.Background(), fresh.db, "ride-7", award(0, 7, 2000))
	if err != nil || fresh.state(again).State != "in" {
		t.Fatalf("%v %+v", err, fresh.state(again))
	}
	if _, err := fresh.box.Put(context.Background(), fresh.db, "ride-8", award(5, 8, 2000)); codeOf(err) != "wrong_use" {
		t.Fatal(err)
	}
}

func TestOfAnEventThatTheLogSpeaksOfNothingElseIsSent(t *testing.T) {
	l := newLedger(t)
	p := l.platform("app", "app")
	p.putAwards(1, 3)
	p.send()
	lost := l.platform("lost", "app")
	ctx := context.Background()
	id, err := lost.box.Put(ctx, lost.db, "ride-1", award(4, 1, 1000)) // the same ride, said otherwise
	if err != nil {
		t.Fatal(err)
	}
	lost.recover(0, 3)
	if s := lost.state(id); s.State != "refused" || s.Code != arborlog.CodeEventIsIn {
		t.Fatalf("%+v", s)
	}
	if err := lost.box.Requeue(ctx, id); err != nil || lost.state(id).State != "refused" {
		t.Fatalf("%v %+v", err, lost.state(id))
	}
	if _, err := lost.box.Put(ctx, lost.db, "ride-1", award(4, 1, 1500)); codeOf(err) != "wrong_use" {
		t.Fatal(err)
	}
	known, err := lost.box.Put(ctx, lost.db, "ride-1", award(1, 1, 2000))
	if err != nil || lost.state(known).State != "in" {
		t.Fatalf("%v %+v", err, lost.state(known))
	}
	if report := lost.send(); report != (arborlog.Report{}) {
		t.Fatalf("%+v", report)
	}
	l.hasOnce(3)
}

// between lets another writer send when something is posted.
type between struct {
	arborlog.HTTPTransport
	before func()
}

func (t *between) Do(ctx context.Context, r arborlog.Request) (arborlog.Response, error) {
	if r.Method == "POST" && t.before != nil {
		t.before()
		t.before = nil
	}
	return t.HTTPTransport.Do(ctx, r)
}

func TestAWriterThatComesBetweenSigningAndSendingIsTold(t *testing.T) {
	l := newLedger(t)
	one, other := l.platform("one", "app"), l.platform("other", "app")
	ids := other.putAwards(2, 2)
	other.Client.Transport = &between{before: func() {
		one.putAwards(0, 2)
		one.send()
	}}
	other.sendFails("another_writer")
	// What was signed can never come in: Recover drops it, and it is signed anew.
	other.recover(0, 2)
	if report := other.send(); report.In != 2 || other.state(ids[1]).State != "in" {
		t.Fatalf("%+v", report)
	}
	l.hasOnce(4)
}

func TestALateCopyBringsInWhatWasRefusedAndItsCorrectionIsNotSent(t *testing.T) {
	l := newLedger(t)
	p := l.platform("app", "app")
	ids := p.put(award(1, 1, 2000), award(1, 2, 2000), award(1, 3, 2000))
	// The server admitted it, and the client is told of a refusal that another address gave before, and no more.
	p.Client.Transport, p.Client.RetryFor = &refusing{}, time.Second
	p.sendFails("unanswered")
	if s := p.state(ids[1]); s.Code != "points_mismatch" {
		t.Fatalf("%+v", s)
	}
	corrected := p.put(award(1, 2, 1500))
	p.Client.Transport, p.Client.RetryFor = nil, 20*time.Second
	if report := p.send(); report.In != 3 {
		t.Fatalf("%+v", report)
	}
	if s := p.state(corrected[0]); s.Code != arborlog.CodeEventIsIn {
		t.Fatalf("%+v", s)
	}
	l.hasOnce(3)
}

// refusing lets the first post arrive, answers it with a refusal of its second statement, and is silent then.
type refusing struct {
	arborlog.HTTPTransport
	posts int
}

func (t *refusing) Do(ctx context.Context, r arborlog.Request) (arborlog.Response, error) {
	if r.Method != "POST" {
		return t.HTTPTransport.Do(ctx, r)
	}
	if t.posts++; t.posts > 1 {
		return arborlog.Response{}, errors.New("nothing arrives")
	}
	if answer, err := t.HTTPTransport.Do(ctx, r); err != nil || answer.Status != 200 {
		return answer, err
	}
	return arborlog.Response{Status: 422, Body: []byte(`{"type": "urn:arborlog:problem:batch_refused", "status": 422, "code": "batch_refused",
		"detail": "", "advice": "", "refused": [{"position": 1, "code": "points_mismatch", "detail": "", "advice": ""}]}`)}, nil
}

// TestRecoverIsKilledAtAnyMoment kills processes that recover and send in turn, and the server with them.
func TestRecoverIsKilledAtAnyMoment(t *testing.T) {
	l := newLedger(t)
	p := l.platform("app", "app")
	p.SealMost = 20
	p.putAwards(0, 400)
	p.send()
	lost := l.platform("lost", "app")
	ids := lost.putAwards(200, 400)
	for kill := range 10 {
		sender := exec.Command(os.Args[0], "-test.run", "^TestRecoverer$")
		sender.Env = append(os.Environ(), "ARBORLOG_RECOVERER="+l.dir+"|"+l.url+"|"+l.log.String())
		if err := sender.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(80+60*kill%230) * time.Millisecond)
		if kill%3 == 2 { // the server too, amid what is under way
			l.kill()
			l.start()
		}
		_ = sender.Process.Kill()
		_ = sender.Wait()
	}
	if _, err := lost.Recover(bounded(t)); err != nil {
		t.Fatal(err)
	}
	lost.send()
	for _, id := range ids {
		if lost.state(id).State != "in" {
			t.Fatalf("%+v", lost.state(id))
		}
	}
	l.hasOnce(600)
}

// TestRecoverer is the process that is killed: it recovers and sends until it is.
func TestRecoverer(t *testing.T) {
	l := fromParts(t, os.Getenv("ARBORLOG_RECOVERER"))
	p := l.platform("lost", "app")
	p.SealMost = 20
	for {
		if _, err := p.Recover(context.Background()); err != nil {
			fmt.Println(err)
		}
		if _, err := p.Send(context.Background()); err != nil {
			fmt.Println(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestALogThatGrewOnFromAnOlderCopyIsAnotherLog(t *testing.T) {
	l := newLedger(t)
	l.grant("second")
	p := l.platform("app", "app")
	p.putAwards(0, 3)
	p.send()
	l.kill()
	l.copyOf("ledger", "copy")
	l.start()
	p.putAwards(3, 3)
	p.send()
	l.kill()
	l.rename("ledger", "newer")
	l.rename("copy", "ledger")
	l.start()
	p.putAwards(6, 1)
	p.sendFails("log_went_back")
	if _, err := p.Recover(bounded(t)); codeOf(err) != "log_went_back" {
		t.Fatal(err)
	}
	// Others' records make it longer than before: it is another log then, and that is told too.
	second := l.platform("second", "second")
	second.putAwards(10, 10)
	second.send()
	p.sendFails("log_went_back")
	// The operator brings the lost entries back: the sender goes on by itself.
	l.kill()
	l.rename("ledger", "older")
	l.rename("newer", "ledger")
	l.start()
	if report := p.send(); report.In != 1 {
		t.Fatalf("%+v", report)
	}
}

func TestWhatAKeySignedBeforeItWasRevokedIsFoundByTheNextOne(t *testing.T) {
	l := newLedger(t)
	l.grant("second")
	p := l.platform("app", "app")
	ids := p.putAwards(0, 3)
	p.Client.Transport, p.Client.RetryFor = &deaf{}, time.Second
	p.sendFails("unanswered")
	app := p.Signer.PublicKey()
	l.run("revoke", "--revoked", app.String(), "--reason", "It was lost.", "--key", "north.pem", "--out", "revoke.json", "--from", l.url)
	l.proposal("revoke.json", "south.pem")
	next := l.platform("app", "second")
	if report := next.send(); report.In != 3 {
		t.Fatalf("%+v", report)
	}
	next.checkOnce(ids)
}

// deaf hears no answer to what is posted.
type deaf struct{ arborlog.HTTPTransport }

func (t *deaf) Do(ctx context.Context, r arborlog.Request) (arborlog.Response, error) {
	answer, err := t.HTTPTransport.Do(ctx, r)
	if r.Method == "POST" {
		return arborlog.Response{}, errors.New("the answer is lost")
	}
	return answer, err
}

// changing changes one answer of a server.
type changing struct {
	arborlog.HTTPTransport
	at, count int
	change    func(arborlog.Response) arborlog.Response
	changed   bool
}

func (t *changing) Do(ctx context.Context, r arborlog.Request) (arborlog.Response, error) {
	answer, err := t.HTTPTransport.Do(ctx, r)
	if t.count == t.at {
		t.changed = true
		answer = t.change(answer)
	}
	t.count++
	return answer, err
}

// TestAnAnswerThatNamesAnotherRecordOfMineIsNotBelieved: that one is in too, and proven.
func TestAnAnswerThatNamesAnotherRecordOfMineIsNotBelieved(t *testing.T) {
	l := newLedger(t)
	p := l.platform("app", "app")
	ids := p.putAwards(0, 1)
	p.send()
	ids = append(ids, p.putAwards(1, 1)...)
	p.Client.Transport = &postChanging{change: field("indexes", []any{p.state(ids[0]).Entry})}
	p.sendFails("entry_wrong")
	if s := p.state(ids[1]); s.State != "waiting" {
		t.Fatalf("%+v", s)
	}
	p.Client.Transport = nil
	p.send()
	p.checkOnce(ids)
}

// postChanging changes the answers to what is posted.
type postChanging struct {
	arborlog.HTTPTransport
	change func(arborlog.Response) arborlog.Response
}

func (t *postChanging) Do(ctx context.Context, r arborlog.Request) (arborlog.Response, error) {
	answer, err := t.HTTPTransport.Do(ctx, r)
	if r.Method == "POST" {
		answer = t.change(answer)
	}
	return answer, err
}

// field puts a value in the place of a field of a JSON answer; other answers stay.
func field(name string, value any) func(arborlog.Response) arborlog.Response {
	return func(answer arborlog.Response) arborlog.Response {
		var said map[string]any
		if json.Unmarshal(answer.Body, &said) == nil && said[name] != nil {
			said[name] = value
			answer.Body, _ = json.Marshal(said)
		}
		return answer
	}
}

func changes() (all []func(arborlog.Response) arborlog.Response) {
	for _, body := range []string{"", "{}", "[]", "null", `{"code": 5}`, "\xff\xfe"} {
		for _, status := range []int{200, 404, 409, 422} {
			all = append(all, func(arborlog.Response) arborlog.Response {
				return arborlog.Response{Status: status, Body: []byte(body)}
			})
		}
	}
	for _, name := range []string{"next_seq", "prev", "head", "entry", "hashes", "checkpoint", "indexes", "first_index", "seal_index"} {
		for _, value := range []any{nil, "x", []any{nil}, []any{"AAAA"}, map[string]any{"index": 0, "seq": 0}, -1, 0, 2, []any{0}} {
			all = append(all, field(name, value))
		}
	}
	return all
}

// TestAServerThatSaysNonsenseIsNotBelieved changes each answer in turn, in ways that chance takes: nothing is noted for it as
// refused, and what is noted as in is in, once.
func TestAServerThatSaysNonsenseIsNotBelieved(t *testing.T) {
	l := newLedger(t)
	p := l.platform("app", "app")
	ids := p.putAwards(0, 1)
	p.send()
	all, dice, event := changes(), rand.New(rand.NewPCG(7, 7)), 100
	for _, width := range []int{2, 1} {
		for request, changed := 0, true; changed; request++ {
			changed = false
			for range 10 {
				ids = append(ids, p.putAwards(event, width)...)
				event += width
				transport := &changing{at: request, change: all[dice.IntN(len(all))]}
				p.Client.Transport, p.Client.RetryFor = transport, 2*time.Second
				_, err := p.Send(bounded(t))
				var known *arborlog.Error
				var problem *arborlog.Problem
				if err != nil && !errors.As(err, &known) && !errors.As(err, &problem) {
					t.Fatalf("%T %v", err, err)
				}
				changed = changed || transport.changed
			}
			p.Client.Transport, p.Client.RetryFor = nil, 20*time.Second
			p.send()
		}
	}
	p.checkOnce(ids)
}
