package report_test

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/loadline-dev/loadline/api/v1alpha1"
	"github.com/loadline-dev/loadline/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

var readTime = metav1.Time{Time: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)}

// recommendations reads testdata/recommendations.yaml: one that is sized, one that needs more, one that waits, and one that
// holds next to nothing.
func recommendations(t *testing.T) []v1alpha1.Recommendation {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", "recommendations.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var list v1alpha1.RecommendationList
	if err := yaml.UnmarshalStrict(content, &list); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// input is what the reports of the tests are made of.
func input(t *testing.T) report.Input {
	t.Helper()
	return report.Input{Now: readTime, Recommendations: recommendations(t), Prices: report.DefaultPrices()}
}

// golden compares what write writes with a file, or writes that file.
func golden(t *testing.T, name string, write func(io.Writer) error) {
	t.Helper()
	var got bytes.Buffer
	if err := write(&got); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s (-want +got); if this is wanted, run the test with -update:\n%s", name, diff)
	}
}

func TestTheTableBeginsWithWhyNothingIsChanged(t *testing.T) {
	var out strings.Builder
	r := report.New(report.Input{})
	r.Halts = []string{"the circuit breaker is open\nsince noon"}
	if err := report.Table(&out, r); err != nil {
		t.Fatal(err)
	}
	if want := "Running pods are left alone: the circuit breaker is open since noon\n"; !strings.HasPrefix(out.String(), want) {
		t.Errorf("table = %q, want it to begin with %q", out.String(), want)
	}
}

// formats are all ways of writing a report, by the name of their golden file's ending.
var formats = map[string]func(io.Writer, report.Report) error{
	"txt": report.Table, "json": report.JSON, "yaml": report.YAML, "csv": report.CSV, "md": report.Markdown, "html": report.HTML,
}

func TestEveryFormatHoldsTheSameReport(t *testing.T) {
	in := input(t)
	in.Halts = []string{"ConfigMap loadline-system/loadline-kill-switch is there"}
	in.Nodes = []corev1.Node{node("n1", 4), node("n2", 4), node("n3", 8)}
	in.Pods = []corev1.Pod{podOf("checkout", "n1"), podOf("payments", "n2"), podOf("other", "n3")}
	before := in
	before.Now, before.Recommendations = metav1.Time{Time: readTime.Add(-7 * 24 * time.Hour)}, in.Recommendations[:2]
	in.Before = new(report.New(before))
	for ending, write := range formats {
		t.Run(ending, func(t *testing.T) {
			golden(t, "report."+ending, func(w io.Writer) error { return write(w, report.New(in)) })
			golden(t, "empty."+ending, func(w io.Writer) error { return write(w, report.New(report.Input{Now: readTime})) })
		})
	}
}

func TestTextsThatPeopleWroteStayTexts(t *testing.T) {
	rec := right("a")
	rec.Status.Display.Why = "=cmd|' /C calc'!A0 <script>alert(1)</script> | a `b` @everybody\n# c https://example.com"
	rec.Status.Findings = []v1alpha1.Finding{{Type: "Observation", Severity: v1alpha1.SeverityWarning, Message: rec.Status.Display.Why}}
	r := report.New(report.Input{Now: readTime, Recommendations: []v1alpha1.Recommendation{rec}})
	for ending, refused := range map[string][]string{
		"csv": {"\n#", ",=cmd", ",\"=cmd"}, "md": {"<script", "\n#\u0020c", "`b`", "@everybody", "> | a", "https://"}, "html": {"<script"}, "txt": {"\n# c"},
	} {
		var out strings.Builder
		if err := formats[ending](&out, r); err != nil {
			t.Fatal(err)
		}
		for _, text := range refused {
			if strings.Contains(out.String(), text) {
				t.Errorf("%s holds %q:\n%s", ending, text, out.String())
			}
		}
	}
}

func TestExplainTellsTheWholeStory(t *testing.T) {
	for _, rec := range recommendations(t) {
		t.Run(rec.Name, func(t *testing.T) {
			golden(t, "explain-"+rec.Name+".txt", func(w io.Writer) error { return report.Explain(w, &rec) })
		})
	}
}

func TestAReportThatCannotBeWrittenIsAnError(t *testing.T) {
	r, all := report.New(input(t)), recommendations(t)
	for name, write := range formats {
		if write(fullDisk{}, r) == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if report.Explain(fullDisk{}, &all[0]) == nil {
		t.Error("explain: no error")
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestALittleMoreIsNotWrittenAsMinusNothing(t *testing.T) {
	r := report.New(report.Input{Now: readTime, Recommendations: []v1alpha1.Recommendation{resized(right("a"), "1001m", "1Gi")}})
	var out strings.Builder
	if err := report.Table(&out, r); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "-0") {
		t.Errorf("there is no such number:\n%s", out.String())
	}
}
