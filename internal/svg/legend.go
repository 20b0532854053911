package svg

import (
	"fmt"
	"math"
	"slices"
)

// entry is one entry of the legend.
type entry struct {
	line  Line
	x     float64
	row   int
	shown string
}

// sample is the width of the piece of line before a name.
const sample = 30

// legend places the entries from left to right, in as many rows as they need. Lines without a name are not listed. A name
// that is longer than a row is cut, and whole in the description of its entry.
func legend(lines []Line, left float64) []entry {
	var entries []entry
	x, row := left, 0
	for _, line := range lines {
		if line.Name == "" {
			continue
		}
		shown := []rune(line.Name)
		if most := int((Width - right - left - sample) / textWidth); len(shown) > most {
			shown = append(shown[:max(0, most-1):max(0, most-1)], '…')
		}
		width := sample + textWidth*float64(len(shown))
		if x > left && x+width > Width-right {
			x, row = left, row+1
		}
		entries = append(entries, entry{line: line, x: x, row: row, shown: string(shown)})
		x += width + 12
	}
	return entries
}

// rows returns how many rows the legend has.
func rows(entries []entry) int {
	if len(entries) == 0 {
		return 0
	}
	return entries[len(entries)-1].row + 1
}

func (p *canvas) entry(e entry, firstRow float64) {
	y := firstRow + lineStep*float64(e.row)
	fmt.Fprintf(p, `<path class="l %s" d="M%s %sh%d"/>`, class(e.line.Style), number(e.x), number(y-4), sample-8)
	if e.line.Marked {
		p.marker(e.line.Style, point{e.x + (sample-8)/2, y - 4})
	}
	fmt.Fprintf(p, `<text class="e" x="%s" y="%s">`, number(e.x+sample-2), number(y))
	if e.shown != e.line.Name {
		fmt.Fprintf(p, `<title>%s</title>`, text(e.line.Name))
	}
	p.WriteString(text(e.shown) + "</text>")
}

// box is a part of the chart in which nothing else can be written.
type box struct{ left, top, right, bottom float64 }

func (b box) overlaps(o box) bool {
	return b.left < o.right && o.left < b.right && b.top < o.bottom && o.top < b.bottom
}

// keepClear keeps labels off the markers of a line.
func (p *canvas) keepClear(line Line) {
	const radius = 4
	for _, at := range p.points(line) {
		if line.Marked && !math.IsNaN(at.x) {
			p.taken = append(p.taken, box{at.x - radius, at.y - radius, at.x + radius, at.y + radius})
		}
	}
}

// labels writes the labels of a line's points, each beside its point where nothing stands yet, or not at all.
func (p *canvas) labels(line Line) {
	const height, gap = 12.0, 7.0
	area := box{p.left, top - 8, Width, p.bottom}
	for i, at := range p.points(line) {
		if i >= len(line.Labels) || line.Labels[i] == "" || math.IsNaN(at.x) {
			continue
		}
		width := textWidth * float64(len([]rune(line.Labels[i])))
		for _, b := range [...]box{
			{at.x + gap, at.y - height/2, at.x + gap + width, at.y + height/2},
			{at.x - gap - width, at.y - height/2, at.x - gap, at.y + height/2},
			{at.x + gap/2, at.y - gap/2 - height, at.x + gap/2 + width, at.y - gap/2},
			{at.x + gap/2, at.y + gap/2, at.x + gap/2 + width, at.y + gap/2 + height},
			{at.x - width/2, at.y - gap - height, at.x + width/2, at.y - gap},
			{at.x - width/2, at.y + gap, at.x + width/2, at.y + gap + height},
		} {
			if b.left < area.left || b.right > area.right || b.top < area.top || b.bottom > area.bottom || p.isTaken(b) {
				continue
			}
			p.taken = append(p.taken, b)
			fmt.Fprintf(p, `<text class="n" x="%s" y="%s">%s</text>`, number(b.left), number(b.bottom-3), text(line.Labels[i]))
			break
		}
	}
}

func (p *canvas) isTaken(b box) bool {
	return slices.ContainsFunc(p.taken, b.overlaps)
}
