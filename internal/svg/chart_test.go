package svg_test

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/loadline-dev/loadline/internal/svg"
	"github.com/loadline-dev/loadline/internal/testkit"
)

var update = flag.Bool("update", false, "write the golden files anew")

// monday is 2026-03-02T00:00:00Z.
const monday = 1772409600

func demand() svg.Chart {
	c := svg.Chart{
		ID: "demand", Title: "Demand", Description: "Demand and request over a week.",
		X: svg.Axis{Label: "time (UTC)", Unit: svg.Time}, Y: svg.Axis{Label: "cores", FromZero: true},
		Lines: []svg.Line{
			{Name: "forecast", Style: 0}, {Name: "used", Style: 1}, {Name: "requested", Style: 2, Steps: true},
		},
	}
	for hour := range 7 * 24 {
		x, y := float64(monday+3600*hour), 2+math.Sin(2*math.Pi*float64(hour)/24)
		add(&c.Lines[0], x, y)
		c.Lines[0].Low, c.Lines[0].High = append(c.Lines[0].Low, 0.8*y), append(c.Lines[0].High, 1.3*y)
		measured := y * (1 + 0.1*math.Sin(float64(hour)))
		if hour > 60 && hour < 72 {
			measured = math.NaN()
		}
		add(&c.Lines[1], x, measured)
		add(&c.Lines[2], x, []float64{2.6, 3.5}[hour/24%2])
	}
	return c
}

func tradeOff() svg.Chart {
	c := svg.Chart{
		ID: "trade-off", Title: "Slack against violation", Description: "Each line is one policy.",
		X: svg.Axis{Label: "violation", Unit: svg.Percent, Log: true}, Y: svg.Axis{Label: "slack", Unit: svg.Percent},
	}
	for i := range svg.Measured {
		line := svg.Line{Name: fmt.Sprintf("policy number %d", i), Style: i, Marked: true}
		for k := range 5 {
			add(&line, 0.002*math.Pow(2, float64(k+i)/1.5), 0.6-0.08*float64(k)+0.03*float64(i))
			line.Labels = append(line.Labels, fmt.Sprintf("p%d", 95-5*k))
		}
		c.Lines = append(c.Lines, line)
	}
	return c
}

func memory() svg.Chart {
	return svg.Chart{
		ID: "memory", Title: "Memory", Description: "Memory of one workload.", Height: 100,
		X:     svg.Axis{Label: "time (UTC)", Unit: svg.Time},
		Y:     svg.Axis{Label: "working set", Unit: svg.Bytes, FromZero: true},
		Lines: []svg.Line{{Name: "used", Style: svg.Measured, Steps: true, Filled: true, X: []float64{monday, monday + 3600, monday + 7200}, Y: []float64{1 << 30, 3 << 29, 1 << 31}}},
	}
}

func add(line *svg.Line, x, y float64) { line.X, line.Y = append(line.X, x), append(line.Y, y) }

func TestChartsLookAsTheyDid(t *testing.T) {
	for _, c := range []svg.Chart{demand(), tradeOff(), memory()} {
		path := filepath.Join("testdata", c.ID+".svg")
		got := strings.ReplaceAll(c.String(), "><", ">\n<") + "\n"
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got); if this is better, run the tests with -update:\n%s", path, diff)
		}
	}
}

func TestAChartCanBeReadWithoutSeeingIt(t *testing.T) {
	got := demand().String()
	for _, want := range []string{
		`role="img" aria-labelledby="demand-t demand-d"`, `<title id="demand-t">Demand</title>`,
		`<desc id="demand-d">Demand and request over a week.</desc>`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s", want)
		}
	}
}

func TestLinesDifferWithoutColour(t *testing.T) {
	dashes := regexp.MustCompile(`stroke-dasharray:[^}]+`).FindAllString(svg.Style(), -1)
	if len(dashes) != svg.Styles()-2 || len(slices.Compact(slices.Sorted(slices.Values(dashes)))) != len(dashes) {
		t.Errorf("%d styles have the dash patterns %q; all but the first and what was measured need their own", svg.Styles(), dashes)
	}
	markers := map[string]bool{}
	for _, match := range regexp.MustCompile(`class="p s\d" d="M[\d.]+ [\d.]+(m[^"]+)"`).FindAllStringSubmatch(tradeOff().String(), -1) {
		markers[match[1]] = true
	}
	if len(markers) != svg.Measured {
		t.Errorf("%d styles have %d markers", svg.Measured, len(markers))
	}
}

func TestColoursStandOutInLightAndDark(t *testing.T) {
	light, dark, _ := strings.Cut(svg.Style(), "@media (prefers-color-scheme:dark)")
	dark, _, _ = strings.Cut(dark, "}}")
	for theme, sheet := range map[string]string{"light": light, "dark": dark} {
		colours := map[string]string{}
		for _, match := range regexp.MustCompile(`--ll-(\w+):(#[0-9a-f]+)`).FindAllStringSubmatch(sheet, -1) {
			colours[match[1]] = match[2]
		}
		if len(colours) != 4+svg.Styles() {
			t.Fatalf("the %s theme has %d colours", theme, len(colours))
		}
		for name, least := range map[string]float64{"ink": 7, "soft": 4.5, "s0": 3, "s1": 3, "s2": 3, "s3": 3, "s4": 3, "s5": 3, "s6": 3, "s7": 3} {
			if c := testkit.Contrast(t, colours[name], colours["ground"]); c < least {
				t.Errorf("%s theme: %s has a contrast of %.1f, want %.1f", theme, name, c, least)
			}
		}
	}
}

func TestTicksAreRoundNumbersWithTheirUnit(t *testing.T) {
	for name, c := range map[string]struct {
		axis   svg.Axis
		values []float64
		want   []string
	}{
		"numbers":          {svg.Axis{}, []float64{0.3, 3.9}, []string{"0", "1", "2", "3", "4"}},
		"small numbers":    {svg.Axis{}, []float64{0.0012, 0.0021}, []string{"0.0012", "0.0014", "0.0016", "0.0018", "0.0020", "0.0022"}},
		"from zero":        {svg.Axis{FromZero: true}, []float64{90, 95}, []string{"0", "20", "40", "60", "80", "100"}},
		"not from zero":    {svg.Axis{}, []float64{90, 95}, []string{"90", "91", "92", "93", "94", "95"}},
		"below zero":       {svg.Axis{}, []float64{-4, 4}, []string{"-4", "-2", "0", "2", "4"}},
		"one value":        {svg.Axis{}, []float64{5}, []string{"0", "1", "2", "3", "4", "5"}},
		"nothing":          {svg.Axis{}, nil, []string{"0.0", "0.2", "0.4", "0.6", "0.8", "1.0"}},
		"nothing finite":   {svg.Axis{}, []float64{math.NaN(), math.Inf(1)}, []string{"0.0", "0.2", "0.4", "0.6", "0.8", "1.0"}},
		"zero":             {svg.Axis{Unit: svg.Percent}, []float64{0}, []string{"0\u00a0%", "20\u00a0%", "40\u00a0%", "60\u00a0%", "80\u00a0%", "100\u00a0%"}},
		"huge numbers":     {svg.Axis{}, []float64{0, 4e12}, []string{"0", "1e+12", "2e+12", "3e+12", "4e+12"}},
		"percent":          {svg.Axis{Unit: svg.Percent}, []float64{0, 0.07}, []string{"0\u00a0%", "2\u00a0%", "4\u00a0%", "6\u00a0%", "8\u00a0%"}},
		"bytes":            {svg.Axis{Unit: svg.Bytes}, []float64{0, 1.9 * (1 << 30)}, []string{"0.0\u00a0GiB", "0.5\u00a0GiB", "1.0\u00a0GiB", "1.5\u00a0GiB", "2.0\u00a0GiB"}},
		"logarithmic":      {svg.Axis{Unit: svg.Percent, Log: true}, []float64{0.003, 0.03}, []string{"0.2\u00a0%", "0.5\u00a0%", "1\u00a0%", "2\u00a0%", "5\u00a0%"}},
		"logarithmic wide": {svg.Axis{Log: true}, []float64{0, 1e-9, 0.5, 300}, []string{"0.01", "0.1", "1", "10", "100", "1000"}},
		"logarithm of 0":   {svg.Axis{Log: true}, []float64{0}, []string{"0.0", "0.2", "0.4", "0.6", "0.8", "1.0"}},
	} {
		chart := svg.Chart{Y: c.axis, Lines: []svg.Line{{X: make([]float64, len(c.values)), Y: c.values}}}
		if diff := cmp.Diff(c.want, ticks(chart, `text-anchor="end"`)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestTimesAreRoundToo(t *testing.T) {
	for span, want := range map[float64][]string{
		0:            {"2 Mar"},
		3600:         {"2 Mar", "00:15", "00:30", "00:45", "01:00"},
		86400:        {"2 Mar", "06:00", "12:00", "18:00", "3 Mar"},
		28 * 86400:   {"2 Mar", "9 Mar", "16 Mar", "23 Mar", "30 Mar"},
		1000 * 86400: {"2026-06-08", "2027-01-18", "2027-08-30", "2028-04-10", "2028-11-20"},
	} {
		x := []float64{monday, monday + span}
		chart := svg.Chart{X: svg.Axis{Unit: svg.Time}, Lines: []svg.Line{{X: x, Y: x}}}
		if diff := cmp.Diff(want, ticks(chart, `text-anchor="middle"`)); diff != "" {
			t.Errorf("over %v s (-want +got):\n%s", span, diff)
		}
	}
}

// ticks returns the texts of the ticks that are anchored as given, in the order in which they are drawn.
func ticks(c svg.Chart, anchor string) []string {
	var texts []string
	for _, match := range regexp.MustCompile(`<text class="t"[^>]*`+anchor+`>([^<]*)<`).FindAllStringSubmatch(c.String(), -1) {
		texts = append(texts, match[1])
	}
	return texts
}

func TestAStepLineIsAsShortAsItsChanges(t *testing.T) {
	line := svg.Line{Steps: true}
	for i := range 1000 {
		add(&line, float64(i), float64(i/500))
	}
	got := regexp.MustCompile(`class="l s0" d="([^"]*)"`).FindStringSubmatch(svg.Chart{Lines: []svg.Line{line}}.String())
	if len(got) != 2 || !regexp.MustCompile(`^M[\d.]+ [\d.]+h0h[\d.]+v-[\d.]+h[\d.]+$`).MatchString(got[1]) {
		t.Errorf("one change is drawn as %q", got)
	}
}

func TestAGapIsNotBridged(t *testing.T) {
	for _, steps := range []bool{false, true} {
		c := svg.Chart{Lines: []svg.Line{{Steps: steps, X: []float64{0, 1, 2, 3, 4}, Y: []float64{1, 1, math.NaN(), 1, 1}}}}
		if d := regexp.MustCompile(`class="l s0" d="([^"]*)"`).FindStringSubmatch(c.String()); strings.Count(d[1], "M") != 2 {
			t.Errorf("steps %v: %q is not two lines", steps, d[1])
		}
	}
}

func TestLabelsDoNotCoverEachOther(t *testing.T) {
	c := svg.Chart{Lines: []svg.Line{{X: make([]float64, 9), Y: make([]float64, 9), Labels: slices.Repeat([]string{"label"}, 9)}}}
	if n := strings.Count(c.String(), ">label<"); n < 1 || n > 6 {
		t.Errorf("%d labels around one point", n)
	}
}

func TestALongNameIsCutAndKeptWhole(t *testing.T) {
	name := strings.Repeat("long ", 30)
	got := svg.Chart{Lines: []svg.Line{{Name: name}, {Name: "short"}}}.String()
	if !strings.Contains(got, "<title>"+name+"</title>") || strings.Count(got, "…") != 1 || !strings.Contains(got, ">short<") {
		t.Error(got)
	}
}

func FuzzAnyChartIsXML(f *testing.F) {
	f.Add("a<b>&\"'", "\x00\ufffe\x1b", 1.5, math.Inf(1), uint8(0))
	f.Add("</svg><script>", "]]>", 5e-324, -1e300, uint8(255))
	f.Add("", "\xff\xfe", 0.1, 0.1+1e-17, uint8(7))
	f.Fuzz(func(t *testing.T, one, other string, low, high float64, bits uint8) {
		axis := func(bits uint8) svg.Axis {
			return svg.Axis{Label: other, Unit: svg.Unit(bits & 3), Log: bits&4 > 0, FromZero: bits&8 > 0}
		}
		values := []float64{low, high, low}
		c := svg.Chart{
			ID: one, Title: other, Description: one, X: axis(bits), Y: axis(bits >> 4), Height: int(low),
			Lines: []svg.Line{
				{Name: one, Style: int(int8(bits)), X: values, Y: values, Labels: []string{one, other}, Marked: true},
				{Name: other, X: values, Y: values, Low: values, High: values, Steps: true, Filled: true},
			},
		}
		if c.Height > 1000 {
			c.Height = 1000
		}
		parse(t, c.String())
	})
}

// parse checks that a chart is XML of the elements that charts are made of, with finite numbers.
func parse(t *testing.T, chart string) {
	t.Helper()
	for _, element := range testkit.Elements(t, chart) {
		if !slices.Contains([]string{"svg", "title", "desc", "path", "text"}, element.Name.Local) {
			t.Fatalf("an element %s in %s", element.Name.Local, chart)
		}
		for _, a := range element.Attr {
			if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
				t.Fatalf("%s=%q in %s", a.Name.Local, a.Value, chart)
			}
		}
	}
}
