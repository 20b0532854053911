package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"
)

// YAML writes the report as one YAML document with the fields of JSON.
func YAML(w io.Writer, r Report) error {
	text, err := yaml.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode the report: %w", err)
	}
	_, err = w.Write(text)
	return err
}

// CSV writes a header and a line for each workload. Numbers are plain: cores, bytes, and money per month.
func CSV(w io.Writer, r Report) error {
	out := csv.NewWriter(w)
	lines := [][]string{{
		"namespace", "kind", "name", "mode", "ready", "revision", "cpu_now_cores", "cpu_recommended_cores", "memory_now_bytes",
		"memory_recommended_bytes", "replicas_now", "replicas_recommended", "saves_cpu_cores", "saves_memory_bytes", "saves_per_month", "currency", "why",
	}}
	currency := ""
	if r.Prices != nil {
		currency = r.Prices.Currency
	}
	for _, row := range r.Rows {
		line := []string{
			row.Namespace, row.Kind, row.Name, string(row.Mode), strconv.FormatBool(row.Ready), row.Revision,
			plain(row.CPUNow), plain(row.CPURecommended), plain(row.MemoryNow), plain(row.MemoryRecommended),
			number(row.ReplicasNow), number(row.ReplicasRecommended), "", "", "", "", inert(oneLine(row.Why)),
		}
		if row.Savings != nil {
			line[12], line[13] = plain(&row.Savings.CPU), plain(&row.Savings.Memory)
		}
		if row.SavesPerMonth != nil {
			line[14], line[15] = fmt.Sprintf("%.2f", *row.SavesPerMonth), inert(oneLine(currency))
		}
		lines = append(lines, line)
	}
	return out.WriteAll(lines)
}

// plain writes a quantity as a decimal number; nothing where it is absent.
func plain(q *resource.Quantity) string {
	if q == nil {
		return ""
	}
	return q.AsDec().String()
}

func number(n *int32) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(int(*n))
}

// inert keeps a spreadsheet from taking a text that somebody wrote for a formula.
func inert(text string) string {
	if strings.ContainsAny(text[:min(1, len(text))], "=+-@") {
		return "'" + text
	}
	return text
}

// Markdown writes the report for a pull request or an issue.
func Markdown(w io.Writer, r Report) error {
	var b strings.Builder
	b.WriteString("## Loadline report\n\n")
	for _, halt := range r.Halts {
		fmt.Fprintf(&b, "**Running pods are left alone:** %s\n\n", markdown(halt))
	}
	if len(r.Rows) == 0 {
		fmt.Fprintln(&b, begin())
	} else {
		for _, line := range summary(r) {
			fmt.Fprintf(&b, "- %s\n", markdown(line))
		}
	}
	if r.Health != nil {
		fmt.Fprintf(&b, "\n### Health: %d of 100\n", r.Health.Score)
		markdownTable(&b, []string{"points", "because"}, losses(r.Health))
	}
	if lines := advised(r.Rows); len(lines) > 0 {
		b.WriteString("\n### Events and business context\n\n")
		for _, line := range lines {
			fmt.Fprintf(&b, "- %s\n", markdown(line))
		}
	}
	top, rest := topRisks(r)
	if len(top) > 0 {
		b.WriteString("\n### Look at\n")
		var rows [][]string
		for _, risk := range top {
			rows = append(rows, []string{string(risk.Severity), risk.Namespace + "/" + risk.Workload, risk.Message})
		}
		markdownTable(&b, []string{"severity", "workload", "what"}, rows)
	}
	if rest != "" {
		fmt.Fprintf(&b, "\n%s\n", rest)
	}
	markdownTable(&b, columns(), cells(r))
	if prices := priceWords(r.Prices); prices != "" {
		fmt.Fprintf(&b, "\n%s\n", markdown(prices))
	}
	fmt.Fprintf(&b, "\nRead at %s.\n", stamp(r.GeneratedTime.Time))
	_, err := io.WriteString(w, b.String())
	return err
}

// markdownTable writes a table after an empty line, or nothing where there are no rows.
func markdownTable(b *strings.Builder, header []string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(b, "\n| %s |\n|%s\n", strings.Join(header, " | "), strings.Repeat("---|", len(header)))
	for _, row := range rows {
		for i := range row {
			row[i] = markdown(row[i])
		}
		fmt.Fprintf(b, "| %s |\n", strings.Join(row, " | "))
	}
}

// markdown escapes what Markdown would take for markup, links or mentions: texts may hold what people wrote.
func markdown(text string) string {
	return strings.NewReplacer(
		`\`, `\\`, "|", `\|`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "~", `\~`, "<", "&lt;", ">", "&gt;", "&", "&amp;", "@", "@\u200b", "://", ":\u200b//",
	).Replace(oneLine(text))
}

// columns are the heads of the table of workloads.
func columns() []string {
	return []string{"namespace", "workload", "mode", "CPU", "memory", "replicas", "saves", "why"}
}

// cells are the rows of the table of workloads, as a person reads them.
func cells(r Report) [][]string {
	rows := make([][]string, 0, len(r.Rows))
	for _, row := range r.Rows {
		rows = append(rows, []string{
			row.Namespace, row.Workload(), string(row.Mode),
			change(row.CPUNow, row.CPURecommended, cores), change(row.MemoryNow, row.MemoryRecommended, gibibytes),
			replicas(row), saves(row, r.Prices), oneLine(row.Why),
		})
	}
	return rows
}

// losses are the rows of the table of lost points.
func losses(h *Health) [][]string {
	rows := make([][]string, 0, len(h.Losses))
	for _, loss := range h.Losses {
		rows = append(rows, []string{fmt.Sprintf("-%d of %d", loss.Points, loss.Most), lossWords(loss)})
	}
	return rows
}
