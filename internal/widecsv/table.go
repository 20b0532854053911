// Package widecsv reads series that were written side by side: a header with a name for each series, then one row for each
// step. It is strict, because a row that is shifted or dropped in silence would move every value after it in time.
package widecsv

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Table holds the series of one file.
type Table struct {
	// Names of the series in the order of the file; unique and not empty.
	Names []string
	// Columns holds the values of each name, one for each row. NaN is a missing value; all others are finite and not negative.
	Columns [][]float32
	// Rows is the length of every column, at least 1.
	Rows int
	// Missing is how many of the rows are not in the file and hold NaN; a file without times misses none.
	Missing int
	// Stray is how many rows of the file were beside the steps of the others, or of the same step as another row.
	Stray int
	// Start is the time of the first row, in UTC, and zero if the file has no column of times.
	Start time.Time
	// Step is the time between rows, and zero if the file has no column of times or a single row.
	Step time.Duration
}

// legalCell is what an error about a value ends with.
const legalCell = "legal are numbers from 0 up with a decimal point, such as 0.25 or 1.5e9, and an empty cell or NaN where a value is missing"

// Read reads a table. name is what errors call the input, usually the path of a file.
//
// Cells are separated by commas and may be quoted; lines end with LF or CRLF; a byte order mark is skipped. A cell that is
// empty or NaN is missing. The header is refused if a name is empty or occurs twice, or if it is a row of numbers. If the
// first name is "time" or "timestamp" in upper or lower case, its column holds times, as RFC 3339, as "2006-01-02 15:04:05"
// in UTC or as seconds since 1970, in ascending order. The step is the most common distance of two rows: a step without a row is
// missing, and one row in a hundred may be beside the steps, as exports have where a clock was changed. It counts for the nearest step;
// of several rows of a step the largest values count. Blank lines are legal at the end only. An error names the line and, counting
// cells from 1, the column.
func Read(r io.Reader, name string) (*Table, error) {
	reader := csv.NewReader(SkipMark(r))
	reader.FieldsPerRecord = -1 // Checked here, for a better message.
	reader.ReuseRecord = true
	p := parser{csv: reader, table: &Table{}}
	if err := p.read(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p.table, nil
}

// parser is the state of one Read.
type parser struct {
	csv   *csv.Reader
	table *Table
	// timed is 1 if the first column holds times, else 0: the number of columns before those of the series.
	timed int
	// line of the record read last.
	line int
	// first is the line of the first row, and times are those of the rows, if there are any.
	first int
	times []time.Time
}

func (p *parser) read() error {
	header, err := p.record()
	if errors.Is(err, io.EOF) {
		return errors.New("the file is empty; the first line has to name the series, separated by commas")
	}
	if err != nil {
		return err
	}
	if err := p.header(header); err != nil {
		return err
	}
	p.first = p.line + 1
	for {
		cells, err := p.record()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := p.row(cells); err != nil {
			return err
		}
	}
	if p.table.Rows == 0 {
		return p.errorf("there is a header but no row under it; each step needs a row")
	}
	return p.spread()
}

// record returns the cells of the next line. They are valid until the next call.
func (p *parser) record() ([]string, error) {
	cells, err := p.csv.Read()
	if bad, ok := errors.AsType[*csv.ParseError](err); ok {
		return nil, fmt.Errorf("line %d, character %d: %w", bad.Line, bad.Column, bad.Err)
	}
	if err != nil {
		return nil, err
	}
	before := p.line
	p.line, _ = p.csv.FieldPos(0)
	if before > 0 && p.line != before+1 {
		return nil, fmt.Errorf(`line %d is blank, with rows after it; a missing value in a file with one column is written "" or NaN`, before+1)
	}
	return cells, nil
}

// errorf returns an error about the record read last.
func (p *parser) errorf(format string, args ...any) error {
	return fmt.Errorf("line %d: %w", p.line, fmt.Errorf(format, args...))
}

// cellErrorf returns an error about one cell of the record read last, counted from 0.
func (p *parser) cellErrorf(cell int, format string, args ...any) error {
	return fmt.Errorf("line %d, column %d: %w", p.line, cell+1, fmt.Errorf(format, args...))
}

// header takes the names.
func (p *parser) header(cells []string) error {
	first := strings.ToLower(trim(cells[0]))
	if first == "time" || first == "timestamp" {
		p.timed = 1
	}
	if len(cells) == p.timed {
		return p.errorf("there is a column of times but no series beside it")
	}
	if len(cells) == 1 && strings.ContainsAny(cells[0], ";\t") {
		return p.errorf("%s seems to be separated by semicolons or tabs; legal are commas", quote(cells[0]))
	}
	if isData(cells) {
		return p.errorf("numbers where names are expected; the first line has to name the series, such as web,database")
	}
	seen := make(map[string]int, len(cells))
	for i, cell := range cells[p.timed:] {
		name, column := strings.Clone(trim(cell)), i+p.timed
		if err := checkName(name); err != nil {
			return p.cellErrorf(column, "%w", err)
		}
		if other, ok := seen[name]; ok {
			return p.cellErrorf(column, "the name %s is taken by column %d; each series needs its own", quote(name), other+1)
		}
		seen[name] = column
		p.table.Names = append(p.table.Names, name)
	}
	p.table.Columns = make([][]float32, len(p.table.Names))
	return nil
}

func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("the name is empty; each column needs the name of a series (an index column has to be left out, or called time)")
	case !utf8.ValidString(name):
		return fmt.Errorf("the name %s is not UTF-8", quote(name))
	case strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("the name %s contains a control character", quote(name))
	}
	return nil
}

// isData reports whether a header must be a row of values. Whole numbers alone may well be names.
func isData(cells []string) bool {
	whole := true
	for _, cell := range cells {
		cell = trim(cell)
		if _, err := strconv.ParseFloat(cell, 64); err != nil && cell != "" {
			return false
		}
		whole = whole && cell != "" && strings.Trim(cell, "0123456789") == ""
	}
	return !whole && slices.ContainsFunc(cells, func(cell string) bool { return trim(cell) != "" })
}

func (p *parser) row(cells []string) error {
	if want := len(p.table.Names) + p.timed; len(cells) != want {
		return p.errorf("%d cells, but the header has %d; each row needs one for each name (decimal commas are not legal, nor a comma at the end)",
			len(cells), want)
	}
	if p.timed == 1 {
		if err := p.time(trim(cells[0])); err != nil {
			return p.cellErrorf(0, "%w", err)
		}
	}
	for i, cell := range cells[p.timed:] {
		value, err := parse(trim(cell))
		if err != nil {
			return p.cellErrorf(i+p.timed, "series %s: %w; %s", quote(p.table.Names[i]), err, legalCell)
		}
		p.table.Columns[i] = append(p.table.Columns[i], value)
	}
	p.table.Rows++
	return nil
}

// parse reads one value; NaN if the cell is empty.
func parse(cell string) (float32, error) {
	if cell == "" {
		return float32(math.NaN()), nil
	}
	value, err := strconv.ParseFloat(cell, 32)
	switch {
	case math.IsInf(value, 0) && strings.ContainsAny(cell, "0123456789"):
		return 0, fmt.Errorf("%s is too large for a 32-bit number", quote(cell))
	case math.IsInf(value, 0):
		return 0, fmt.Errorf("%s is infinite", quote(cell))
	case err != nil, strings.ContainsAny(cell, "xX_"):
		return 0, fmt.Errorf("%s is not a number", quote(cell))
	case value < 0:
		return 0, fmt.Errorf("%s is negative", quote(cell))
	case value == 0:
		return 0, nil // Not −0.
	}
	return float32(value), nil
}

// trim removes spaces and tabs around a cell, but no line breaks: those that are quoted would shift the line numbers.
func trim(cell string) string { return strings.Trim(cell, " \t") }

// quote quotes what was found, shortened where it is long.
func quote(found string) string {
	const most = 40
	if len(found) > most {
		found = found[:most] + "…"
	}
	return strconv.Quote(found)
}
