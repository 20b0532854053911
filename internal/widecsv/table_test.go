package widecsv_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/loadline-dev/loadline/internal/widecsv"
)

var nan = float32(math.NaN())

func read(t *testing.T, text string) *widecsv.Table {
	t.Helper()
	table, err := widecsv.Read(strings.NewReader(text), "usage.csv")
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return table
}

func TestWhatSpreadsheetsAndScriptsWriteIsRead(t *testing.T) {
	want := &widecsv.Table{
		Names:   []string{"web", "database, blue"},
		Columns: [][]float32{{nan, 0.25, 1500}, {1, nan, 0}},
		Rows:    3,
	}
	for style, text := range map[string]string{
		"plain":                  "web,\"database, blue\"\n,1\n0.25,\n1500,0\n",
		"no line end at the end": "web,\"database, blue\"\n,1\n0.25,\n1500,0",
		"CRLF":                   "web,\"database, blue\"\r\n,1\r\n0.25,\r\n1500,0\r\n",
		"byte order mark":        "\ufeffweb,\"database, blue\"\n,1\n0.25,\n1500,0\n",
		"quoted values":          "\"web\",\"database, blue\"\n\"\",\"1\"\n\"0.25\",\"\"\n\"1500\",\"0\"\n",
		"spaces":                 " web ,\"database, blue\"\n\t, 1\n0.25 ,\n 1500,0\n",
		"NaN":                    "web,\"database, blue\"\nNaN,1\n0.25,nan\n1500,-0\n",
		"scientific":             "web,\"database, blue\"\n,1e0\n2.5E-1,\n1.5e+3,0e9\n",
		"blank lines at the end": "web,\"database, blue\"\n,1\n0.25,\n1500,0\n\n\r\n",
	} {
		if diff := cmp.Diff(want, read(t, text), cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", style, diff)
		}
	}
}

func TestAFileWithOneColumnMayHaveMissingValues(t *testing.T) {
	got := read(t, "web\n\"\"\n1\nNaN\n2\n")
	if diff := cmp.Diff([][]float32{{nan, 1, nan, 2}}, got.Columns, cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAColumnOfTimesGivesStartAndStep(t *testing.T) {
	for _, column := range [][]string{
		{"time", "2026-03-02T00:00:00Z", "2026-03-02T00:05:00Z", "2026-03-02T00:10:00Z"},
		{"TimeStamp", "2026-03-02T01:00:00+01:00", "2026-03-02T00:05:00Z", "2026-03-02T01:10:00+01:00"},
		{" Time", "2026-03-02 00:00:00", "2026-03-02 00:05:00", "2026-03-02 00:10:00"},
		{"timestamp", "1772409600", "1772409900", "1772410200"},
	} {
		got := read(t, fmt.Sprintf("%s,web\n%s,1\n%s,\n%s,3\n", column[0], column[1], column[2], column[3]))
		want := &widecsv.Table{
			Names: []string{"web"}, Columns: [][]float32{{1, nan, 3}}, Rows: 3,
			Start: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), Step: 5 * time.Minute,
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", column[1], diff)
		}
	}
}

func TestAMissingRowIsAGap(t *testing.T) {
	for text, want := range map[string]*widecsv.Table{
		"time,web\n0,1\n60,2\n180,4\n240,5\n": {Columns: [][]float32{{1, 2, nan, 4, 5}}, Rows: 5, Missing: 1},
		"time,web\n0,1\n180,4\n240,\n300,6\n": {Columns: [][]float32{{1, nan, nan, 4, nan, 6}}, Rows: 6, Missing: 2},
	} {
		want.Names, want.Start, want.Step = []string{"web"}, time.Unix(0, 0).UTC(), time.Minute
		if diff := cmp.Diff(want, read(t, text), cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

// Local times jump in spring, and some exports then write an hour of rows with one time.
func TestRowsAroundAChangeOfTheClockAreRead(t *testing.T) {
	text := &strings.Builder{}
	text.WriteString("time,web\n")
	for minute := range 300 {
		fmt.Fprintf(text, "%d,1\n", 60*minute)
		if minute == 200 {
			text.WriteString("12000,7\n12020,3\n")
		}
	}
	got := read(t, text.String())
	if got.Rows != 300 || got.Step != time.Minute || got.Stray != 2 || got.Missing != 0 || got.Columns[0][200] != 7 || got.Columns[0][201] != 1 {
		t.Errorf("%d rows of %s, %d stray, %d missing, %v", got.Rows, got.Step, got.Stray, got.Missing, got.Columns[0][199:203])
	}
}

func TestAnErrorSaysWhereWhatAndWhatIsLegal(t *testing.T) {
	const cell = "legal are numbers from 0 up"
	long := "web\n" + strings.Repeat("x", 1000) + "\n"
	for text, wants := range map[string][]string{
		"":                           {"empty", "name the series"},
		"\n\n":                       {"empty"},
		"\ufeff":                     {"empty"},
		"web,db\n":                   {"line 1", "no row under it"},
		"1.5,2\n3,4\n":               {"line 1", "numbers where names are expected"},
		"1,\n3,4\n":                  {"line 1", "numbers where names are expected"},
		"web,db,web\n1,2,3\n":        {"line 1, column 3", `"web" is taken by column 1`},
		"web,,db\n1,2,3\n":           {"line 1, column 2", "the name is empty"},
		",web\n0,2\n":                {"line 1, column 1", "the name is empty", "index"},
		"web,d\x00b\n1,2\n":          {"line 1, column 2", `"d\x00b" contains a control character`},
		"web\rdb\r1\r2\r":            {"line 1, column 1", "control character"},
		"web,\"d\nb\"\n1,2\n":        {"line 1, column 2", "control character"},
		"web,d\xffb\n1,2\n":          {"line 1, column 2", "not UTF-8"},
		"web;db\n1;2\n":              {"line 1", `"web;db" seems to be separated by semicolons or tabs`},
		"web\tdb\n1\t2\n":            {"line 1", "semicolons or tabs"},
		"web,db\n1,2\n1\n":           {"line 3: 1 cells, but the header has 2"},
		"web,db\n1,2,\n":             {"line 2: 3 cells, but the header has 2"},
		"web,db\n1,5,2,5\n":          {"line 2: 4 cells", "decimal commas"},
		"web,db\n1,2\n\n1,2\n":       {"line 3 is blank", "NaN"},
		"\nweb\n1\n\n\n1\n":          {"line 4 is blank"},
		"web,db\n1,2\n3,four\n":      {`line 3, column 2: series "db": "four" is not a number`, cell},
		"web,db\n1,\"1,5\"\n":        {`line 2, column 2`, `"1,5" is not a number`, cell, "decimal point"},
		"web,db\n1,Inf\n":            {`line 2, column 2`, `"Inf" is infinite`, cell},
		"web,db\n-infinity,1\n":      {`line 2, column 1`, `"-infinity" is infinite`, cell},
		"web,db\n1,1e39\n":           {`line 2, column 2`, `"1e39" is too large`, cell},
		"web,db\n-0.1,1\n":           {`line 2, column 1`, `"-0.1" is negative`, cell},
		"web,db\n1,0x1p-2\n":         {`line 2, column 2`, `"0x1p-2" is not a number`, cell},
		"web,db\n1,1_000\n":          {`line 2, column 2`, `"1_000" is not a number`, cell},
		"web,db\n1,250m\n":           {`line 2, column 2`, `"250m" is not a number`, cell},
		"web,db\n1,null\n":           {`line 2, column 2`, `"null" is not a number`, cell},
		"web,db\n1,\"2\n\"\n":        {`line 2, column 2`, `"2\n" is not a number`},
		"web,db\n1,2\n\"3,4\n":       {"line 3, character 6", `"`},
		"web,db\n1,2\n1\"3,4\n":      {"line 3, character 2", `"`},
		"time\n1772409600\n":         {"line 1", "no series"},
		"time,web\nnoon,1\n":         {`line 2, column 1: "noon" is not a time`, "RFC 3339", "seconds since 1970"},
		"time,web\n,1\n":             {`line 2, column 1: "" is not a time`},
		"time,web\n1772409600000,1":  {`line 2, column 1: "1772409600000" is not a time`},
		"time,web\n60,1\n60,1\n":     {"line 3, column 1", "not later than the row before"},
		"time,web\n60,1\n0,1\n":      {"line 3, column 1", "not later than the row before"},
		"time,web\n0,\n6,\n12,\n15,": {"line 5, column 1", "3s after the row before", "6s apart", "equal steps"},
		"time,web\n0,1\n1,\n20001,":  {"line 4, column 1", "5h33m20s after the row before", "1s apart", "gap"},
		long:                         {`"xxxx`, "…"},
	} {
		_, err := widecsv.Read(strings.NewReader(text), "usage.csv")
		if err == nil {
			t.Errorf("%q was read", text)
			continue
		}
		for _, want := range append(wants, "usage.csv: ") {
			if !strings.Contains(err.Error(), want) || len(err.Error()) > 400 {
				t.Errorf("%q gives %q, which does not say %q", text, err, want)
			}
		}
	}
}

func TestWholeNumbersMayBeNames(t *testing.T) {
	if got := read(t, "0,1\n0.5,2\n"); got.Rows != 1 || got.Names[1] != "1" {
		t.Errorf("read %v", got)
	}
}

func TestAFailingReaderIsAnError(t *testing.T) {
	broken := errors.New("the disk is on fire")
	for _, start := range []string{"", "web\n", "web\n1\n"} {
		r := io.MultiReader(strings.NewReader(start), iotest.ErrReader(broken))
		if _, err := widecsv.Read(r, "usage.csv"); !errors.Is(err, broken) {
			t.Errorf("after %q: %v", start, err)
		}
	}
}

func TestFilesMayBeCompressedWhateverTheirName(t *testing.T) {
	var compressed bytes.Buffer
	w := gzip.NewWriter(&compressed)
	if _, err := io.WriteString(w, "web\n1\n2\n"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"plain.csv": "web\n1\n2\n", "plain.gz": "web\n1\n2\n", "packed.csv": compressed.String()} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, given := range []string{path, widecsv.Stdin} {
			table, err := widecsv.ReadFile(given, strings.NewReader(content))
			if err != nil || table.Rows != 2 {
				t.Errorf("%s as %s: %v, %v", name, given, table, err)
			}
		}
	}
}

func TestAnUnreadableFileIsNamed(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.csv")
	if _, err := widecsv.ReadFile(missing, nil); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("missing: %v", err)
	}
	folder := t.TempDir()
	if _, err := widecsv.ReadFile(folder, nil); err == nil || !strings.Contains(err.Error(), folder) {
		t.Errorf("a folder: %v", err)
	}
	for name, content := range map[string]string{"header": "\x1f\x8b", "body": "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x4a"} {
		if _, err := widecsv.ReadFile(widecsv.Stdin, strings.NewReader(content)); err == nil {
			t.Errorf("a cut %s was read", name)
		}
	}
	if _, err := widecsv.ReadFile(widecsv.Stdin, strings.NewReader("web\nx\n")); err == nil || !strings.Contains(err.Error(), "standard input: line 2") {
		t.Errorf("standard input: %v", err)
	}
}

func FuzzReadGivesAWholeTableOrAnError(f *testing.F) {
	for _, seed := range []string{"web,db\n1,2\n,NaN\n", "time,web\n0,1\n60,2\n", "\ufeff\"a\"\r\n\"1\"\r\n", "a\n\n1\n", "a,b\n1,\"2\n", "1\n1e39\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		table, err := widecsv.Read(strings.NewReader(text), "fuzz.csv")
		if err != nil {
			if table != nil || !strings.HasPrefix(err.Error(), "fuzz.csv: ") {
				t.Fatalf("table %v with error %v", table, err)
			}
			return
		}
		if len(table.Names) == 0 || len(table.Names) != len(table.Columns) || table.Rows < 1 || table.Step < 0 {
			t.Fatalf("a table of %d names, %d columns, %d rows, step %s", len(table.Names), len(table.Columns), table.Rows, table.Step)
		}
		for i, column := range table.Columns {
			if len(column) != table.Rows || table.Names[i] == "" {
				t.Fatalf("column %d (%q) has %d of %d rows", i, table.Names[i], len(column), table.Rows)
			}
			for _, v := range column {
				if v < 0 || math.IsInf(float64(v), 0) {
					t.Fatalf("column %d holds %v", i, v)
				}
			}
		}
	})
}

func BenchmarkRead(b *testing.B) {
	const rows, columns = 8640, 500
	var text bytes.Buffer
	for c := range columns {
		fmt.Fprintf(&text, "vm%03d%s", c, separator(c, columns))
	}
	for r := range rows {
		for c := range columns {
			fmt.Fprintf(&text, "%.4g%s", 1+math.Sin(float64(r*columns+c)), separator(c, columns))
		}
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := widecsv.Read(bytes.NewReader(text.Bytes()), "bench.csv"); err != nil {
			b.Fatal(err)
		}
	}
}

func separator(column, columns int) string {
	if column == columns-1 {
		return "\n"
	}
	return ","
}
