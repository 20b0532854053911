// Package svg draws line charts as static SVG, for pages without scripts. Lines differ in dash pattern and marker as well as
// in colour, colours follow the reader's light or dark theme, and a chart carries a title and a description for those who
// cannot see it. The same chart always gives the same text.
package svg

import (
	"fmt"
	"math"
	"strings"
)

// Width of every chart in the units of its coordinates. A page scales it to the space there is; on a phone the text is then
// still legible.
const Width = 440

// Chart is a line chart. Charts without any finite value show their axes only.
type Chart struct {
	// ID is unique in the page, and made of letters, digits and hyphens.
	ID string
	// Title names the chart in a few words, and Description says in a sentence what it shows. Neither is drawn.
	Title, Description string
	// X and Y axes.
	X, Y Axis
	// Lines in the order in which they are drawn and listed in the legend, the first at the bottom.
	Lines []Line
	// Height of the part between the axes; 0 means 180.
	Height int
}

// Axis says how the values along one direction are to be read.
type Axis struct {
	// Label says what is measured.
	Label string
	Unit  Unit
	// FromZero lets the axis begin at 0, whatever the smallest value.
	FromZero bool
	// Log spaces the axis logarithmically over at most four decades under the largest value. What lies under them, also 0,
	// is drawn at the beginning of the axis.
	Log bool
}

// Unit is the unit of the values along an axis.
type Unit int

// The units.
const (
	// Number is without unit.
	Number Unit = iota
	// Percent is for shares: 0.05 is written 5 %.
	Percent
	// Bytes are written in KiB, MiB, GiB or TiB.
	Bytes
	// Time is in seconds since 1970, written in UTC.
	Time
)

// Line is one line of a chart.
type Line struct {
	// Name in the legend.
	Name string
	// Style chooses colour, dash pattern and marker: the same for the same thing in several charts. There are Styles of them.
	Style int
	// X and Y hold the coordinates of each point. What one has more than the other is left out. A value that is not finite
	// leaves a gap.
	X, Y []float64
	// Steps lets the line keep each value until the next point, instead of going straight there.
	Steps bool
	// Filled fills the area between the line and the X axis.
	Filled bool
	// Low and High bound a band around the line, one value for each point; empty without band.
	Low, High []float64
	// Marked draws a marker at each point.
	Marked bool
	// Labels are written beside the points where there is room; "" is no label.
	Labels []string
}

// Distances in the units of the coordinates.
const (
	top       = 26 // Room for the label of the Y axis.
	right     = 14
	textWidth = 7.2 // Of a character, on average, in a wide font.
	lineStep  = 18  // From one row of the legend to the next.
)

// canvas is a chart while it is drawn.
type canvas struct {
	strings.Builder
	x, y scale
	// left, and bottom, where the axes are; width and height of the part between them.
	left, bottom, width, height float64
	// taken are the boxes in which a label stands.
	taken []box
}

// String returns the chart as an svg element.
func (c Chart) String() string {
	height := c.Height
	if height <= 0 {
		height = 180
	}
	p := &canvas{x: newScale(c.X, c.values(true), 6), y: newScale(c.Y, c.values(false), max(2, height/30)), height: float64(height)}
	p.left = 12 + textWidth*float64(p.y.widest())
	p.width, p.bottom = Width-p.left-right, top+p.height
	entries := legend(c.Lines, p.left)
	total := p.bottom + 40 + lineStep*float64(rows(entries))

	id := attribute(c.ID)
	fmt.Fprintf(p, `<svg xmlns="http://www.w3.org/2000/svg" class="llc" viewBox="0 0 %d %s" role="img" aria-labelledby="%s-t %s-d">`,
		Width, number(total), id, id)
	fmt.Fprintf(p, `<title id="%s-t">%s</title><desc id="%s-d">%s</desc>`, id, text(c.Title), id, text(c.Description))
	p.axes(c.X.Label, c.Y.Label)
	for _, line := range c.Lines {
		p.band(line)
	}
	for _, line := range c.Lines {
		p.line(line)
	}
	for _, line := range c.Lines {
		p.keepClear(line)
	}
	for _, line := range c.Lines {
		p.labels(line)
	}
	for _, e := range entries {
		p.entry(e, p.bottom+52)
	}
	p.WriteString("</svg>")
	return p.String()
}

// values returns what has to have room on one axis.
func (c Chart) values(horizontal bool) []float64 {
	var all []float64
	for _, line := range c.Lines {
		if horizontal {
			all = append(all, line.X...)
		} else {
			all = append(append(append(all, line.Y...), line.Low...), line.High...)
		}
	}
	return all
}

// axes draws the grid, the ticks with their values, and what the axes measure.
func (p *canvas) axes(horizontal, vertical string) {
	fmt.Fprintf(p, `<text class="a" x="2" y="13">%s</text>`, text(vertical))
	for _, t := range p.y.ticks {
		y := number(p.atY(t.value))
		fmt.Fprintf(p, `<path class="g" d="M%s %sH%s"/><text class="t" x="%s" y="%s" dy=".35em" text-anchor="end">%s</text>`,
			number(p.left), y, number(p.left+p.width), number(p.left-6), y, text(t.text))
	}
	fmt.Fprintf(p, `<path class="x" d="M%s %sH%s"/>`, number(p.left), number(p.bottom), number(p.left+p.width))
	for _, t := range p.x.ticks {
		x := p.atX(t.value)
		half := textWidth * float64(len([]rune(t.text))) / 2
		centre := min(max(x, half+1), Width-half-1)
		fmt.Fprintf(p, `<path class="x" d="M%s %sv4"/><text class="t" x="%s" y="%s" text-anchor="middle">%s</text>`,
			number(x), number(p.bottom), number(centre), number(p.bottom+16), text(t.text))
	}
	fmt.Fprintf(p, `<text class="a" x="%s" y="%s" text-anchor="end">%s</text>`, number(p.left+p.width), number(p.bottom+33), text(horizontal))
}

func (p *canvas) atX(v float64) float64 { return p.left + p.width*p.x.at(v) }

func (p *canvas) atY(v float64) float64 { return p.bottom - p.height*p.y.at(v) }

// band draws the area between Low and High, where both are known.
func (p *canvas) band(line Line) {
	n := min(len(line.X), len(line.Low), len(line.High))
	var low, high []point
	flush := func() {
		if len(low) > 0 {
			outline := newPath(false)
			for _, at := range high {
				outline.add(at)
			}
			for i := range low {
				outline.add(low[len(low)-1-i])
			}
			fmt.Fprintf(p, `<path class="b %s" d="%sz"/>`, class(line.Style), outline)
		}
		low, high = low[:0], high[:0]
	}
	for i := range n {
		if !finite(line.X[i]) || !finite(line.Low[i]) || !finite(line.High[i]) {
			flush()
			continue
		}
		x := p.atX(line.X[i])
		low, high = append(low, point{x, p.atY(line.Low[i])}), append(high, point{x, p.atY(line.High[i])})
	}
	flush()
}

func (p *canvas) line(line Line) {
	var drawn, area strings.Builder
	var marks []point
	segment := newPath(line.Steps)
	flush := func() {
		if d := segment.String(); d != "" {
			drawn.WriteString(d)
			fmt.Fprintf(&area, "%sV%sH%sz", d, number(p.bottom), number(segment.from))
		}
		segment = newPath(line.Steps)
	}
	for _, at := range p.points(line) {
		if math.IsNaN(at.x) {
			flush()
			continue
		}
		segment.add(at)
		marks = append(marks, at)
	}
	flush()
	if len(marks) == 0 {
		return
	}
	if line.Filled {
		fmt.Fprintf(p, `<path class="b %s" d="%s"/>`, class(line.Style), area.String())
	}
	fmt.Fprintf(p, `<path class="l %s" d="%s"/>`, class(line.Style), drawn.String())
	if line.Marked {
		for _, at := range marks {
			p.marker(line.Style, at)
		}
	}
}

// points returns where the points of a line are drawn, NaN where there is a gap.
func (p *canvas) points(line Line) []point {
	all := make([]point, min(len(line.X), len(line.Y)))
	for i := range all {
		all[i] = point{math.NaN(), math.NaN()}
		if finite(line.X[i]) && finite(line.Y[i]) {
			all[i] = point{p.atX(line.X[i]), p.atY(line.Y[i])}
		}
	}
	return all
}

func (p *canvas) marker(style int, at point) {
	fmt.Fprintf(p, `<path class="p %s" d="M%s %s%s"/>`, class(style), number(at.x), number(at.y), styles()[index(style)].marker)
}
