package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/loadline-dev/loadline/config"
	"github.com/loadline-dev/loadline/internal/testkit"
	"github.com/loadline-dev/loadline/report"
)

func TestReportIsWrittenInEveryFormatWithTheNodesThatCouldGo(t *testing.T) {
	kubeconfig := fakeAPI(t, sized("shop", "checkout"))
	for format, want := range map[string]string{
		"table": "Could go: idle, which cost 141.79 USD a month", "markdown": "- Could go: idle", "html": "<p>Could go: idle", "json": `"couldGo": [`, "yaml": "couldGo:\n  - idle",
		"csv": "shop,Deployment,checkout",
	} {
		out, errors, code := call(t, "report", "--kubeconfig", kubeconfig, "-o", format)
		if code != exitOK || errors != "" || !strings.Contains(out, want) {
			t.Errorf("%s: exit code %d, error %q, no word of %q:\n%s", format, code, errors, want, out)
		}
	}
	for _, args := range [][]string{{"--nodes=false"}, {"--namespace", "shop"}} {
		if out, _, code := call(t, append([]string{"report", "--kubeconfig", kubeconfig}, args...)...); code != exitOK || strings.Contains(out, "Nodes:") {
			t.Errorf("report %v: exit code %d, output:\n%s", args, code, out)
		}
	}
}

func TestReportUsesPricesAndComparesWithAnEarlierOne(t *testing.T) {
	kubeconfig, dir := fakeAPI(t, sized("shop", "checkout")), t.TempDir()
	prices, earlier := filepath.Join(dir, "prices.yaml"), filepath.Join(dir, "earlier.json")
	out, _, _ := call(t, "report", "--kubeconfig", kubeconfig, "-o", "json")
	for file, text := range map[string]string{prices: "{currency: EUR, source: our contract, coreHour: 0.02, gibHour: 0.003}", earlier: out} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, errors, code := call(t, "report", "--kubeconfig", kubeconfig, "--prices", prices, "--since", earlier)
	if code != exitOK || !strings.Contains(out, "0.02 EUR for a core") || !strings.Contains(out, "(our contract)") || !strings.Contains(out, "the health score changed by +0") {
		t.Errorf("exit code %d, error %q, output:\n%s", code, errors, out)
	}
	for _, args := range [][]string{{"--prices", earlier}, {"--since", prices}, {"--prices", dir + "/none"}, {"--since", dir + "/none"}} {
		if out, errors, code := call(t, append([]string{"report", "--kubeconfig", kubeconfig}, args...)...); code != exitError || !strings.Contains(errors, args[1]) || out != "" {
			t.Errorf("report %v: exit code %d, error %q, output %q", args, code, errors, out)
		}
	}
}

func TestWhoMayNotReadPodsGetsTheReportWithoutNodes(t *testing.T) {
	objects := append(installation("loadline-system"), sized("shop", "checkout"), testkit.Node("idle", "4", "16Gi"))
	c := fakeCluster(t, interceptor.Funcs{List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
		if _, pods := list.(*corev1.PodList); pods {
			return errors.New("nobody may")
		}
		return c.List(ctx, list, options...)
	}}, objects...)
	var in report.Input
	var said strings.Builder
	options := reportOptions{nodes: true, operator: "loadline-system"}
	if err := options.gather(t.Context(), c, streams{err: &said}, &in); err != nil || len(in.Recommendations) != 1 || in.Nodes != nil {
		t.Errorf("error %v, %d recommendations, nodes %v", err, len(in.Recommendations), in.Nodes)
	}
	if want := "loadline: nodes are left out: list pods: nobody may\n"; said.String() != want {
		t.Errorf("said %q, want %q", said.String(), want)
	}
}

// A kill switch that nobody sees is believed not to be pulled.
func TestTheKillSwitchIsLookedForWhereLoadlineRuns(t *testing.T) {
	pulled := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "ops", Name: "loadline-kill-switch"}, Data: map[string]string{"stop": "true"}}
	process := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "laptop", Name: "loadline-updater"}}
	c := fakeCluster(t, interceptor.Funcs{}, append(installation("ops"), sized("shop", "checkout"), pulled, process)...)
	for namespace, want := range map[string]struct {
		halts int
		said  string
	}{
		"ops":             {1, ""},
		"laptop":          {0, ""},
		"loadline-system": {0, "cannot be told: there is no Loadline in namespace loadline-system; name the one where it runs with --operator-namespace\n"},
	} {
		in, said := report.Input{Namespace: "shop"}, strings.Builder{}
		options := reportOptions{operator: namespace}
		if err := options.gather(t.Context(), c, streams{err: &said}, &in); err != nil {
			t.Fatal(err)
		}
		if len(in.Halts) != want.halts || !strings.HasSuffix(said.String(), want.said) || (said.String() == "") != (want.said == "") {
			t.Errorf("in %s: halts %q, said %q", namespace, in.Halts, said.String())
		}
	}
}

// Better no dashboard than one in a currency that nobody pays in.
func TestAWrongFileOfPricesKeepsTheDashboardFromBeingServed(t *testing.T) {
	cfg := config.Default()
	cfg.Dashboard.Address, cfg.Dashboard.PricesFile = "127.0.0.1:0", filepath.Join(t.TempDir(), "prices.yaml")
	if err := os.WriteFile(cfg.Dashboard.PricesFile, []byte("{source: our contract, coreHour: 1, gibHour: 1}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := serveDashboard(t.Context(), nil, cfg); err == nil || !strings.Contains(err.Error(), "prices.yaml: currency: legal is") {
		t.Errorf("error %v", err)
	}
}

func TestReportAndExportGoByTheOperatorsConfiguration(t *testing.T) {
	web := exportable("web", 500)
	web.Status.ObservedTime = new(metav1.NewTime(time.Now().Add(-90 * time.Minute)))
	operator := installation("ops")
	operator[1].(*corev1.ConfigMap).Data["config.yaml"] += "recommender: {refreshInterval: 30m, staleAfter: 1h}\n" +
		"scaling: {kinds: [{group: argoproj.io, version: v1alpha1, kind: Rollout, resource: rollouts}]}\n"
	c := fakeCluster(t, interceptor.Funcs{}, append(operator, web, deployment("web", "2"))...)
	for namespace, stale := range map[string]bool{"ops": true, "elsewhere": false} {
		in, said := report.Input{Namespace: "shop"}, strings.Builder{}
		if err := (&reportOptions{operator: namespace}).gather(t.Context(), c, streams{err: &said}, &in); err != nil {
			t.Fatal(err)
		}
		if risks := report.New(in).Risks; slices.ContainsFunc(risks, func(r report.Risk) bool { return r.Type == report.RiskStale }) != stale {
			t.Errorf("%s: risks %+v", namespace, risks)
		}
		if _, known := in.Kinds.Named("Rollout"); known != stale {
			t.Errorf("%s: kinds %v", namespace, in.Kinds)
		}
		export := exportOptions{operator: namespace}
		export.askOperator(t.Context(), c)
		workloads, err := readWorkloads(t.Context(), c, "shop")
		if err != nil {
			t.Fatal(err)
		}
		if changes := export.compare(streams{err: &said}, workloads, 0); (len(changes) == 0) != stale {
			t.Errorf("%s: exported %+v, said %q", namespace, changes, said.String())
		}
	}
}

func TestAReportOfOneNamespaceIsNotComparedWithTheWholeCluster(t *testing.T) {
	kubeconfig, earlier := fakeAPI(t, sized("shop", "checkout"), sized("bank", "ledger")), filepath.Join(t.TempDir(), "shop.json")
	out, _, _ := call(t, "report", "--kubeconfig", kubeconfig, "--namespace", "shop", "-o", "json")
	if err := os.WriteFile(earlier, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	_, said, code := call(t, "report", "--kubeconfig", kubeconfig, "--since", earlier)
	if want := "shop.json: that report is about namespace shop, and this one would be about the whole cluster"; code != exitUsage || !strings.Contains(said, want) {
		t.Errorf("exit code %d, error %q", code, said)
	}
	if _, said, code := call(t, "report", "--kubeconfig", kubeconfig, "--namespace", "shop", "--since", earlier); code != exitOK {
		t.Errorf("the same namespace: exit code %d, error %q", code, said)
	}
}
