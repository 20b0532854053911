package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/loadline-dev/loadline/replay"
)

// quick are policies that take no time, on a short recording.
const quick = " --policies vpa,krr,current,oracle --warmup 2d"

// recordedCSV holds three days of two workloads: web uses half a core with a burst, db one core.
func recordedCSV(step time.Duration, cell func(workload int, at time.Duration) string) string {
	var text strings.Builder
	text.WriteString("web,db\n")
	for at := time.Duration(0); at < 3*24*time.Hour; at += step {
		fmt.Fprintf(&text, "%s,%s\n", cell(0, at), cell(1, at))
	}
	return text.String()
}

func coresCell(workload int, at time.Duration) string {
	if workload == 0 && at%time.Hour < 5*time.Minute {
		return "2"
	}
	return strconv.FormatFloat(0.5*float64(workload+1), 'f', -1, 64)
}

// replayFolder writes files into a folder of their own and returns a function that runs the command there.
func replayFolder(t *testing.T, files map[string]string) func(line string) (out, errors string, code int) {
	t.Helper()
	folder := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return func(line string) (string, string, int) {
		args := strings.Fields(line)
		for i, arg := range args {
			if _, ok := files[arg]; ok {
				args[i] = filepath.Join(folder, arg)
			}
		}
		return call(t, append([]string{"replay"}, args...)...)
	}
}

// replayJSON runs a replay and decodes the JSON that it writes.
func replayJSON(t *testing.T, run func(line string) (out, errors string, code int), line string) replay.Result {
	t.Helper()
	var r replay.Result
	out, errors, code := run(line + " -o json" + quick)
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitOK {
		t.Fatalf("exit code %d, error %q: %v", code, errors, err)
	}
	return r
}

func TestARecordingMayBeginBetweenStepsAndMissRows(t *testing.T) {
	minutes := &strings.Builder{}
	minutes.WriteString("time,web\n")
	for i := range 3 * 24 * 60 {
		if i%100 != 1 {
			fmt.Fprintf(minutes, "%d,0.5\n", 1767225600+60*(i+3))
		}
	}
	run := replayFolder(t, map[string]string{
		"minutes.csv": minutes.String(),
		"cpu.csv":     recordedCSV(5*time.Minute, coresCell),
	})
	whole := replayJSON(t, run, "--cpu cpu.csv --step 5m --start 2026-01-01T14:25:00Z")
	between := replayJSON(t, run, "--cpu cpu.csv --step 5m --start 2026-01-01T14:29:00Z")
	if diff := cmp.Diff(whole, between); diff != "" {
		t.Errorf("a start between two steps (-on one +between):\n%s", diff)
	}
	r := replayJSON(t, run, "--cpu minutes.csv")
	if r.Split.Start.Format(time.RFC3339) != "2026-01-01T00:00:00Z" || r.Split.End.Format(time.RFC3339) != "2026-01-04T00:00:00Z" {
		t.Errorf("replayed from %s to %s", r.Split.Start, r.Split.End)
	}
	_, notes, _ := run("--cpu minutes.csv" + quick)
	for _, want := range []string{"the first row is of 2026-01-01T00:03:00Z, which counts for the 5m from 00:00:00 on", "44 of 4320 steps have no row"} {
		if !strings.Contains(notes, want) {
			t.Errorf("the notes do not say %q: %s", want, notes)
		}
	}
}

func TestAReplayThatCannotBeDoneSaysWhatIsWrong(t *testing.T) {
	bytesCell := func(int, time.Duration) string { return "1000000" }
	run := replayFolder(t, map[string]string{
		"cpu.csv":       recordedCSV(5*time.Minute, coresCell),
		"memory.csv":    recordedCSV(5*time.Minute, bytesCell),
		"shorter.csv":   strings.Join(strings.SplitAfter(recordedCSV(5*time.Minute, bytesCell), "\n")[:50], ""),
		"other.csv":     strings.Replace(recordedCSV(5*time.Minute, bytesCell), "web,db", "web,cache", 1),
		"more.csv":      strings.NewReplacer("web,db", "web,db,cache", "1000000\n", "1000000,7\n").Replace(recordedCSV(5*time.Minute, bytesCell)),
		"bad.csv":       "web,db\n1,2\n1,two\n",
		"today.csv":     "workload,cpu,memory\nweb,500m,1Gi\ndb,1,lots\n",
		"half.csv":      "workload,cpu,memory\nweb,500m,1Gi\n",
		"idle.csv":      recordedCSV(5*time.Minute, func(int, time.Duration) string { return "0" }),
		"unknown.csv":   recordedCSV(5*time.Minute, func(int, time.Duration) string { return "" }),
		"huge.csv":      recordedCSV(5*time.Minute, func(int, time.Duration) string { return "1e30" }),
		"nothing.csv":   "workload,cpu,memory\nweb,0,1Gi\n",
		"stranger.csv":  "workload,cpu,memory\ncache,1,1Gi\n",
		"twice.csv":     "workload,cpu,memory\nweb,500m,1Gi\nweb,500m,1Gi\n",
		"wide.csv":      "web,db\n1,2\n",
		"timed.csv":     "time,web,db\n2026-01-01T00:00:00Z,1,2\n2026-01-01T00:05:00Z,1,2\n",
		"timedmore.csv": "time,web,db,cache\n2026-01-01T00:00:00Z,1,2,3\n2026-01-01T00:05:00Z,1,2,3\n",
	})
	for line, want := range map[string]string{
		"":                                       "name a recording: --cpu FILE.csv, or --prometheus URL with --namespace",
		"--cpu cpu.csv":                          "--step: say how far apart the rows are",
		"--cpu cpu.csv --step 10m":               "step 10m: legal are 5m and what divides it into equal parts",
		"--cpu cpu.csv --step 5m --policies vpn": `policy "vpn": legal are loadline-inplace, loadline-evict`,
		"--cpu cpu.csv --step 5m --policies vpa --sweep=krr":                      "the knob of krr cannot be turned: legal are the policies that are replayed, vpa",
		"--cpu cpu.csv --step 5m --warmup 3d":                                     "the history of 72h is not longer than the warm-up of 72h",
		"--cpu cpu.csv --step 5m --warmup 7m":                                     `--warmup "7m": legal are multiples of 5m, such as 1h or 14d`,
		"--cpu cpu.csv --step 5m --cadence 0":                                     `--cadence "0"`,
		"--cpu cpu.csv --step 5m --output xml":                                    `--output "xml": legal are table, json and html`,
		"--cpu cpu.csv --step 5m --workers 0":                                     "--workers 0: legal are 1 and more",
		"--cpu cpu.csv --step 5m --price-gib-hour -1":                             "price -1: legal are numbers from 0 up",
		"--cpu cpu.csv --step 5m --price-core-hour Inf":                           "price +Inf: legal are numbers from 0 up",
		"--cpu cpu.csv --step 5m --refused-raises 5":                              `--refused-raises "5": legal are percentages from 0% to 100%, such as 5%`,
		"--cpu cpu.csv --step 5m --max-give-back all":                             `--max-give-back "all": legal are percentages from 0% to 100%, such as 0, 25% or unlimited`,
		"--cpu bad.csv --step 5m":                                                 `bad.csv: line 3, column 2: series "db": "two" is not a number`,
		"--cpu cpu.csv --step 5m --memory memory.csv --memory-unit MB":            `--memory-unit "MB": legal are B, MiB, GiB and GB`,
		"--cpu cpu.csv --step 5m --memory shorter.csv":                            "shorter.csv has 49 rows and",
		"--cpu cpu.csv --step 5m --memory other.csv":                              `other.csv has no column "db", which`,
		"--cpu cpu.csv --step 5m --memory more.csv":                               `more.csv, column 3: there is no workload "cache" in`,
		"--cpu cpu.csv --step 5m --current today.csv":                             `today.csv: line 3, column 3: "lots" is not a request; legal are quantities such as 500m or 1Gi`,
		"--cpu cpu.csv --step 5m --current half.csv":                              `half.csv: workload "db" of`,
		"--cpu cpu.csv --step 5m --current twice.csv":                             `twice.csv: line 3, column 1: workload "web" has a row already`,
		"--cpu cpu.csv --step 5m --current nothing.csv":                           `nothing.csv: line 2, column 2: "0" is not a request`,
		"--cpu cpu.csv --step 5m --current stranger.csv":                          `stranger.csv: line 2, column 1: the recording has no workload "cache"`,
		"--cpu idle.csv --step 5m --warmup 1d":                                    "no workload used any CPU after the warm-up of 24h",
		"--cpu huge.csv --step 5m --warmup 1d":                                    "workload web: CPU: 1e+30 cores 0s after the beginning: legal are 0 to 100000",
		"--cpu cpu.csv --step 5m --warmup 1d --memory huge.csv --memory-unit GiB": "workload web: memory: +Inf bytes 0s after the beginning",
		"--cpu unknown.csv --step 5m --warmup 1d":                                 "no workload used any CPU after the warm-up of 24h",
		"--cpu cpu.csv --step 5m --current wide.csv":                              "wide.csv: record on line 1: wrong number of fields; legal are a header workload,cpu,memory",
		"--cpu cpu.csv --prometheus http://127.0.0.1:9":                           "--cpu and --prometheus: name one of them",
		"--prometheus http://127.0.0.1:9":                                         "--prometheus needs --namespace",
		"--prometheus http://127.0.0.1:9 --namespace shop --days 1":               "--days 1: legal are 2 to 365",
		"--prometheus http://127.0.0.1:9 --namespace shop --workload cj/x":        "kinds are deployment, statefulset and daemonset",
		"--prometheus http://127.0.0.1:9 --namespace shop --step 5m":              "--step is not read with --prometheus",
		"--cpu cpu.csv --step 5m --days 21":                                       "--days is not read with --cpu",
		"--cpu cpu.csv --step 5m --namespace shop":                                "--namespace is not read with --cpu",
		"--cpu cpu.csv --step 5m --memory-unit MiB":                               "--memory-unit needs --memory",
		"--cpu cpu.csv --step 5m --refused-for 24h":                               "--refused-for needs --refused-raises",
		"--cpu - --step 5m --memory -":                                            "one of them at most can be -, the standard input",
		"--cpu timed.csv --memory timedmore.csv":                                  `timedmore.csv, column 4: there is no workload "cache" in`,
		"extra":                                                                   `loadline replay knows no "extra"`,
	} {
		out, errors, code := run(line)
		if code == exitOK || !strings.Contains(errors, want) || out != "" {
			t.Errorf("loadline replay %s: exit code %d, error %q, want %q", line, code, errors, want)
		}
	}
}

func TestAReplayOfFilesIsATableJSONAndAPage(t *testing.T) {
	run := replayFolder(t, map[string]string{"cpu.csv": recordedCSV(5*time.Minute, coresCell)})
	for output, want := range map[string]string{"table": "POLICY", "json": `"policies": [`, "html": "<svg"} {
		out, errors, code := run("--cpu cpu.csv --step 5m --output " + output + quick)
		if code != exitOK || !strings.Contains(out, want) || !strings.Contains(out, "krr") {
			t.Errorf("%s: exit code %d, error %q, output %.200q", output, code, errors, out)
		}
	}
}

func TestMemoryIsReadInItsUnit(t *testing.T) {
	run := replayFolder(t, map[string]string{
		"cpu.csv":    recordedCSV(5*time.Minute, coresCell),
		"memory.csv": recordedCSV(5*time.Minute, func(w int, _ time.Duration) string { return strconv.Itoa(w + 1) }),
	})
	for unit, want := range map[string]float64{"B": 3, "MiB": 3 << 20, "GiB": 3 << 30, "GB": 3e9} {
		r := replayJSON(t, run, "--cpu cpu.csv --step 5m --memory memory.csv --memory-unit "+unit)
		if got := r.Policies[0].Memory.Used; math.Abs(got-want) > 1e-6*want {
			t.Errorf("3 %s are read as %v bytes", unit, got)
		}
	}
}

func TestColumnsMayComeInAnotherOrder(t *testing.T) {
	swapped := strings.Replace(recordedCSV(5*time.Minute, func(w int, _ time.Duration) string { return strconv.Itoa(2 - w) }), "web,db", "db,web", 1)
	run := replayFolder(t, map[string]string{"cpu.csv": recordedCSV(5*time.Minute, coresCell), "memory.csv": swapped})
	r := replayJSON(t, run, "--cpu cpu.csv --step 5m --memory memory.csv --memory-unit B")
	if web := r.Policies[0].Workloads[0]; web.Name != "web" || web.Memory.Used != 1 {
		t.Errorf("%s uses %v bytes", web.Name, web.Memory.Used)
	}
}

func TestRowsOfAMinuteBecomeMeansOfFive(t *testing.T) {
	byMinute := recordedCSV(time.Minute, func(w int, at time.Duration) string {
		if at%(5*time.Minute) == 0 {
			return "" // Missing, so the mean is that of the other four.
		}
		return strconv.Itoa(w + 1)
	})
	run := replayFolder(t, map[string]string{"cpu.csv": byMinute})
	r := replayJSON(t, run, "--cpu cpu.csv --step 1m")
	if got := r.Policies[0].CPU.Used; got != 3 || r.Split.StepSeconds != 300 {
		t.Errorf("1 and 2 cores are %v in steps of %d s", got, r.Split.StepSeconds)
	}
}

func TestWhatIsRequestedTodayIsReadFromAFile(t *testing.T) {
	run := replayFolder(t, map[string]string{
		"cpu.csv": recordedCSV(5*time.Minute, coresCell), "today.csv": "\ufeffworkload,cpu,memory\r\ndb , 1500m,\r\nweb,2500m,1Gi\r\n",
	})
	r := replayJSON(t, run, "--cpu cpu.csv --step 5m --current today.csv")
	if got := r.Policies[2].CPU.Requested; got != 4 || !r.Split.CurrentKnown {
		t.Errorf("1.5 and 2.5 cores are requested today, and replayed are %v", got)
	}
}

func TestWhatIsRequestedTodayIsNotKnownWithEmptyCells(t *testing.T) {
	run := replayFolder(t, map[string]string{
		"cpu.csv": recordedCSV(5*time.Minute, coresCell), "today.csv": "workload,cpu,memory\ndb,1500m,\nweb,,\n",
	})
	if r := replayJSON(t, run, "--cpu cpu.csv --step 5m --current today.csv"); r.Split.CurrentKnown {
		t.Error("nobody knows what web requests, and the result says that it is known")
	}
}

func TestMemoryThatIsTooLittleForBytesNeedsAUnit(t *testing.T) {
	cell := func(value string) func(int, time.Duration) string {
		return func(int, time.Duration) string { return value }
	}
	run := replayFolder(t, map[string]string{
		"cpu.csv":   recordedCSV(5*time.Minute, coresCell),
		"gib.csv":   recordedCSV(5*time.Minute, cell("0.75")),
		"bytes.csv": recordedCSV(5*time.Minute, cell("2000000")),
	})
	out, errors, code := run("--cpu cpu.csv --step 5m --memory gib.csv" + quick)
	if want := "gib.csv: no value is over 0.75, too little for bytes: say with --memory-unit what they are; legal are B, MiB, GiB and GB"; code != exitUsage ||
		out != "" || !strings.Contains(errors, want) {
		t.Errorf("exit code %d, output %q, error %q, want %q", code, out, errors, want)
	}
	for _, line := range []string{"--memory gib.csv --memory-unit B", "--memory gib.csv --memory-unit GiB", "--memory bytes.csv"} {
		if _, errors, code := run("--cpu cpu.csv --step 5m " + line + quick); code != exitOK {
			t.Errorf("%s: exit code %d, error %q", line, code, errors)
		}
	}
}

// promServer answers range queries for two pods of the Deployment web, whose use does not change. It knows what they request.
func promServer(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query, start, end := r.FormValue("query"), unixSeconds(r.FormValue("start")), unixSeconds(r.FormValue("end"))
		type series struct {
			Metric map[string]string `json:"metric"`
			Values [][2]any          `json:"values"`
		}
		result := []series{}
		add := func(value string, labels ...string) {
			one := series{Metric: map[string]string{}}
			for i := 0; i < len(labels); i += 2 {
				one.Metric[labels[i]] = labels[i+1]
			}
			for at := start; at <= end; at += 300 {
				one.Values = append(one.Values, [2]any{at, value})
			}
			result = append(result, one)
		}
		switch {
		case strings.Contains(query, "kube_deployment_spec_replicas"):
			add("1", "deployment", "web")
		case strings.Contains(query, "kube_pod_container_resource_requests"):
			add("2", "resource", "cpu")
			add("1073741824", "resource", "memory")
		case strings.Contains(query, "container_cpu_usage_seconds_total"):
			add("0.4", "pod", "web-6d4cf56db6-x2k9z", "container", "app")
			add("0.6", "pod", "web-6d4cf56db6-b7c8d", "container", "app")
		case strings.Contains(query, "container_memory_working_set_bytes"):
			add("300000000", "pod", "web-6d4cf56db6-x2k9z", "container", "app")
			add("200000000", "pod", "web-6d4cf56db6-b7c8d", "container", "app")
		}
		answer := map[string]any{"status": "success", "data": map[string]any{"resultType": "matrix", "result": result}}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func unixSeconds(text string) int64 {
	seconds, _ := strconv.ParseFloat(text, 64) // Of a time that is no number, there is no answer.
	return int64(seconds)
}

func TestAReplayReadsPrometheusDayByDay(t *testing.T) {
	url := promServer(t).URL
	r := replayJSON(t, replayFolder(t, nil), "--prometheus "+url+" --namespace shop --days 3")
	if len(r.Policies[0].Workloads) != 1 || r.Policies[0].Workloads[0].Name != "deployment/web/app" {
		t.Fatalf("workloads: %+v", r.Policies[0].Workloads)
	}
	p := r.Policies[0]
	got := []float64{math.Round(p.CPU.Used * 1000), p.Memory.Used, r.Policies[2].CPU.Requested, r.Policies[2].Memory.Requested}
	if diff := cmp.Diff([]float64{500, 3e8, 2, 1 << 30}, got); diff != "" {
		t.Errorf("millicores of the average pod, bytes of the largest, and requests (-want +got):\n%s", diff)
	}
	if !r.Split.CurrentKnown || r.Split.End.Sub(r.Split.Start) != 3*24*time.Hour {
		t.Errorf("split %+v", r.Split)
	}
}

func TestAWorkloadThatPrometheusDoesNotKnowIsNotFound(t *testing.T) {
	url := promServer(t).URL
	for line, want := range map[string]string{
		"--workload sts/db": "Prometheus knows no use of these workloads in namespace shop in the last 3 days",
	} {
		_, errors, code := call(t, strings.Fields("replay --prometheus "+url+" --namespace shop --days 3 "+line)...)
		if code != exitNotFound || !strings.Contains(errors, want) {
			t.Errorf("%s: exit code %d, error %q", line, code, errors)
		}
	}
}

func TestAReplayOfStandardInput(t *testing.T) {
	var out, errors bytes.Buffer
	args := strings.Fields("replay --cpu - --step 5m" + quick)
	code := run(t.Context(), args, streams{in: strings.NewReader(recordedCSV(5*time.Minute, coresCell)), out: &out, err: &errors})
	if code != exitOK || !strings.Contains(out.String(), "2 workloads") {
		t.Errorf("exit code %d, error %q", code, errors.String())
	}
}
