package doctor

import (
	"context"
	"fmt"
	"net/http"
	"time"

	utilversion "k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/rest"
)

const (
	// oldest version of Kubernetes that is supported: admission policies and match conditions are stable from it on.
	oldest = "1.30.0"
	// skewed is how far two clocks may be apart. Windows of events and cooldowns are minutes long.
	skewed = 30 * time.Second
)

// cluster looks at the version of the API server, and whether pods can be resized in place.
func (e examiner) cluster(context.Context) []Finding {
	const check = "cluster"
	info, err := e.Discovery.ServerVersion()
	if err != nil {
		return []Finding{unseen(check, "the API server's version", err)}
	}
	found := Finding{Check: check, Severity: OK, What: "Kubernetes " + info.GitVersion, Where: e.REST.Host}
	running, err := utilversion.ParseGeneric(info.GitVersion)
	switch {
	case err != nil:
		found.Severity, found.What, found.Fix = Warning, fmt.Sprintf("the API server says that it has version %q", info.GitVersion), "kubectl version"
	case running.LessThan(utilversion.MustParseGeneric(oldest)):
		found.Severity, found.What, found.Fix = Error, fmt.Sprintf("Kubernetes is %s, and Loadline needs %s or newer", info.GitVersion, oldest), "kubectl version"
	}
	return []Finding{found, e.resize()}
}

func (e examiner) resize() Finding {
	const check = "in-place resize"
	resources, err := e.Discovery.ServerResourcesForGroupVersion("v1")
	if err != nil {
		return unseen(check, "what the API server serves", err)
	}
	for _, r := range resources.APIResources {
		if r.Name == "pods/resize" {
			return Finding{Check: check, Severity: OK, What: "running pods can be resized in place"}
		}
	}
	return Finding{
		Check: check, Severity: Warning, What: "the API server does not serve pods/resize: running pods are evicted instead, where that is allowed",
		Fix: "kubectl get --raw=/metrics | grep InPlacePodVerticalScaling",
	}
}

// clocks compares this machine's clock with the API server's and with Prometheus'.
func (e examiner) clocks(ctx context.Context) []Finding {
	const check = "clock"
	theirs, err := serverTime(ctx, e.REST)
	if err != nil {
		return []Finding{unseen(check, "the API server's clock", err)}
	}
	found := []Finding{e.compare(check, "the API server's clock", theirs)}
	if e.Prometheus == nil {
		return found
	}
	if theirs, err = prometheusTime(ctx, e.Prometheus); err != nil {
		return found // Why Prometheus does not answer is told by its own check.
	}
	return append(found, e.compare(check, "Prometheus' clock", theirs))
}

func (e examiner) compare(check, what string, theirs time.Time) Finding {
	apart := e.Clock.Since(theirs).Round(time.Second)
	if apart.Abs() <= skewed {
		return Finding{Check: check, Severity: OK, What: fmt.Sprintf("%s agrees with this machine's, to within %s", what, skewed)}
	}
	word := "behind"
	if apart < 0 {
		word = "ahead of"
	}
	return Finding{
		Check: check, Severity: Warning, What: fmt.Sprintf("%s is %s %s this machine's: one of the two is wrong", what, apart.Abs(), word), Fix: "date -u && timedatectl status",
	}
}

// serverTime is what the API server's answer says in its header.
func serverTime(ctx context.Context, cfg *rest.Config) (time.Time, error) {
	c, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return time.Time{}, fmt.Errorf("prepare a request: %w", err)
	}
	base, _, err := rest.DefaultServerUrlFor(cfg)
	if err != nil {
		return time.Time{}, fmt.Errorf("find the API server's address: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base.JoinPath("version").String(), nil)
	if err != nil {
		return time.Time{}, fmt.Errorf("prepare a request: %w", err)
	}
	response, err := c.Do(request)
	if err != nil {
		return time.Time{}, err
	}
	defer func() { _ = response.Body.Close() }()
	return http.ParseTime(response.Header.Get("Date"))
}
