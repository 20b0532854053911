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

func TestTheTableShowsEveryWorkloadTheTotalsAndWhatToLookAt(t *testing.T) {
	golden(t, "report.txt", func(w io.Writer) error { return report.Table(w, report.New(input(t))) })
}

func TestTheJSONReportHoldsTheSameNumbers(t *testing.T) {
	golden(t, "report.json", func(w io.Writer) error { return report.JSON(w, report.New(input(t))) })
}

func TestExplainTellsTheWholeStory(t *testing.T) {
	for _, rec := range recommendations(t) {
		t.Run(rec.Name, func(t *testing.T) {
			golden(t, "explain-"+rec.Name+".txt", func(w io.Writer) error { return report.Explain(w, &rec) })
		})
	}
}

func TestAnEmptyReportSaysHowToBegin(t *testing.T) {
	golden(t, "empty.txt", func(w io.Writer) error { return report.Table(w, report.New(report.Input{Now: readTime})) })
	golden(t, "empty.json", func(w io.Writer) error { return report.JSON(w, report.New(report.Input{Now: readTime})) })
}

func TestAReportThatCannotBeWrittenIsAnError(t *testing.T) {
	all := recommendations(t)
	for name, write := range map[string]func(io.Writer) error{
		"table":   func(w io.Writer) error { return report.Table(w, report.New(input(t))) },
		"json":    func(w io.Writer) error { return report.JSON(w, report.New(input(t))) },
		"explain": func(w io.Writer) error { return report.Explain(w, &all[0]) },
	} {
		if write(fullDisk{}) == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, io.ErrShortWrite }
