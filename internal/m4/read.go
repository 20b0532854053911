// Package m4 reads the hourly series of the M4 competition, scores forecasts of them as the competition did, and holds the
// statistical benchmarks whose published scores show that reading and scoring are right.
//
// Definitions: Makridakis, Spiliotis, Assimakopoulos, "The M4 Competition: 100,000 time series and 61 forecasting methods",
// International Journal of Forecasting 36 (2020).
package m4

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

// Of the competition's hourly part: the season, and how far ahead was forecast, both in hours.
const (
	Season  = 24
	Horizon = 48
)

// Series is one row of a file.
type Series struct {
	ID     string
	Values []float64
}

// Case is one series to forecast: what the forecaster sees, and what came after it.
type Case struct {
	ID           string
	Past, Future []float64
}

// Read reads a file of the competition: a header V1, V2, …, then one series a row, its id first. Rows are as long as their
// series or filled up with empty cells (or NA). Anything else is an error that names line and column.
func Read(r io.Reader) ([]Series, error) {
	rows := csv.NewReader(r)
	rows.FieldsPerRecord = -1
	rows.ReuseRecord = true
	header, err := rows.Read()
	switch {
	case errors.Is(err, io.EOF):
		return nil, errors.New("the file is empty; want a header V1,V2,… and one series a row")
	case err != nil:
		return nil, err // names the line
	case header[0] != "V1":
		return nil, fmt.Errorf("line 1: the header starts with %q; want V1,V2,…", header[0])
	}
	var all []Series
	lines := map[string]int{}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err // names the line
		}
		line, _ := rows.FieldPos(0)
		id := row[0]
		if id == "" {
			return nil, fmt.Errorf("line %d: the series has no id", line)
		}
		if before, found := lines[id]; found {
			return nil, fmt.Errorf("line %d: series %s is already on line %d", line, id, before)
		}
		lines[id] = line
		values, err := parse(row[1:])
		if err != nil {
			return nil, fmt.Errorf("line %d, series %s: %w", line, id, err)
		}
		all = append(all, Series{ID: id, Values: values})
	}
}

// parse turns the cells after the id into values, without the empty ones at the end.
func parse(cells []string) ([]float64, error) {
	for len(cells) > 0 && (cells[len(cells)-1] == "" || cells[len(cells)-1] == "NA") {
		cells = cells[:len(cells)-1]
	}
	if len(cells) == 0 {
		return nil, errors.New("there are no values")
	}
	values := make([]float64, len(cells))
	for i, cell := range cells {
		value, err := strconv.ParseFloat(cell, 64)
		if err != nil || math.IsNaN(value) || math.IsInf(value, 0) {
			return nil, fmt.Errorf("column V%d: %q is not a finite number", i+2, cell)
		}
		values[i] = value
	}
	return values, nil
}

// Match pairs the training part with the test part by id, in the order of the training part. Series that only one of them
// has are left out. It is an error if nothing is left, or if a future is not Horizon hours long.
func Match(train, test []Series) ([]Case, error) {
	futures := make(map[string][]float64, len(test))
	for _, s := range test {
		if len(s.Values) != Horizon {
			return nil, fmt.Errorf("test series %s has %d values; want %d", s.ID, len(s.Values), Horizon)
		}
		futures[s.ID] = s.Values
	}
	var cases []Case
	for _, s := range train {
		if future, found := futures[s.ID]; found {
			cases = append(cases, Case{ID: s.ID, Past: s.Values, Future: future})
		}
	}
	return check(cases)
}

// HoldOut makes cases from the training part alone: the last Horizon hours of each series become its future.
func HoldOut(train []Series) ([]Case, error) {
	cases := make([]Case, len(train))
	for i, s := range train {
		n := max(len(s.Values)-Horizon, 0)
		cases[i] = Case{ID: s.ID, Past: s.Values[:n:n], Future: s.Values[n:]}
	}
	return check(cases)
}

// check refuses what has no score, because leaving it out would make the mean one of other series.
func check(cases []Case) ([]Case, error) {
	if len(cases) == 0 {
		return nil, errors.New("there is no series to score")
	}
	for _, c := range cases {
		if len(c.Past) <= Season {
			return nil, fmt.Errorf("series %s has %d hours of past; scoring takes more than %d", c.ID, len(c.Past), Season)
		}
		if Scale(c.Past) == 0 {
			return nil, fmt.Errorf("series %s repeats every %d hours exactly, so errors have no scale", c.ID, Season)
		}
	}
	return cases, nil
}
