package servertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	arborlog "arborlog.org/go"
)

func codeOf(err error) string {
	var e *arborlog.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return fmt.Sprint(err)
}

func TestManyAreSealedAndOneIsARecord(t *testing.T) {
	l := newLedger(t)
	p := l.platform("app", "app")
	one := p.putAwards(0, 1)
	if report := p.send(); report.In != 1 {
		t.Fatal(report)
	}
	many := p.putAwards(1, 1500)
	if report := p.send(); report.In != 1500 {
		t.Fatal(report)
	}
	if report := p.send(); report != (arborlog.Report{}) {
		t.Fatalf("nothing waits: %+v", report)
	}
	record, sealed := p.verify(p.state(one[0]).Entry), p.verify(p.state(many[1499]).Entry)
	if record.SealIndex != nil || sealed.SealIndex == nil || sealed.Entry.Statement.(*arborlog.Award).Evidence != award(0, 1500, 1).Evidence {
		t.Fatalf("%+v %+v", record, sealed)
	}
	if first := p.state(many[0]); p.verify(first.Entry).Entry.Statement.(*arborlog.Award).Evidence != award(0, 1, 1).Evidence {
		t.Fatal("a batch's indexes are not those of its statements")
	}
	p.checkOnce(append(one, many...))
}

func TestACertificateIsVerifiedByWhatItAnswers(t *testing.T) {
	l := newLedger(t)
	p := l.platform("app", "app")
	p.putAwards(0, 1)
	ids := p.put(award(0, 7, 10_000), &arborlog.Claim{Account: number32(0), Method: 1, Version: 1, Species: 1, Points: 300})
	p.send()
	claim := p.state(ids[1]).Entry
	var proven *arborlog.Proven
	for try := 0; proven == nil; try++ {
		file, err := p.Client.Certificate(bounded(t), claim)
		if err == nil {
			proven, err = arborlog.VerifyReceipt(file, arborlog.Trust{Log: l.log})
		}
		if err != nil && try == 10 {
			t.Fatal(err)
		}
	}
	if err := proven.CheckAbout(fmt.Sprintf("certificate/%d", claim)); err != nil || proven.File.About != "certificate" {
		t.Fatal(err)
	}
	if err := proven.CheckAbout("certificate/1"); codeOf(err) != "about_other" {
		t.Fatal(err)
	}
	file, err := p.Client.StateProof(bounded(t), "account", number32(0).String())
	if err != nil {
		t.Fatal(err)
	}
	if proven, err = arborlog.VerifyReceipt(file, arborlog.Trust{Log: l.log}); err != nil {
		t.Fatal(err)
	}
	if account := proven.Items[0].Fields.(*arborlog.ItemAccount); account.Balance != 104+520-300 {
		t.Fatalf("%+v", account)
	}
}

func TestWhatIsRefusedIsNamedAndTheOthersGoIn(t *testing.T) {
	l := newLedger(t)
	p := l.platform("app", "app")
	wrong := award(1, 2, 2000)
	wrong.Points++
	overCap := award(1, 3, 20_000)
	ids := p.put(award(1, 0, 2000), wrong, award(1, 1, 2000), overCap, award(1, 4, 2000))
	if report := p.send(); report.In != 3 || report.Refused != 2 {
		t.Fatalf("%+v", report)
	}
	for n, code := range []string{"", "points_mismatch", "", "cap_exceeded", ""} {
		if s := p.state(ids[n]); s.Code != code || (s.State == "in") != (code == "") {
			t.Fatalf("%d: %+v", n, s)
		}
	}
	// The same event, put right, goes in under the same name; said otherwise again, it is wrong use.
	right := p.put(award(1, 2, 2000))
	if report := p.send(); report.In != 1 || p.state(right[0]).State != "in" || right[0] == ids[1] {
		t.Fatalf("%+v", report)
	}
	if again := p.put(award(1, 2, 2000)); again[0] != right[0] {
		t.Fatal("an event was put twice")
	}
	if _, err := p.box.Put(context.Background(), p.db, "", wrong); codeOf(err) != "wrong_use" {
		t.Fatal(err)
	}
	other := award(1, 5, 2000)
	other.Points++
	alone := p.put(other)
	if report := p.send(); report.Refused != 1 || p.state(alone[0]).Code != "points_mismatch" {
		t.Fatalf("%+v", report)
	}
	p.putAwards(10, 1)
	if report := p.send(); report.In != 1 {
		t.Fatalf("what follows a refusal: %+v", report)
	}
}

// fromParts is a ledger that another process serves; without parts the test is one that others run.
func fromParts(t *testing.T, parts string) *ledger {
	t.Helper()
	if parts == "" {
		t.Skip("it is run by another test, which kills it")
	}
	all := strings.Split(parts, "|")
	log, err := arborlog.ParseLogKey(all[2])
	if err != nil {
		t.Fatal(err)
	}
	return &ledger{t: t, dir: all[0], url: all[1], log: log}
}

// TestSender is the process that is killed: it puts and sends until it is.
func TestSender(t *testing.T) {
	l := fromParts(t, os.Getenv("ARBORLOG_SENDER"))
	p := l.platform("app", "app")
	p.SealMost = 20
	for {
		if _, err := p.Send(context.Background()); err != nil {
			fmt.Println(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestNothingIsLostOrDoubledByKills(t *testing.T) {
	l := newLedger(t)
	p := l.platform("app", "app")
	ids := p.putAwards(0, 1200)
	for kill := range 12 {
		sender := exec.Command(os.Args[0], "-test.run", "^TestSender$")
		sender.Env = append(os.Environ(), "ARBORLOG_SENDER="+l.dir+"|"+l.url+"|"+l.log.String())
		if err := sender.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(60+40*kill%170) * time.Millisecond)
		if kill%3 == 2 { // the server too, amid what is under way
			l.kill()
			l.start()
		}
		_ = sender.Process.Kill()
		_ = sender.Wait()
	}
	if p.state(ids[0]).State != "in" {
		t.Fatal("the processes that were killed sent nothing")
	}
	p.send()
	p.checkOnce(ids)
}

func TestAnotherWriterIsTold(t *testing.T) {
	l := newLedger(t)
	one, other := l.platform("one", "app"), l.platform("other", "app")
	one.putAwards(0, 2)
	one.send()
	// An outbox that is new for a key that is not: nothing is signed before it knows what the key said.
	other.putAwards(2, 2)
	if _, err := other.Send(bounded(t)); codeOf(err) != "another_writer" {
		t.Fatal(err)
	}
	other.recover(0, 2)
	other.send()
	one.putAwards(4, 3)
	for range 2 { // it is told again
		if _, err := one.Send(bounded(t)); codeOf(err) != "another_writer" {
			t.Fatal(err)
		}
	}
	l.hasOnce(4)
}

// late keeps the first batch back, and lets it arrive when the next one is sent.
type late struct {
	arborlog.HTTPTransport
	first  *arborlog.Request
	before func()
}

func (t *late) Do(ctx context.Context, r arborlog.Request) (arborlog.Response, error) {
	if r.Method == "POST" && t.before != nil {
		if t.first == nil {
			t.first = &r
		} else if !bytes.Equal(r.Body, t.first.Body) {
			t.before()
			t.before = nil
			if _, err := t.HTTPTransport.Do(ctx, *t.first); err != nil {
				return arborlog.Response{}, err
			}
		}
	}
	return t.HTTPTransport.Do(ctx, r)
}

func TestMyOwnRecordThatCameFirstIsNoOtherWriters(t *testing.T) {
	l := newLedger(t)
	l.grant("second")
	p, second := l.platform("app", "app"), l.platform("second", "second")
	to := number32(8)
	ids := p.put(award(1, 1, 2000), &arborlog.Transfer{From: number32(5), To: &to, Points: 50, Reason: arborlog.Gift}, award(1, 2, 2000))
	// The transfer is refused, for the account has nothing. Then it gets points, and the first batch arrives again.
	p.Client.Transport = &late{before: func() {
		second.put(award(5, 3, 2000))
		second.send()
	}}
	if _, err := p.Send(bounded(t)); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if s := p.state(id); s.State != "in" {
			t.Fatalf("%+v", s)
		}
	}
	p.putAwards(20, 2)
	if report := p.send(); report.In != 2 {
		t.Fatalf("%+v", report)
	}
}

func TestALogThatWasPutBackIsTold(t *testing.T) {
	l := newLedger(t)
	p := l.platform("app", "app")
	p.putAwards(0, 3)
	p.send()
	l.kill()
	copyOf := filepath.Join(l.dir, "copy")
	if err := exec.Command("cp", "-a", filepath.Join(l.dir, "ledger"), copyOf).Run(); err != nil {
		t.Fatal(err)
	}
	l.start()
	p.putAwards(3, 3)
	p.send()
	l.kill()
	if err := os.RemoveAll(filepath.Join(l.dir, "ledger")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(copyOf, filepath.Join(l.dir, "ledger")); err != nil {
		t.Fatal(err)
	}
	l.start()
	p.putAwards(6, 1)
	if _, err := p.Send(bounded(t)); codeOf(err) != "log_went_back" {
		t.Fatal(err)
	}
}

// cutting is a proxy that cuts two of three answers to what is posted.
func cutting(t *testing.T, to string) string {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	var count atomic.Int64
	proxy := httputil.NewSingleHostReverseProxy(target)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" && count.Add(1)%3 != 0 {
			body := new(answer)
			proxy.ServeHTTP(body, r)
			if count.Load()%3 == 1 {
				panic(http.ErrAbortHandler) // no answer at all
			}
			connection, _, _ := w.(http.Hijacker).Hijack()
			fmt.Fprintf(connection, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", body.Len(), body.Bytes()[:body.Len()/2])
			_ = connection.Close()
			return
		}
		proxy.ServeHTTP(w, r)
	})}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(listener)
	t.Cleanup(func() { _ = server.Close() })
	return "http://" + listener.Addr().String()
}

type answer struct {
	bytes.Buffer
	header http.Header
}

func (a *answer) Header() http.Header {
	if a.header == nil {
		a.header = http.Header{}
	}
	return a.header
}
func (a *answer) WriteHeader(int) {}

func TestAnswersThatAreCutAndAddressesThatAreDown(t *testing.T) {
	l := newLedger(t)
	p := l.platform("app", "app")
	p.SealMost = 10
	p.Client.Addresses = []string{"http://127.0.0.1:9", cutting(t, l.url)}
	ids := p.putAwards(0, 95)
	if report := p.send(); report.In != 95 {
		t.Fatalf("%+v", report)
	}
	p.checkOnce(ids)
}

func TestAPlatformsTransactionThatIsUndoneSendsNothing(t *testing.T) {
	l := newLedger(t)
	p := l.platform("app", "app")
	tx, err := p.db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.box.Put(context.Background(), tx, "ride-1", award(1, 1, 2000)); err != nil {
		t.Fatal(err)
	}
	_ = tx.Rollback()
	if report := p.send(); report.In != 0 {
		t.Fatalf("%+v", report)
	}
	for range 2 { // the same ride, told twice
		if _, err := p.box.Put(context.Background(), p.db, "ride-1", award(1, 1, 2000)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.box.Put(context.Background(), p.db, "ride-1", award(2, 1, 2000)); codeOf(err) != "wrong_use" {
		t.Fatal(err)
	}
	if report := p.send(); report.In != 1 {
		t.Fatalf("%+v", report)
	}
}

func TestAKeyWithoutARoleIsTold(t *testing.T) {
	l := newLedger(t)
	l.run("keygen", "stranger.pem")
	p := l.platform("stranger", "stranger")
	p.putAwards(0, 1)
	if _, err := p.Send(bounded(t)); codeOf(err) != "key_refused" {
		t.Fatal(err)
	}
}

// silent sends nothing that is posted.
type silent struct{ arborlog.HTTPTransport }

func (t *silent) Do(ctx context.Context, r arborlog.Request) (arborlog.Response, error) {
	if r.Method == "POST" {
		return arborlog.Response{}, errors.New("nothing arrives")
	}
	return t.HTTPTransport.Do(ctx, r)
}

func TestAKeyThatIsReplacedLeavesNothingBehind(t *testing.T) {
	l := newLedger(t)
	l.grant("second")
	p := l.platform("app", "app")
	ids := p.putAwards(0, 3)
	p.Client.Transport, p.Client.RetryFor = &silent{}, time.Millisecond
	if _, err := p.Send(bounded(t)); codeOf(err) != "unanswered" {
		t.Fatal(err)
	}
	app := p.Signer.PublicKey()
	l.run("revoke", "--revoked", app.String(), "--reason", "It was lost.", "--key", "north.pem", "--out", "revoke.json", "--from", l.url)
	l.proposal("revoke.json", "south.pem")
	if _, err := l.platform("app", "app").Send(bounded(t)); codeOf(err) != "key_refused" {
		t.Fatal(err)
	}
	replaced := l.platform("app", "second")
	if report := replaced.send(); report.In != 3 {
		t.Fatalf("%+v", report)
	}
	replaced.checkOnce(ids)
}
