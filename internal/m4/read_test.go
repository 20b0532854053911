package m4

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadTakesRowsOfDifferentLength(t *testing.T) {
	got, err := Read(strings.NewReader(`"V1","V2","V3","V4"
"H1","605","586.5","1e3"
"H2","3","",""
"H3","4",NA,NA
H4,5,6
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Series{
		{ID: "H1", Values: []float64{605, 586.5, 1000}},
		{ID: "H2", Values: []float64{3}},
		{ID: "H3", Values: []float64{4}},
		{ID: "H4", Values: []float64{5, 6}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReadNamesTheLineOfWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct{ file, says string }{
		"nothing":            {"", "empty"},
		"no header":          {"H1,1,2\n", `line 1: the header starts with "H1"`},
		"a word":             {"V1,V2,V3\nH1,1,2\nH2,1,x\n", `line 3, series H2: column V3: "x" is not a finite number`},
		"a hole":             {"V1,V2,V3,V4\nH1,1,,3\n", `line 2, series H1: column V3: ""`},
		"infinity":           {"V1,V2\nH1,inf\n", `line 2, series H1: column V2: "inf"`},
		"not a number":       {"V1,V2\nH1,NaN\n", `line 2, series H1: column V2: "NaN"`},
		"no values":          {"V1,V2\nH1,\n", "line 2, series H1: there are no values"},
		"no id":              {"V1,V2\n,1\n", "line 2: the series has no id"},
		"an id twice":        {"V1,V2\nH1,1\nH2,1\nH1,2\n", "line 4: series H1 is already on line 2"},
		"an open quote":      {"V1,V2\nH1,1\n\"H2,1\n", "line 3"},
		"a quote in between": {"V1,V2\nH1,1\"2\n", "line 2"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(strings.NewReader(c.file))
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("the error is %v; want it to say %s", err, c.says)
			}
		})
	}
}

func TestMatchPairsByIDAndLeavesOutTheRest(t *testing.T) {
	train := []Series{{ID: "a", Values: worked(60, 20)}, {ID: "only trained", Values: worked(60, 20)}, {ID: "b", Values: worked(70, 20)}}
	test := []Series{
		{ID: "b", Values: slices.Repeat([]float64{2}, 48)},
		{ID: "only tested", Values: worked(48, 20)},
		{ID: "a", Values: slices.Repeat([]float64{1}, 48)},
	}
	got, err := Match(train, test)
	if err != nil {
		t.Fatal(err)
	}
	want := []Case{
		{ID: "a", Past: worked(60, 20), Future: slices.Repeat([]float64{1}, 48)},
		{ID: "b", Past: worked(70, 20), Future: slices.Repeat([]float64{2}, 48)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHoldOutHidesTheLastTwoDays(t *testing.T) {
	values := worked(100, 20)
	got, err := HoldOut([]Series{{ID: "a", Values: values}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Case{{ID: "a", Past: values[:52], Future: values[52:]}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if cap(got[0].Past) != len(got[0].Past) {
		t.Error("appending to the past would write into the future")
	}
}

func TestWhatHasNoScoreIsRefused(t *testing.T) {
	day := slices.Repeat([]float64{1}, 48)
	for name, c := range map[string]struct {
		train, test []Series
		says        string
	}{
		"no series in common": {[]Series{{"a", worked(60, 20)}}, []Series{{"b", day}}, "no series"},
		"a shorter future":    {[]Series{{"a", worked(60, 20)}}, []Series{{"a", day[:47]}}, "test series a has 47 values; want 48"},
		"a past of one day":   {[]Series{{"a", worked(24, 20)}}, []Series{{"a", day}}, "series a has 24 hours of past"},
		"the same every day":  {[]Series{{"a", day}}, []Series{{"a", day}}, "series a repeats every 24 hours"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Match(c.train, c.test)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("the error is %v; want it to say %s", err, c.says)
			}
		})
	}
	if _, err := HoldOut([]Series{{"short", worked(40, 20)}}); err == nil {
		t.Error("a series of 40 hours was split into 48 and a past")
	}
}
