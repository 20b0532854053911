package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/loadline-dev/loadline/internal/m4"
)

// hourly writes a file in the competition's format: for each series the hours from first to last, with a day and a trend.
func hourly(t *testing.T, folder, name string, series, first, last int) {
	t.Helper()
	var b strings.Builder
	b.WriteString(`"V1","V2"` + "\n")
	for s := range series {
		fmt.Fprintf(&b, `"H%d"`, s+1)
		for h := first; h < last; h++ {
			fmt.Fprintf(&b, `,"%.2f"`, 100+float64(h)/50+float64(20+s)*math.Sin(2*math.Pi*float64(h)/24)+float64(h*h*7919%13))
		}
		b.WriteString(",,\n")
	}
	write(t, filepath.Join(folder, name), b.String())
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWithoutATestPartTheLastTwoDaysAreHeldOutAndItSaysSo(t *testing.T) {
	data := t.TempDir()
	hourly(t, data, "Hourly-train.csv", 3, 0, 700)
	saved := filepath.Join(t.TempDir(), "results.json")
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-data", data, "-out", saved}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"Validation, not the competition's score", "| Loadline", "| seasonal naive", "| Naive2", "| Theta", "M4 hourly OWA"} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("the output does not say %q:\n%s", text, out.String())
		}
	}
	encoded, err := os.ReadFile(saved)
	if err != nil {
		t.Fatal(err)
	}
	var got results
	if err := json.Unmarshal(encoded, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.M4.Rows) != 4 || got.M4.Harness != "" || got.M4.Rows[0].Method != "Loadline" || got.M4.Rows[0].Series != 3 || len(got.Bars) != 4 {
		t.Errorf("saved was %s", encoded)
	}
}

func TestWithATestPartOnlySeriesInBothAreScored(t *testing.T) {
	data := t.TempDir()
	hourly(t, data, "m4_hourly_train.csv", 3, 0, 700)
	hourly(t, data, "m4_hourly_test.csv", 2, 700, 748)
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-data", data}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"2 series that both parts have", "Published scores are over 414 series and could not be checked"} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("the output does not say %q:\n%s", text, out.String())
		}
	}
}

func TestAHarnessThatMissesPublishedScoresIsWrong(t *testing.T) {
	for _, c := range []struct {
		benchmark int
		score     m4.Score
		right     bool
	}{
		{0, m4.Score{SMAPE: 13.9124, MASE: 1.1933}, true},
		{0, m4.Score{SMAPE: 13.93, MASE: 1.193}, false},
		{0, m4.Score{SMAPE: 13.912, MASE: 1.196}, false},
		{2, m4.Score{SMAPE: 18.14, MASE: 2.45}, true},
		{2, m4.Score{SMAPE: 18.138, MASE: 2.3}, false},
	} {
		known := benchmarks()[c.benchmark]
		if err := known.check(c.score); (err == nil) != c.right {
			t.Errorf("%s at %+v: %v", known.name, c.score, err)
		}
	}
}

func TestNothingOfM4IsMeasuredWithAWrongHarness(t *testing.T) {
	data := t.TempDir()
	hourly(t, data, "m4_hourly_train.csv", hourlySeries, 0, 700)
	hourly(t, data, "m4_hourly_test.csv", hourlySeries, 700, 748)
	var out bytes.Buffer
	err := run(t.Context(), []string{"-data", data}, &out, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "harness is wrong") || !strings.Contains(err.Error(), "seasonal naive scores sMAPE") {
		t.Errorf("the error is %v", err)
	}
	if strings.Contains(out.String(), "OWA") {
		t.Errorf("the run went on:\n%s", out.String())
	}
}

func TestWrongCallsAndFilesAreNamed(t *testing.T) {
	empty, broken := t.TempDir(), t.TempDir()
	write(t, filepath.Join(broken, "Hourly-train.csv"), "V1,V2\nH1,1\nH2,one\n")
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"no folder":       {nil, "usage: bench -data FOLDER"},
		"missing folder":  {[]string{"-data", filepath.Join(empty, "missing")}, "missing"},
		"an empty folder": {[]string{"-data", empty}, "holds none of: m4_hourly_train.csv"},
		"a broken file":   {[]string{"-data", broken}, `read Hourly-train.csv: line 3, series H2: column V2: "one" is not a finite number`},
	} {
		t.Run(name, func(t *testing.T) {
			err := run(t.Context(), c.args, io.Discard, io.Discard)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("the error is %v; want it to say %s", err, c.says)
			}
		})
	}
}
