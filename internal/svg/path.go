package svg

import (
	"bytes"
	"encoding/xml"
	"math"
	"strconv"
)

type point struct{ x, y float64 }

// path builds the d attribute of a path. Coordinates are tenths of a unit, and relative, which keeps a chart of hundreds of
// points small. Distances are between rounded points, so that rounding does not add up.
type path struct {
	d     []byte
	steps bool
	// from is where the path begins, in units.
	from float64
	// x and y are how far the line is drawn, and end how far it is to go on at the same height.
	x, y, end int
}

func newPath(steps bool) *path { return &path{steps: steps} }

// add continues the line to a point.
func (p *path) add(at point) {
	x, y := tenths(at.x), tenths(at.y)
	dx, dy := x-p.x, y-p.y
	switch {
	case len(p.d) == 0:
		p.from = at.x
		p.d = append(p.d, 'M')
		p.pair(x, y)
		p.d = append(p.d, "h0"...) // A line of one point shows as a dot, because line ends are round.
	case p.steps && dy == 0:
		p.end = x
		return
	case p.steps:
		p.one('h', dx)
		p.one('v', dy)
	default:
		p.d = append(p.d, 'l')
		p.pair(dx, dy)
	}
	p.x, p.y, p.end = x, y, x
}

func (p *path) one(command byte, distance int) {
	p.d = appendTenths(append(p.d, command), distance)
}

func (p *path) pair(x, y int) {
	p.d = appendTenths(p.d, x)
	if y >= 0 {
		p.d = append(p.d, ' ')
	}
	p.d = appendTenths(p.d, y)
}

// String ends the line and returns the path; empty if there is no point.
func (p *path) String() string {
	if p.end != p.x {
		p.one('h', p.end-p.x)
		p.x = p.end
	}
	return string(p.d)
}

func tenths(v float64) int { return int(math.Round(v * 10)) }

func appendTenths(d []byte, v int) []byte {
	if v < 0 {
		d, v = append(d, '-'), -v
	}
	if v >= 10 || v%10 == 0 {
		d = strconv.AppendInt(d, int64(v/10), 10)
	}
	if v%10 != 0 {
		d = append(d, '.', byte('0'+v%10))
	}
	return d
}

// number prints a coordinate.
func number(v float64) string { return string(appendTenths(nil, tenths(v))) }

// finite reports whether a value can be drawn. The limit keeps sums and differences from overflowing.
func finite(v float64) bool { return math.Abs(v) < 1e18 }

// text escapes what somebody wrote, and replaces characters that XML cannot hold.
func text(s string) string {
	var escaped bytes.Buffer
	_ = xml.EscapeText(&escaped, []byte(s)) // A buffer takes everything.
	return escaped.String()
}

// attribute keeps of an ID what is legal in one.
func attribute(s string) string {
	return string(bytes.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-':
			return r
		}
		return '-'
	}, []byte(s)))
}
