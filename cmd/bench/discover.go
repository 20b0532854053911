package main

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// recordings are the files of a folder that can be measured; "" where there is none.
type recordings struct {
	m4Train, m4Test string
	traces          []traceFiles
}

// traceFiles are the tables of one trace: a column is a workload, a row five minutes.
type traceFiles struct {
	name string
	// cpu is the mean of each interval in cores, memory is in GB.
	cpu, memory string
}

func (r recordings) empty() bool { return r.m4Train == "" && len(r.traces) == 0 }

const (
	cpuSuffix    = "_cpu_cores.csv"
	memorySuffix = "_memory_gb.csv"
)

// discover looks for recordings in a folder and in the folders directly below it. Capitals do not matter, and each file may
// be compressed with gzip. Two files that could be the same recording are an error.
func discover(files fs.FS) (recordings, error) {
	paths, err := list(files)
	if err != nil {
		return recordings{}, err
	}
	byName := map[string]string{} // the name without .gz, in lower case, to the path
	for _, p := range paths {
		name := strings.TrimSuffix(strings.ToLower(path.Base(p)), ".gz")
		switch name {
		case "hourly-train.csv":
			name = "m4_hourly_train.csv"
		case "hourly-test.csv":
			name = "m4_hourly_test.csv"
		}
		if !isRecording(name) {
			continue
		}
		if other, found := byName[name]; found {
			return recordings{}, fmt.Errorf("%s and %s are the same recording: remove one", other, p)
		}
		byName[name] = p
	}
	r := recordings{m4Train: byName["m4_hourly_train.csv"], m4Test: byName["m4_hourly_test.csv"]}
	if r.m4Test != "" && r.m4Train == "" {
		return recordings{}, fmt.Errorf("%s is there without the training part of the series", r.m4Test)
	}
	for name, p := range byName {
		if prefix, ok := strings.CutSuffix(name, cpuSuffix); ok {
			r.traces = append(r.traces, traceFiles{
				name: prefix, cpu: p, memory: byName[prefix+memorySuffix],
			})
		}
	}
	slices.SortFunc(r.traces, func(a, b traceFiles) int { return strings.Compare(a.name, b.name) })
	return r, nil
}

func isRecording(name string) bool {
	switch name {
	case "m4_hourly_train.csv", "m4_hourly_test.csv":
		return true
	}
	return strings.HasSuffix(name, cpuSuffix) || strings.HasSuffix(name, memorySuffix)
}

// list returns the files of a folder and of the folders directly below it.
func list(files fs.FS) ([]string, error) {
	var paths []string
	err := fs.WalkDir(files, ".", func(p string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !entry.IsDir():
			paths = append(paths, p)
		case strings.Count(p, "/") > 0:
			return fs.SkipDir
		}
		return nil
	})
	return paths, err
}
