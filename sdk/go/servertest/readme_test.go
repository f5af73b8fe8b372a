package servertest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheReadmesFirstAward runs the lines of the README, with this ledger's address and key in them.
func TestTheReadmesFirstAward(t *testing.T) {
	l := newLedger(t)
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "```go\n")
	lines, _, _ := strings.Cut(rest, "```")
	if count := strings.Count(lines, "\n"); count != 10 {
		t.Fatalf("it has %d lines", count)
	}
	page, err := os.ReadFile("../../../docs/integrating.md")
	if err != nil || !strings.Contains(string(page), "```go\n"+lines+"```") {
		t.Fatalf("docs/integrating.md has other lines: %v", err)
	}
	lines = strings.ReplaceAll(lines, "https://ledger.example.org", l.url)
	lines = strings.ReplaceAll(lines, "example.org/ledger+19103eb6+AbXqQiyuhBBRlQnzebTvVS59E26NZpmPNotdBu/Tu0Kr", l.log.String())
	lines = strings.ReplaceAll(lines, `"app.pem"`, `"`+filepath.Join(l.dir, "app.pem")+`"`)
	lines = strings.ReplaceAll(lines, "file:platform.db", "file:"+filepath.Join(l.dir, "platform.db"))
	source := `package main

import (
	"context"
	"database/sql"
	"fmt"

	arborlog "arborlog.org/go"
	"arborlog.org/go/sqlbox"
	_ "modernc.org/sqlite"
)

func main() {
	ctx := context.Background()
	account, evidence := arborlog.Bytes32{1}, arborlog.Bytes32{2}
` + lines + `	fmt.Println(report.In, err, state.State)
}
`
	if err := os.MkdirAll("readme", 0o755); err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll("readme")
	if err := os.WriteFile("readme/main.go", []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "run", "./readme").CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "1 <nil> in" {
		t.Fatalf("%v: %s", err, out)
	}
}
