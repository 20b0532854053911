package scenarios

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/loadline-dev/loadline/e2e/shop"
	"github.com/loadline-dev/loadline/replay"
)

var replayShop = shop.InNamespace("replay", []shop.Workload{
	{Name: "web", Replicas: 2, CPU: shop.Diurnal(0.1, 0.4), Memory: shop.Flat(300 * shop.Mebibyte)},
	{ // Nothing in its past tells of the last two days.
		Name: "surprise", Replicas: 2, Memory: shop.Flat(300 * shop.Mebibyte),
		CPU: func(t time.Time) float64 {
			if started.Sub(t) < 48*time.Hour {
				return 1.5
			}
			return 0.2
		},
	},
})

func TestTwoWeeksInPrometheusAreReplayedAndOnlyTheOracleKnowsTheFuture(t *testing.T) {
	g := NewWithT(t)
	args := []string{
		"replay", "--prometheus", cluster.PrometheusURL, "--namespace", "replay", "--days", "13", "--warmup", "7d",
		"--workload", "deployment/web", "--workload", "deployment/surprise",
	}

	table, errors, code := runCommand(t, "", args...)
	g.Expect(code).To(BeZero(), errors)
	policies := []string{"loadline-inplace", "loadline-evict", "loadline-noforecast", "vpa", "krr", "current", "oracle"}
	for _, policy := range policies {
		g.Expect(table).To(MatchRegexp(`(?m)^ *%s\b`, policy))
	}

	out, errors, code := runCommand(t, "", append(args, "--output", "json")...)
	g.Expect(code).To(BeZero(), errors)
	var result replay.Result
	g.Expect(json.Unmarshal([]byte(out), &result)).To(Succeed())
	g.Expect(result.Split.Workloads).To(Equal(2), "each has one container")
	var replayed []string
	for _, p := range result.Policies {
		replayed = append(replayed, p.Policy)
	}
	g.Expect(replayed).To(ConsistOf(policies))
	g.Expect(result.Split.CurrentKnown).To(BeFalse(), "nobody told Prometheus what was requested")
	for _, p := range result.Policies {
		for _, w := range p.Workloads {
			if !strings.Contains(w.Name, "surprise") || p.Policy == "current" {
				continue
			}
			if p.Policy == "oracle" {
				g.Expect(w.CPU.Violation).To(BeNumerically("<", 0.001), "it knows what comes")
			} else {
				g.Expect(w.CPU.Violation).To(BeNumerically(">", 0), "%s knew of the rise before it came", p.Policy)
			}
		}
	}
}

func TestAForecastIsMadeOfWhatComesThroughAPipe(t *testing.T) {
	g := NewWithT(t)
	var csv strings.Builder
	csv.WriteString("time,web\n")
	begin := started.Truncate(time.Hour).Add(-14 * 24 * time.Hour)
	curve := shop.Diurnal(1, 4)
	for at := begin; at.Before(started); at = at.Add(time.Hour) {
		row, err := json.Marshal(curve(at))
		g.Expect(err).NotTo(HaveOccurred())
		csv.WriteString(at.Format(time.RFC3339) + "," + string(row) + "\n")
	}
	out, errors, code := runCommand(t, csv.String(), "forecast", "--horizon", "24", "--quantiles", "0.5,0.95", "-")
	g.Expect(code).To(BeZero(), errors)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	g.Expect(lines).To(HaveLen(25), out)
	g.Expect(lines[0]).To(Equal("series,step,time,mean,q0.5,q0.95"))

	_, errors, code = runCommand(t, "time,web\n2026-03-02T00:00:00Z,much\n", "forecast", "-")
	g.Expect(code).NotTo(BeZero())
	g.Expect(errors).To(ContainSubstring("much"))
}

// runCommand runs the loadline command, as a person would, with a text for its standard input.
func runCommand(t *testing.T, input string, args ...string) (out, errors string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), loadline.Binary, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &stdout, &stderr
	_ = cmd.Run() // its exit code tells
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}
