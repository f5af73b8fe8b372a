package arborlog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Request is what a Transport sends.
type Request struct {
	Method, URL, MediaType string
	Body                   []byte
}

// Response is an answer that arrived whole.
type Response struct {
	Status     int
	Body       []byte
	RetryAfter time.Duration
}

// Transport sends one request. It gives an error where no whole answer came, and ends when the context does.
type Transport interface {
	Do(ctx context.Context, request Request) (Response, error)
}

// answerBytesMax bounds an answer.
const answerBytesMax = 64 << 20

// HTTPTransport is a Transport on net/http. It follows no redirects: what is signed goes where you said.
type HTTPTransport struct{ Client *http.Client }

// Do sends a request.
func (t *HTTPTransport) Do(ctx context.Context, request Request) (Response, error) {
	r, err := http.NewRequestWithContext(ctx, request.Method, request.URL, bytes.NewReader(request.Body))
	if err != nil {
		return Response{}, err
	}
	if request.MediaType != "" {
		r.Header.Set("Content-Type", request.MediaType)
	}
	client := t.Client
	if client == nil {
		client = noRedirects
	}
	answer, err := client.Do(r)
	if err != nil {
		return Response{}, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, answerBytesMax+1))
	if err == nil && len(body) > answerBytesMax {
		err = errors.New("the answer is longer than 64 MiB")
	}
	seconds, _ := strconv.Atoi(answer.Header.Get("Retry-After"))
	return Response{answer.StatusCode, body, time.Duration(max(0, min(seconds, 60))) * time.Second}, err
}

var noRedirects = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// Problem is an error that the ledger answered (docs/http.md).
type Problem struct {
	Type     string           `json:"type"`
	Status   int              `json:"status"`
	Code     string           `json:"code"`
	Detail   string           `json:"detail"`
	Advice   string           `json:"advice"`
	Position int              `json:"position"`
	Refused  []RefusedInBatch `json:"refused"`
}

// RefusedInBatch is a statement of a sealed batch that the rules refuse.
type RefusedInBatch struct {
	Position int    `json:"position"`
	Code     string `json:"code"`
	Detail   string `json:"detail"`
	Advice   string `json:"advice"`
}

func (p *Problem) Error() string {
	return fmt.Sprintf("the ledger answered %d %s: %s; %s", p.Status, p.Code, p.Detail, p.Advice)
}

// Client asks a ledger at one or several addresses. It asks again what may pass: no answer, a cut one, 408, 429 and 5xx.
type Client struct {
	// Addresses are tried in turn, such as https://ledger.example.org.
	Addresses []string
	Transport Transport
	// AttemptTimeout is for one request, 5 seconds if it is 0; RetryFor for all tries of one, 120 seconds if it is 0.
	AttemptTimeout time.Duration
	RetryFor       time.Duration

	address int
}

const (
	attemptTimeout = 5 * time.Second
	retryFor       = 120 * time.Second
	pauseFirst     = 100 * time.Millisecond
	pauseLongest   = 5 * time.Second
)

// newestCheckpoint is where the newest commit's checkpoint is. A web server that has a ledger's files alone has no such address, and
// says so in words of its own.
const newestCheckpoint = "/v1/checkpoint"

func orElse[T comparable](value, other T) T {
	var zero T
	if value == zero {
		return other
	}
	return value
}

// call sends a request until there is an answer of the ledger's own; read takes a good one, and says whether it is whole.
func (c *Client) call(ctx context.Context, request Request, path string, read func([]byte) error) error {
	if len(c.Addresses) == 0 {
		return &Error{"wrong_use", "addresses", "no address of a ledger was given"}
	}
	transport := c.Transport
	if transport == nil {
		transport = &HTTPTransport{}
	}
	deadline, pause := time.Now().Add(orElse(c.RetryFor, retryFor)), pauseFirst
	for try := 1; ; try++ {
		address := c.Addresses[c.address%len(c.Addresses)]
		request.URL = strings.TrimRight(address, "/") + path
		attempt, cancel := context.WithTimeout(ctx, orElse(c.AttemptTimeout, attemptTimeout))
		answer, err := transport.Do(attempt, request)
		cancel()
		if err == nil {
			if err = answer.judge(read); err == nil {
				return nil
			}
			if answer.Status == 404 && path == newestCheckpoint {
				return &Problem{Status: 404}
			}
			var problem *Problem
			if errors.As(err, &problem) && problem.Status != 408 && problem.Status != 429 && problem.Status < 500 {
				return err
			}
		}
		c.address++
		wait := max(pause, answer.RetryAfter)
		if try%len(c.Addresses) != 0 {
			wait = 0 // another address is asked at once
		} else {
			pause = min(2*pause, pauseLongest)
		}
		if ctx.Err() != nil || time.Now().Add(wait).After(deadline) {
			return &Error{"unanswered", request.Method + " " + path, fmt.Sprintf("no answer from the ledger in %d tries: %v", try, err)}
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// judge tells an answer of the ledger's from one of something between: only the ledger answers with its problems.
func (r Response) judge(read func([]byte) error) error {
	if r.Status == 200 {
		return read(r.Body)
	}
	problem := new(Problem)
	if json.Unmarshal(r.Body, problem) != nil || !strings.HasPrefix(problem.Type, "urn:arborlog:problem:") || problem.Status != r.Status {
		return fmt.Errorf("an answer with status %d that is not the ledger's", r.Status)
	}
	return problem
}

func (c *Client) getJSON(ctx context.Context, path string, into any) error {
	return c.call(ctx, Request{Method: "GET"}, path, func(body []byte) error { return json.Unmarshal(body, into) })
}

// Issuer is what the ledger says of a key.
type Issuer struct {
	Role      string  `json:"role"`
	Holder    string  `json:"holder"`
	NextSeq   uint64  `json:"next_seq"`
	Prev      string  `json:"prev"`
	LastDay   *string `json:"last_issued_on"`
	RevokedAt *uint64 `json:"revoked_at"`
	Head      *struct {
		ID    string `json:"id"`
		Index uint64 `json:"index"`
		Seq   uint64 `json:"seq"`
	} `json:"head"`
}

// Issuer asks about a key: its role, and where its chain goes on.
func (c *Client) Issuer(ctx context.Context, key Bytes32) (*Issuer, error) {
	issuer := new(Issuer)
	return issuer, c.getJSON(ctx, "/v1/issuers/"+key.String(), issuer)
}

// chain is where the key's chain goes on by the ledger's word.
func (i *Issuer) chain() (Chain, error) {
	prev, err := Hex32(i.Prev)
	chain := Chain{Seq: i.NextSeq, Prev: prev}
	if err == nil && i.LastDay != nil {
		chain.IssuedOn, err = ParseDay(*i.LastDay)
	}
	return chain, err
}

// Entry fetches an entry's bytes and decodes them. That it is in the log, ProvenEntry or a receipt proves.
func (c *Client) Entry(ctx context.Context, index uint64) (*Entry, error) {
	var answer struct {
		Entry []byte `json:"entry"`
	}
	if err := c.getJSON(ctx, fmt.Sprintf("/v1/entries/%d", index), &answer); err != nil {
		return nil, err
	}
	return DecodeEntry(answer.Entry)
}

// ProvenEntry fetches an entry and the proof that it is in the log of a checkpoint, which the caller has verified.
func (c *Client) ProvenEntry(ctx context.Context, index uint64, checkpoint *Checkpoint) (*Entry, error) {
	var entry, proof struct {
		Entry  []byte   `json:"entry"`
		Hashes [][]byte `json:"hashes"`
	}
	where := fmt.Sprintf("entry %d", index)
	if index >= checkpoint.Size {
		return nil, &Error{"answer_malformed", where, fmt.Sprintf("the log has %d entries", checkpoint.Size)}
	}
	err := c.getFound(ctx, fmt.Sprintf("/v1/entries/%d", index), &entry)
	if err == nil {
		err = c.getFound(ctx, fmt.Sprintf("/v1/proofs/inclusion?index=%d&size=%d", index, checkpoint.Size), &proof)
	}
	var problem *Problem
	if errors.As(err, &problem) && problem.Status == 404 {
		return nil, &Error{"entry_missing", where, "the log, which has it by its checkpoint, does not give it"}
	}
	if err != nil {
		return nil, err
	}
	path, err := hashesOf(proof.Hashes)
	if err != nil {
		return nil, at(err, where)
	}
	l := link{index, entry.Entry, path}
	if err := l.isComplete(checkpoint); err != nil {
		return nil, at(err, where)
	}
	e, err := l.open(checkpoint)
	return e, at(err, where)
}

// getFound asks each address before it takes a 404 for an answer: one may lag.
func (c *Client) getFound(ctx context.Context, path string, into any) (err error) {
	for range max(1, len(c.Addresses)) {
		err = c.getJSON(ctx, path, into)
		var problem *Problem
		if !errors.As(err, &problem) || problem.Status != 404 {
			return err
		}
		c.address++
	}
	return err
}

// bundleWidth is how many entries a bundle has (c2sp.org/tlog-tiles).
const bundleWidth = 256

// entries fetches the bytes of entries from their bundles. Nothing of them is proven yet.
func (c *Client) entries(ctx context.Context, start, end, size uint64) (found [][]byte, err error) {
	for first := start - start%bundleWidth; first < end; first += bundleWidth {
		width := min(bundleWidth, size-first)
		path := "/tile/entries/" + bundleName(first/bundleWidth)
		if width < bundleWidth {
			path += fmt.Sprintf(".p/%d", width)
		}
		var entries [][]byte
		err := c.call(ctx, Request{Method: "GET"}, path, func(bundle []byte) (err error) {
			entries, err = readBundle(bundle, int(width))
			return err
		})
		if err != nil {
			return nil, err
		}
		for n, entry := range entries {
			if index := first + uint64(n); index >= start && index < end {
				found = append(found, entry)
			}
		}
	}
	return found, nil
}

func readBundle(bundle []byte, width int) (entries [][]byte, err error) {
	for r := (&reader{data: bundle}); len(entries) < width; {
		length, err := r.uint(2)
		if err != nil {
			return nil, err
		}
		entry, err := r.take(length)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

// bundleName is a bundle's number as paths have it: three digits a part, all but the last behind an x.
func bundleName(number uint64) string {
	name := fmt.Sprintf("%03d", number%1000)
	for number /= 1000; number > 0; number /= 1000 {
		name = fmt.Sprintf("x%03d/", number%1000) + name
	}
	return name
}

func (c *Client) getFile(ctx context.Context, path string) (file []byte, err error) {
	err = c.call(ctx, Request{Method: "GET"}, path, func(body []byte) error {
		file = body
		if code := fileFault(body); code != "" {
			return refuse(code, "%s", fileFaults[code])
		}
		return nil
	})
	return file, err
}

// Receipt fetches the receipt of an entry: a file that VerifyReceipt reads.
func (c *Client) Receipt(ctx context.Context, index uint64) ([]byte, error) {
	return c.getFile(ctx, fmt.Sprintf("/v1/receipts/%d", index))
}

// Certificate fetches a claim's file about the state, with all that it rests on.
func (c *Client) Certificate(ctx context.Context, index uint64) ([]byte, error) {
	return c.getFile(ctx, fmt.Sprintf("/v1/proofs/certificate/%d", index))
}

// StateProof fetches an item of the state, proven, such as ("account", id) or ("tree", "1/7").
func (c *Client) StateProof(ctx context.Context, domain, key string) ([]byte, error) {
	return c.getFile(ctx, "/v1/proofs/state?domain="+url.QueryEscape(domain)+"&key="+strings.ReplaceAll(url.QueryEscape(key), "%2F", "/"))
}

// Checkpoint fetches the newest commit's checkpoint; nothing of it is verified. Where a policy is in force, what
// stands at /checkpoint is older: it waits for cosignatures. A server that has no such address has the newest at
// /checkpoint.
func (c *Client) Checkpoint(ctx context.Context) (checkpoint *Checkpoint, note string, err error) {
	read := func(body []byte) (err error) {
		note = string(body)
		checkpoint, err = ReadCheckpoint(body)
		return err
	}
	err = c.call(ctx, Request{Method: "GET"}, newestCheckpoint, read)
	var problem *Problem
	if errors.As(err, &problem) && problem.Status == 404 {
		err = c.call(ctx, Request{Method: "GET"}, "/checkpoint", read)
	}
	return checkpoint, note, err
}

func (c *Client) consistency(ctx context.Context, from, to uint64) ([]Bytes32, error) {
	var answer struct {
		Hashes [][]byte `json:"hashes"`
	}
	if err := c.getJSON(ctx, fmt.Sprintf("/v1/proofs/consistency?from=%d&to=%d", from, to), &answer); err != nil {
		return nil, err
	}
	return hashesOf(answer.Hashes)
}

func hashesOf(answered [][]byte) ([]Bytes32, error) {
	hashes := make([]Bytes32, len(answered))
	for i, hash := range answered {
		if len(hash) != 32 {
			return nil, refuse("proof_incomplete", "a hash of the proof has not 32 bytes")
		}
		hashes[i] = Bytes32(hash)
	}
	return hashes, nil
}

// errBehind is of a log that is shorter than one that was acknowledged: an address lags, or an older copy was put back.
var errBehind = errors.New("the log is shorter than it was")

// CheckExtends checks that the log, as it is now, extends an earlier checkpoint of it: nothing was taken back. It gives the
// newest checkpoint. Both are signed by the log's key. An address that lags is passed over, if there are others.
func (c *Client) CheckExtends(ctx context.Context, log VerifierKey, earlier string) (string, error) {
	note := ""
	for range 2 * max(1, len(c.Addresses)) {
		var err error
		if _, note, err = c.Checkpoint(ctx); err != nil {
			return "", err
		}
		if _, err = c.extends(ctx, log, earlier, note); !errors.Is(err, errBehind) {
			return note, err
		}
		c.address++
	}
	return "", wentBack(earlier, note)
}

// extends checks that a checkpoint is the log's, and extends an earlier one.
func (c *Client) extends(ctx context.Context, log VerifierKey, earlier, note string) (*Checkpoint, error) {
	now, err := ReadCheckpoint([]byte(note))
	if err == nil {
		err = now.Verify(log)
	}
	if err != nil || earlier == "" {
		return now, err
	}
	before, err := ReadCheckpoint([]byte(earlier))
	switch {
	case err != nil:
		return nil, err
	case now.Size == before.Size && now.Root == before.Root:
		return now, nil
	case now.Size < before.Size:
		return nil, errBehind
	case now.Size == before.Size:
		return nil, wentBack(earlier, note)
	}
	proof, err := c.consistency(ctx, before.Size, now.Size)
	if err == nil && !consistencyHolds(before.Size, now.Size, before.Root, now.Root, proof) {
		err = wentBack(earlier, note)
	}
	return now, err
}

func wentBack(earlier, now string) error {
	return &Error{"log_went_back", "log", "the log does not extend the checkpoint that it gave before: it lost acknowledged entries, an older " +
		"copy was put back, or it is another log. Tell its operator, and keep both checkpoints.\nbefore:\n" + earlier + "now:\n" + now}
}

// Admitted is the answer to what was posted.
type Admitted struct {
	FirstIndex *uint64  `json:"first_index"`
	Indexes    []uint64 `json:"indexes"`
	Count      uint64   `json:"count"`
	SealIndex  *uint64  `json:"seal_index"`
	Checkpoint string   `json:"checkpoint"`
}

// Post sends what was signed: again the same bytes, until the ledger answers. A refusal is a *Problem.
func (c *Client) Post(ctx context.Context, body *SignedBody) (*Admitted, error) {
	admitted := new(Admitted)
	return admitted, c.call(ctx, Request{Method: "POST", MediaType: body.MediaType, Body: body.Body}, body.Path,
		func(answer []byte) error {
			*admitted = Admitted{}
			if err := json.Unmarshal(answer, admitted); err != nil {
				return err
			}
			if admitted.Checkpoint == "" {
				return errors.New("the answer has no checkpoint")
			}
			return nil
		})
}
