//go:build full

package docs_test

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// example is what a page says that a command prints on the demo's shop. The history of the shop has noise in it, so numbers differ a
// little from run to run; what follows the hour of the day is not compared.
type example struct {
	page, command string
	lines         []string
}

var (
	// printed is the comment before a block that shows what a command prints. A line that is … stands for any number of others.
	printed = regexp.MustCompile("(?s)<!-- printed by: ([^\n]+) -->\n```[a-z]*\n(.*?)```")
	number  = regexp.MustCompile(`\d+(\.\d+)?`)
	// hourly are the lines that follow the hour of the day, or the run.
	hourly = regexp.MustCompile(`^(app +cpu|\d+\. .*CPU in place|\d+\. Replicas:|# .*, revision |# replicas:|replicas:)`)
)

// near is by how much a number may differ: sizes follow noise.
const near = 0.1

func examples(t *testing.T) []example {
	t.Helper()
	var found []example
	for _, page := range []string{"docs/how-a-number-is-made.md", "docs/gitops.md", "docs/report.md"} {
		text, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range printed.FindAllStringSubmatch(string(text), -1) {
			found = append(found, example{page, block[1], strings.Split(strings.TrimSpace(block[2]), "\n")})
		}
	}
	if len(found) < 3 {
		t.Errorf("%d examples only: are they still found?", len(found))
	}
	return found
}

// shows compares every example with what its command prints.
func (r *reader) shows(t *testing.T) {
	t.Helper()
	for _, e := range examples(t) {
		command := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", e.command)
		command.Dir, command.Env = r.folder, r.environment()
		output, err := command.Output()
		if err != nil {
			t.Errorf("%s: %s: %v", e.page, e.command, err)
			continue
		}
		rest := strings.Split(string(output), "\n")
		for _, line := range e.lines {
			line = strings.TrimSpace(line)
			if line == "" || line == "…" || hourly.MatchString(line) {
				continue
			}
			at := 0
			for at < len(rest) && !alike(line, strings.TrimSpace(rest[at])) {
				at++
			}
			if at == len(rest) {
				t.Errorf("%s: %s does not print, after the lines before,\n%s\nIt prints\n%s", e.page, e.command, line, output)
				break
			}
			rest = rest[at+1:]
		}
	}
}

// alike reports whether two lines say the same with numbers that are near each other. Spaces do not count.
func alike(a, b string) bool {
	words := func(line string) string { return strings.Join(strings.Fields(number.ReplaceAllString(line, "#")), " ") }
	x, y := number.FindAllString(a, -1), number.FindAllString(b, -1)
	if words(a) != words(b) || len(x) != len(y) {
		return false
	}
	for i := range x {
		p, _ := strconv.ParseFloat(x[i], 64) // it is a number
		q, _ := strconv.ParseFloat(y[i], 64) // likewise
		if math.Abs(p-q) > near*max(math.Abs(p), math.Abs(q)) {
			return false
		}
	}
	return true
}

func TestNumbersOfAnExampleMayDifferALittle(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"p95 is 0.385 cores: 448m", "p95  is 0.380 cores: 441m", true},
		{"p95 is 0.385 cores: 448m", "p95 is 0.385 cores: 600m", false},
		{"p95 is 0.385 cores: 448m", "p95 is 0.385 cores", false},
		{"app: Keep", "app: Ratio", false},
	} {
		if got := alike(c.a, c.b); got != c.want {
			t.Errorf("%q and %q: %v", c.a, c.b, got)
		}
	}
}
