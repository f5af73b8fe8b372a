package arborlog

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

func TestPoliciesAreReadByTheirLines(t *testing.T) {
	var cases struct {
		Keys map[string]struct{ Vkey string }
	}
	if err := json.Unmarshal(readGolden(t, "policy/cases.json"), &cases); err != nil {
		t.Fatal(err)
	}
	var forms struct {
		Forms []struct {
			Name, Policy, Hex string
			Fill              int
			Valid             bool
			Line              *int
		}
	}
	if err := json.Unmarshal(readGolden(t, "policy/forms.json"), &forms); err != nil || len(forms.Forms) < 80 {
		t.Fatal(err, len(forms.Forms))
	}
	valid, names := 0, regexp.MustCompile(`\{([^{}]+)\}`)
	for _, form := range forms.Forms {
		text := names.ReplaceAllStringFunc(strings.ReplaceAll(form.Policy, "{fill}", strings.Repeat("x", form.Fill)), func(name string) string {
			if key, known := cases.Keys[name[1:len(name)-1]]; known {
				return key.Vkey
			}
			return name
		})
		if form.Hex != "" {
			raw, _ := hex.DecodeString(form.Hex)
			text = string(raw)
		}
		_, err := ParsePolicy(text)
		var e *Error
		found, wanted := "", ""
		if errors.As(err, &e) {
			found = e.Code + " " + e.Where
		}
		if form.Valid {
			valid++
		} else {
			wanted = "policy_malformed "
			if form.Line != nil {
				wanted += fmt.Sprintf("line %d", *form.Line)
			}
		}
		if found != wanted {
			t.Errorf("%s: %v, it must be %q", form.Name, err, wanted)
		}
		inStatement := ""
		if !form.Valid || len(text) > 24_576 {
			inStatement = "not_canonical"
		}
		if _, err := EncodeStatement(&PolicyStatement{Policy: text}); codeOf(err) != inStatement {
			t.Errorf("%s, in a statement: %v", form.Name, err)
		}
	}
	if valid < 10 || OutcomeOf(refuse("policy_malformed", "")) != WrongUse {
		t.Errorf("%d are policies", valid)
	}
}
