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
	// unused are the tables that are nothing of that: by their names, or as memory that belongs to no trace.
	unused []string
}

// traceFiles are the tables of one trace: a column is a workload, a row five minutes.
type traceFiles struct {
	name string
	// cpu is the mean of each interval in cores, memory is in GB.
	cpu, memory string
}

func (r recordings) empty() bool { return r.m4Train == "" && len(r.traces) == 0 }

// measures says whether a table is the memory of a trace.
func (r recordings) measures(memory string) bool {
	return slices.ContainsFunc(r.traces, func(t traceFiles) bool { return t.memory == memory })
}

const (
	m4TrainName  = "m4_hourly_train.csv"
	m4TestName   = "m4_hourly_test.csv"
	cpuSuffix    = "_cpu_cores.csv"
	memorySuffix = "_memory_gb.csv"
	// foldersDown is how far below the folder recordings are looked for.
	foldersDown = 2
)

// discover looks for recordings in a folder and in those below it. Capitals do not matter, and each file may be compressed with gzip. Traces of
// one name are told apart by their folders; other files that could be the same recording are an error.
func discover(files fs.FS) (recordings, error) {
	paths, err := list(files)
	if err != nil {
		return recordings{}, err
	}
	byName, unused, err := named(paths)
	if err != nil {
		return recordings{}, err
	}
	r := recordings{m4Train: strings.Join(byName[m4TrainName], ""), m4Test: strings.Join(byName[m4TestName], ""), unused: unused}
	if r.m4Test != "" && r.m4Train == "" {
		return recordings{}, fmt.Errorf("%s is there without the training part of the series", r.m4Test)
	}
	for name, found := range byName {
		if prefix, ok := strings.CutSuffix(name, cpuSuffix); ok {
			r.traces = append(r.traces, tracesOf(prefix, found, byName[prefix+memorySuffix])...)
		}
	}
	for name, found := range byName {
		if strings.HasSuffix(name, memorySuffix) {
			r.unused = append(r.unused, slices.DeleteFunc(found, r.measures)...)
		}
	}
	slices.Sort(r.unused)
	slices.SortFunc(r.traces, func(a, b traceFiles) int { return strings.Compare(a.name, b.name) })
	return r, nil
}

// named returns the paths of recordings by their names, and the tables that are none.
func named(paths []string) (byName map[string][]string, unused []string, err error) {
	byName = map[string][]string{}
	for _, p := range paths {
		name := recordingName(p)
		isTrace := strings.HasSuffix(name, cpuSuffix) || strings.HasSuffix(name, memorySuffix)
		if !isTrace && name != m4TrainName && name != m4TestName {
			if strings.HasSuffix(name, ".csv") {
				unused = append(unused, p)
			}
			continue
		}
		for _, other := range byName[name] {
			if !isTrace || path.Dir(other) == path.Dir(p) {
				return nil, nil, fmt.Errorf("%s and %s are the same recording: remove one", other, p)
			}
		}
		byName[name] = append(byName[name], p)
	}
	return byName, unused, nil
}

// tracesOf are the traces of one name. Memory is that of the same folder, or of any if there is only one of each.
func tracesOf(name string, cpu, memory []string) (all []traceFiles) {
	for _, p := range cpu {
		t := traceFiles{name: name, cpu: p}
		if len(cpu) > 1 {
			t.name = path.Join(path.Dir(p), name)
		}
		for _, m := range memory {
			if path.Dir(m) == path.Dir(p) || len(cpu) == 1 && len(memory) == 1 {
				t.memory = m
			}
		}
		all = append(all, t)
	}
	return all
}

// recordingName is a file's name as the files are told apart by: in lower case, and without .gz.
func recordingName(p string) string {
	switch name := strings.TrimSuffix(strings.ToLower(path.Base(p)), ".gz"); name {
	case "hourly-train.csv":
		return m4TrainName
	case "hourly-test.csv":
		return m4TestName
	default:
		return name
	}
}

// list returns the files of a folder and of those below it.
func list(files fs.FS) ([]string, error) {
	var paths []string
	err := fs.WalkDir(files, ".", func(p string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !entry.IsDir():
			paths = append(paths, p)
		case strings.Count(p, "/") >= foldersDown:
			return fs.SkipDir
		}
		return nil
	})
	return paths, err
}
