package svg

import (
	"fmt"
	"strings"
)

// style is how one kind of line looks besides its colour.
type style struct {
	// dash is a stroke-dasharray, and marker a closed path around the point that was moved to.
	dash, marker string
	// light and dark are the colour on a light and a dark ground.
	light, dark string
}

// styles returns every style. Colours of neighbours differ in lightness too, and reach a contrast of 3 to the ground; dashes
// and markers tell lines apart without them. The first and the last are solid.
func styles() []style {
	return []style{
		{"", "m-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0z", "#1f5fbf", "#6ea8fe"},
		{"9 4", "m-3 -3h6v6h-6z", "#b3470f", "#ff9a5c"},
		{"3 4", "m0 -4.4l4.2 7.2h-8.4z", "#00795c", "#3fcfa4"},
		{"12 4 3 4", "m0 -4.6l4.6 4.6l-4.6 4.6l-4.6 -4.6z", "#7b3fa8", "#cf9bf5"},
		{"6 3 2 3 2 3", "m0 4.4l4.2 -7.2h-8.4z", "#a3195b", "#ff86b9"},
		{"16 5", "m-4 -1.5h8v3h-8z", "#6b5900", "#d9c34a"},
		{"1.5 3.5", "m-1.5 -4h3v8h-3z", "#8f2f22", "#f0a195"},
		{"", "m-2.5 0a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0 -5 0z", "#57606a", "#9aa5b1"},
	}
}

// Measured is the style of what was measured, in contrast to what somebody decided: grey and solid.
const Measured = 7

// Styles is the number of styles that Line.Style may choose from; others begin anew.
func Styles() int { return len(styles()) }

func index(style int) int {
	n := Styles()
	return (style%n + n) % n
}

// class returns the class of a style.
func class(style int) string { return fmt.Sprintf("s%d", index(style)) }

// Style returns the style sheet that charts need, to be put into their page once. Colours are custom properties, --ll-ink,
// --ll-soft, --ll-grid, --ll-ground and --ll-s0 and on, which a page may set on .llc itself; those given here follow
// prefers-color-scheme.
func Style() string {
	var light, dark, lines strings.Builder
	for i, s := range styles() {
		fmt.Fprintf(&light, "--ll-s%d:%s;", i, s.light)
		fmt.Fprintf(&dark, "--ll-s%d:%s;", i, s.dark)
		fmt.Fprintf(&lines, ".llc .s%d{--c:var(--ll-s%d)}\n", i, i)
		if s.dash != "" {
			fmt.Fprintf(&lines, ".llc .l.s%d{stroke-dasharray:%s}\n", i, s.dash)
		}
	}
	return ":root{--ll-ink:#1c2128;--ll-soft:#57606a;--ll-grid:#d8dee4;--ll-ground:#fff;" + light.String() + "}\n" +
		"@media (prefers-color-scheme:dark){:root{--ll-ink:#e6edf3;--ll-soft:#9aa5b1;--ll-grid:#30363d;--ll-ground:#0d1117;" + dark.String() + "}}\n" +
		`.llc{display:block;width:100%;height:auto;font:12px system-ui,sans-serif;font-variant-numeric:tabular-nums}
.llc text{fill:var(--ll-soft)}
.llc .a,.llc .e,.llc .n{fill:var(--ll-ink)}
.llc .n{font-size:11px;paint-order:stroke;stroke:var(--ll-ground);stroke-width:3px}
.llc .g,.llc .x{fill:none;stroke:var(--ll-grid)}
.llc .x{stroke:var(--ll-soft)}
.llc .l{fill:none;stroke:var(--c);stroke-width:1.8;stroke-linejoin:round}
.llc .b{fill:var(--c);fill-opacity:.18}
.llc .p{fill:var(--c);stroke:var(--ll-ground);stroke-width:1}
@media (forced-colors:active){.llc .l{stroke:CanvasText}.llc .p{fill:CanvasText;stroke:Canvas}.llc text{fill:CanvasText}}
` + lines.String()
}
