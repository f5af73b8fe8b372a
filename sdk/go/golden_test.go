package arborlog

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const golden = "../../tests/golden"

func readGolden(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(golden, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func goldenFiles(t *testing.T, pattern string, least int) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(golden, pattern))
	if err != nil || len(paths) < least {
		t.Fatalf("%s: %d files, %v", pattern, len(paths), err)
	}
	return paths
}

func unhex(t *testing.T, digits string) []byte {
	t.Helper()
	data, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func codeOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func signerOf(t *testing.T, key Bytes32) Signer {
	t.Helper()
	var keys []struct{ PublicKey, Seed string }
	data := bytes.ReplaceAll(readGolden(t, "keys.json"), []byte("public_key"), []byte("publickey"))
	if err := json.Unmarshal(data, &keys); err != nil {
		t.Fatal(err)
	}
	for _, one := range keys {
		if one.PublicKey == key.String() {
			return NewKeySigner(ed25519.NewKeyFromSeed(unhex(t, one.Seed)))
		}
	}
	t.Fatalf("no golden key %s", key)
	return nil
}

func TestEveryStatementIsWrittenAndSignedByteForByte(t *testing.T) {
	for _, path := range goldenFiles(t, "statements/*.hex", 25) {
		name := strings.TrimSuffix(filepath.Base(path), ".hex")
		hexes := map[string]string{}
		data, _ := os.ReadFile(path)
		for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
			key, value, _ := strings.Cut(line, " ")
			hexes[key] = value
		}
		said, err := StatementFromJSON(readGolden(t, "statements/"+name+".json"))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		wanted := unhex(t, hexes["record"])
		record, err := DecodeRecord(wanted)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		record.Statement = said
		made, err := record.Encode()
		if err != nil || !bytes.Equal(made, wanted) {
			t.Errorf("%s: %v\n%x\n%x", name, err, made, wanted)
		}
		if id := RecordID("example.org/ledger", made); id.String() != hexes["id"] {
			t.Errorf("%s: id %s", name, id)
		}
		checkSigned(t, name, record, unhex(t, hexes["signed_record"]))
		entry, err := DecodeEntry(unhex(t, hexes["entry"]))
		if err != nil || leafHash(unhex(t, hexes["entry"])).String() != hexes["leaf_hash"] {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := entry.checkSignatures("example.org/ledger", SignatureHolds); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		back, err := StatementJSON(said)
		if err != nil || !sameJSON(back, readGolden(t, "statements/"+name+".json")) {
			t.Errorf("%s: %v %s", name, err, back)
		}
	}
}

// checkSigned signs a record with the golden keys, and compares the bytes.
func checkSigned(t *testing.T, name string, record *Record, wanted []byte) {
	t.Helper()
	signed, err := DecodeSignedRecord(wanted)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var endorsers []Signer
	for _, e := range signed.Endorsements {
		endorsers = append(endorsers, signerOf(t, e.Key))
	}
	made, err := Sign("example.org/ledger", record, signerOf(t, record.Issuer), endorsers...)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	made.MldsaSignature = signed.MldsaSignature
	if data, err := made.Encode(); err != nil || !bytes.Equal(data, wanted) {
		t.Errorf("%s: %v: it is signed otherwise", name, err)
	}
}

func sameJSON(a, b []byte) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	c, _ := json.Marshal(x)
	d, _ := json.Marshal(y)
	return bytes.Equal(c, d)
}

func TestEvidenceAndPoints(t *testing.T) {
	// RFC 4231, test case 2.
	made := EvidenceOf([]byte("Jefe"), []byte("what do ya want for nothing?"))
	if made.String() != "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" {
		t.Error(made)
	}
	if points, ok := Points(40_000, 167_250_000); points != 6690 || !ok {
		t.Error(points, ok)
	}
}

func TestSealedAndStateEntriesAreRead(t *testing.T) {
	var forms struct {
		Sealed []string
		State  string
	}
	if err := json.Unmarshal(readGolden(t, "forms.json"), &forms); err != nil {
		t.Fatal(err)
	}
	var leaves []Bytes32
	for _, digits := range forms.Sealed {
		e, err := DecodeEntry(unhex(t, digits))
		if err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, leafHash(e.statementBytes))
	}
	said, _ := StatementFromJSON(readGolden(t, "statements/seal.json"))
	if seal := said.(*Seal); int(seal.Count) != len(leaves) || seal.Root != treeRoot(leaves) {
		t.Error("the seal is of other statements")
	}
	if e, err := DecodeEntry(unhex(t, forms.State)); err != nil || e.State.RulesVersion != rulesVersion {
		t.Error(err)
	}
}

func TestWhatMustBeRefusedIs(t *testing.T) {
	log, err := ParseLogKey(string(readGolden(t, "note/log.vkey")))
	if err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 18)
	head[1] = 1
	for _, path := range goldenFiles(t, "rejected/*.json", 60) {
		var file struct{ What, Reason, Hex, Text, Key, Signature, Message string }
		data, _ := os.ReadFile(path)
		if err := json.Unmarshal(data, &file); err != nil {
			t.Fatal(err)
		}
		raw, err := unhex(t, file.Hex), error(nil)
		switch file.What {
		case "record":
			_, err = DecodeRecord(raw)
		case "signed_record":
			_, err = DecodeEntry(append(head, raw...))
			if _, direct := DecodeSignedRecord(raw); direct == nil {
				t.Errorf("%s is taken", path)
			}
		case "entry":
			_, err = DecodeEntry(raw)
		case "key":
			if !GoodKey(Bytes32(raw)) {
				err = refuse("not_canonical", "no good key")
			}
		case "signature":
			if !SignatureHolds(Bytes32(unhex(t, file.Key)), [64]byte(unhex(t, file.Signature)), unhex(t, file.Message)) {
				err = refuse("not_canonical", "it does not hold")
			}
		case "vkey":
			_, err = ParseLogKey(file.Text)
		case "checkpoint":
			var c *Checkpoint
			if c, err = ReadCheckpoint([]byte(file.Text)); err == nil {
				err = c.Verify(log)
			}
		case "receipt":
			_, err = VerifyReceipt([]byte(file.Text), Trust{Log: log})
		default:
			t.Fatalf("%s: %s", path, file.What)
		}
		if err == nil {
			t.Errorf("%s is taken: %s", path, file.Reason)
		}
		if file.What == "record" || file.What == "entry" || file.What == "signed_record" {
			wanted := "not_canonical"
			if strings.Contains(path, "genesis_without_format") || strings.Contains(path, "genesis_of_format_2") {
				wanted = "other_format"
			}
			if codeOf(err) != wanted {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
}

func TestGoldenReceiptsHold(t *testing.T) {
	log, _ := ParseLogKey(string(readGolden(t, "note/log.vkey")))
	next, _ := ParseLogKey(string(readGolden(t, "note/log_next.vkey")))
	witness, err := ParseWitnessKey(string(readGolden(t, "note/witness.vkey")))
	if err != nil {
		t.Fatal(err)
	}
	genesis, _ := Hex32("adb789073dfd75acf87b0426e30c576a53ef73c979ab4e6c3910f86fd6bd3cfe")
	items := 0
	for _, path := range goldenFiles(t, "receipts/*", 20) {
		name := filepath.Base(path)
		data, _ := os.ReadFile(path)
		key := log
		if strings.HasPrefix(name, "state_") && name != "state_items.tlog-proof" {
			key = next
		}
		proven, err := VerifyReceipt(data, Trust{Log: key, Genesis: &genesis})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		namesNone := proven.Entry.State != nil && len(proven.Shown) == 0
		if namesNone != (proven.Genesis == nil) || proven.Genesis != nil && *proven.Genesis != genesis {
			t.Errorf("%s: genesis %v", name, proven.Genesis)
		}
		for _, item := range proven.Items {
			items++
			namesNone = namesNone && item.Domain != "accounts"
		}
		if _, err := VerifyReceipt(data, Trust{Log: key, Genesis: new(Bytes32)}); (codeOf(err) == "genesis_other") == namesNone {
			t.Errorf("%s under another genesis: %v", name, err)
		}
		seen, err := VerifyReceipt(data, Trust{Log: key, Witnesses: []VerifierKey{witness}})
		policy, policyErr := ParsePolicy("log " + key.String() + "\nwitness w " + witness.String() + "\nquorum w\n")
		if policyErr != nil {
			t.Fatal(policyErr)
		}
		cosigned, byPolicy := VerifyReceipt(data, Trust{Policy: policy})
		if strings.Contains(name, "cosigned") {
			if err != nil || byPolicy != nil || seen.Witnesses[0].AtS == 0 || *cosigned.Policy.CosignedBy[0].AtS != seen.Witnesses[0].AtS {
				t.Errorf("%s: %v, %v", name, err, byPolicy)
			}
		} else if codeOf(err) != "witness_missing" || codeOf(byPolicy) != "quorum_missing" || OutcomeOf(byPolicy) != Unchecked {
			t.Errorf("%s: %v, %v", name, err, byPolicy)
		}
	}
	if items < 100 {
		t.Errorf("%d items", items)
	}
}

func TestFilesAboutTheStateThatDoNotHold(t *testing.T) {
	next, _ := ParseLogKey(string(readGolden(t, "note/log_next.vkey")))
	for _, path := range goldenFiles(t, "state_rejected/*.json", 30) {
		var file struct{ Outcome, Code, Text string }
		data, _ := os.ReadFile(path)
		if err := json.Unmarshal(data, &file); err != nil {
			t.Fatal(err)
		}
		_, err := VerifyReceipt([]byte(file.Text), Trust{Log: next})
		if OutcomeOf(err).String() != file.Outcome || codeOf(err) != file.Code {
			t.Errorf("%s: %v, it must be %s %s", path, err, file.Outcome, file.Code)
		}
	}
	var forged struct {
		Log   string
		Files []struct{ Name, Outcome, Code, Text string }
	}
	if err := json.Unmarshal(readGolden(t, "state_forged.json"), &forged); err != nil || len(forged.Files) < 50 {
		t.Fatal(err, len(forged.Files))
	}
	key, err := ParseLogKey(forged.Log)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range forged.Files {
		_, err := VerifyReceipt([]byte(file.Text), Trust{Log: key})
		if OutcomeOf(err).String() != file.Outcome || codeOf(err) != file.Code {
			t.Errorf("%s: %v, it must be %s %s", file.Name, err, file.Outcome, file.Code)
		}
	}
}

// answers are those of a server at its paths; of another path 404.
type answers map[string]Response

func (a answers) Do(_ context.Context, request Request) (Response, error) {
	path := strings.TrimPrefix(request.URL, "http://log.example")
	answer, has := a[path]
	if !has {
		answer = Response{Status: 404, Body: []byte("<p>no such page")}
	}
	asked := a["asked"]
	asked.Body = append(asked.Body, path+" "...)
	a["asked"] = asked
	return answer, nil
}

// A server that has the files alone has the newest checkpoint at /checkpoint.
func TestWhereTheNewestCheckpointIsRead(t *testing.T) {
	at := func(size string) Response {
		return Response{Status: 200, Body: readGolden(t, "log/"+size+"/checkpoint")}
	}
	for _, one := range []struct {
		server     answers
		size       uint64
		status     int
		whereWasIt string
	}{
		{answers{"/checkpoint": at("55"), "/v1/checkpoint": at("257")}, 257, 0, "/v1/checkpoint "},
		{answers{"/checkpoint": at("55")}, 55, 0, "/v1/checkpoint /checkpoint "},
		// Another refusal is no server without the address.
		{answers{"/checkpoint": at("55"), "/v1/checkpoint": {Status: 403, Body: []byte(`{"type":"urn:arborlog:problem:other","status":403}`)}}, 0, 403, "/v1/checkpoint "},
	} {
		client := Client{Addresses: []string{"http://log.example"}, Transport: one.server}
		checkpoint, _, err := client.Checkpoint(context.Background())
		var problem *Problem
		status := 0
		if errors.As(err, &problem) {
			status = problem.Status
		}
		if asked := string(one.server["asked"].Body); asked != one.whereWasIt || status != one.status {
			t.Errorf("%s, %v", asked, err)
		}
		if one.size > 0 && (err != nil || checkpoint.Size != one.size) {
			t.Errorf("%+v, %v", checkpoint, err)
		}
	}
}
