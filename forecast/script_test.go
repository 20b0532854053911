package forecast

import (
	"bufio"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// script is one case of a file in testdata: its keys and values in order.
type script struct {
	name  string
	lines []keyValue
}

type keyValue struct{ key, value string }

func (s script) get(key string) (string, bool) {
	for _, l := range s.lines {
		if l.key == key {
			return l.value, true
		}
	}
	return "", false
}

func readScripts(t *testing.T, path string) []script {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var scripts []script
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		line := strings.TrimSpace(scanner.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, found := strings.Cut(line, ":")
		if !found {
			t.Fatalf("%s: %q has no colon", path, line)
		}
		value = strings.TrimSpace(value)
		if key == "case" {
			scripts = append(scripts, script{name: value})
			continue
		}
		last := &scripts[len(scripts)-1]
		last.lines = append(last.lines, keyValue{key, value})
	}
	return scripts
}

// numbers reads "1 _ [2 3]x2 inf".
func numbers(t *testing.T, text string) []float32 {
	t.Helper()
	var values []float32
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		if rest, ok := strings.CutPrefix(text, "["); ok {
			group, after, _ := strings.Cut(rest, "]")
			times, tail := "1", after
			if counted, ok := strings.CutPrefix(after, "x"); ok {
				times, tail, _ = strings.Cut(counted, " ")
			}
			n, err := strconv.Atoi(times)
			if err != nil {
				t.Fatalf("repetition of [%s]: %v", group, err)
			}
			for range n {
				values = append(values, numbers(t, group)...)
			}
			text = tail
			continue
		}
		word, rest, _ := strings.Cut(text, " ")
		if word == "_" {
			word = "NaN"
		}
		v, err := strconv.ParseFloat(word, 32)
		if err != nil {
			t.Fatal(err)
		}
		values, text = append(values, float32(v)), rest
	}
	return values
}

func checkNumbers(t *testing.T, what string, got []float64, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: got %.3f, want %v", what, got, want)
		return
	}
	for i, w := range want {
		if math.Abs(got[i]-float64(w)) > 0.01*float64(w) {
			t.Errorf("%s: got %.3f, want %v", what, got, want)
			return
		}
	}
}

func checkNumber(t *testing.T, what string, got float64, want string) {
	t.Helper()
	if want == "unknown" || want == "_" {
		if !math.IsNaN(got) {
			t.Errorf("%s: got %v, want none", what, got)
		}
		return
	}
	w, err := strconv.ParseFloat(want, 64)
	if err != nil {
		t.Fatal(err)
	}
	if !(math.Abs(got-w) < 1e-6) {
		t.Errorf("%s: got %v, want %v", what, got, w)
	}
}

func TestPredictDoesWhatTheScriptsSay(t *testing.T) {
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	for _, s := range readScripts(t, "testdata/predict.txt") {
		t.Run(s.name, func(t *testing.T) {
			history, _ := s.get("history")
			stepText, _ := s.get("steps")
			steps, err := strconv.Atoi(stepText)
			if err != nil {
				t.Fatal(err)
			}
			series := Series{Start: start, Step: 6 * time.Hour, Values: numbers(t, history)}
			f := Predict(series, Options{Horizon: steps})
			if !f.Empty() && !f.Start.Equal(series.End()) {
				t.Errorf("starts at %v, want the end of the history %v", f.Start, series.End())
			}
			for _, l := range s.lines {
				checkForecastLine(t, f, l)
			}
		})
	}
}

func checkForecastLine(t *testing.T, f Forecast, l keyValue) {
	t.Helper()
	upper := map[string]float64{"p85": 0.85, "p95": 0.95, "p95 at most": 0.95}
	switch l.key {
	case "history", "steps":
	case "mean":
		checkNumbers(t, l.key, f.Mean, numbers(t, l.value))
	case "p85", "p95":
		values, _ := f.Quantile(upper[l.key])
		checkNumbers(t, l.key, values, numbers(t, l.value))
	case "p95 at most":
		values, _ := f.Quantile(upper[l.key])
		for _, v := range values {
			if want := float64(numbers(t, l.value)[0]); v > want+1e-9 {
				t.Errorf("p95: got %v, want at most %v", values, want)
			}
		}
	case "weights":
		var names []string
		for _, w := range f.Weights {
			names = append(names, w.Model)
		}
		if got := strings.Join(names, " "); got != l.value {
			t.Errorf("models: got %q, want %q", got, l.value)
		}
	case "error":
		checkNumber(t, l.key, f.BacktestError, l.value)
	case "coverage":
		checkNumber(t, l.key, f.Quantiles[0].Coverage, l.value)
	default:
		t.Errorf("unknown line %q", l.key)
	}
}
