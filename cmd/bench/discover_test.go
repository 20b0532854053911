package main

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// folder holds empty files, because only names count.
func folder(names ...string) fstest.MapFS {
	files := fstest.MapFS{}
	for _, name := range names {
		files[name] = &fstest.MapFile{}
	}
	return files
}

func TestRecordingsAreFoundUnderEitherNameAndInFoldersBelow(t *testing.T) {
	got, err := discover(folder(
		"README.md", "m4/Hourly-train.csv", "m4/M4_HOURLY_TEST.csv.gz", "nab/a/b/azure_cpu_cores.csv",
		"Bitbrains_August_cpu_cores.csv.gz", "bitbrains_august_memory_gb.csv", "more/azure_cpu_cores.csv", "azure_cpu_max_cores.csv.gz",
		"lonely_memory_gb.csv", "a/held/out_cpu_cores.csv", "a/tuned/out_cpu_cores.csv", "a/tuned/out_memory_gb.csv", "b/out_memory_gb.csv",
	))
	if err != nil {
		t.Fatal(err)
	}
	want := recordings{
		m4Train: "m4/Hourly-train.csv", m4Test: "m4/M4_HOURLY_TEST.csv.gz",
		traces: []traceFiles{
			{name: "a/held/out", cpu: "a/held/out_cpu_cores.csv"},
			{name: "a/tuned/out", cpu: "a/tuned/out_cpu_cores.csv", memory: "a/tuned/out_memory_gb.csv"},
			{name: "azure", cpu: "more/azure_cpu_cores.csv"},
			{name: "bitbrains_august", cpu: "Bitbrains_August_cpu_cores.csv.gz", memory: "bitbrains_august_memory_gb.csv"},
		},
		unused: []string{"azure_cpu_max_cores.csv.gz", "b/out_memory_gb.csv", "lonely_memory_gb.csv"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(recordings{}, traceFiles{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAmbiguousAndIncompleteFoldersAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		files fstest.MapFS
		says  []string
	}{
		"the same twice":          {folder("Hourly-train.csv", "sub/m4_hourly_train.csv.gz"), []string{"Hourly-train.csv", "sub/m4_hourly_train.csv.gz", "remove one"}},
		"a trace and its archive": {folder("a_cpu_cores.csv", "a_cpu_cores.csv.gz"), []string{"a_cpu_cores.csv.gz", "remove one"}},
		"a test part alone":       {folder("Hourly-test.csv"), []string{"Hourly-test.csv", "training part"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := discover(c.files)
			for _, text := range c.says {
				if err == nil || !strings.Contains(err.Error(), text) {
					t.Errorf("the error is %v; want it to say %s", err, text)
				}
			}
		})
	}
}
