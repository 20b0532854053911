package operations

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/loadline-dev/loadline/e2e/install"
)

// What a running part really serves, as Prometheus scrapes it.
func TestTheMetricsOfEveryPartAreOnThePageAndNamedWell(t *testing.T) {
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil && os.Getenv("CI") == "" {
		t.Skip("promtool is not installed (Debian has it in the package prometheus)")
	}
	family := regexp.MustCompile(`(?m)^# TYPE (loadline_\S+) (\S+)$`)
	for _, part := range []string{install.Webhook, install.Recommender, install.Updater} {
		text, err := loadline.MetricsText(t.Context(), part)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text, `loadline_build_info{commit="`) || !strings.Contains(text, `part="`+part+`"`) {
			t.Errorf("the %s does not say what it is", part)
		}
		found := family.FindAllStringSubmatch(text, -1)
		if len(found) < 2 {
			t.Errorf("the %s has %d metrics of its own", part, len(found))
		}
		for _, f := range found {
			if !strings.Contains(string(page), "| `"+f[1]+"` | "+f[2]+" |") {
				t.Errorf("docs/metrics.md does not list %s, a %s of the %s", f[1], f[2], part)
			}
		}
		if promtool == "" {
			continue
		}
		check := exec.CommandContext(t.Context(), promtool, "check", "metrics")
		check.Stdin = strings.NewReader(own(text))
		if output, err := check.CombinedOutput(); err != nil {
			t.Errorf("promtool check metrics, %s: %v\n%s", part, err, output)
		}
	}
}

// own are the lines about Loadline's own metrics: those of the libraries are not ours to name.
func own(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "loadline_") || strings.HasPrefix(line, "# HELP loadline_") || strings.HasPrefix(line, "# TYPE loadline_") {
			b.WriteString(line)
		}
	}
	return b.String()
}
