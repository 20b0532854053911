package config

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

var (
	labelName   = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
	headerName  = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
	placeholder = regexp.MustCompile(`\$[a-zA-Z]+`)
	matchers    = regexp.MustCompile(`^([a-zA-Z_][a-zA-Z0-9_]*\s*(=|!=|=~|!~)\s*"([^"\\]|\\.)*"(\s*,\s*|$))+$`)
)

// placeholders of the query templates.
var placeholders = []string{"$by", "$selector", "$namespace", "$rateWindow", "$step"}

func (v *checks) prometheus(at *field.Path, p *Prometheus) {
	v.url(at.Child("url"), p.URL)
	v.auth(at, p)
	v.within(at.Child("parallelQueries"), float64(p.ParallelQueries), 1, 64)
	v.duration(at.Child("timeout"), p.Timeout, time.Second, 10*time.Minute)
	v.within(at.Child("maxResponseBytes"), float64(p.MaxResponseBytes), 1<<16, 1<<30)
	v.duration(at.Child("rateWindow"), p.RateWindow, 5*time.Minute, time.Hour)
	v.within(at.Child("backfillDays"), float64(p.BackfillDays), 1, 28)
	v.duration(at.Child("chunk"), p.Chunk, time.Hour, 28*24*time.Hour)
	v.duration(at.Child("overlap"), p.Overlap, 0, 2*time.Hour)

	labels := at.Child("labels")
	v.labelName(labels.Child("namespace"), p.Labels.Namespace)
	v.labelName(labels.Child("pod"), p.Labels.Pod)
	v.labelName(labels.Child("container"), p.Labels.Container)
	v.rule(at.Child("extraMatchers"), "label matchers, comma-separated")
	if p.ExtraMatchers != "" && !matchers.MatchString(p.ExtraMatchers) {
		v.add(field.Invalid(at.Child("extraMatchers"), p.ExtraMatchers,
			`must be label matchers separated by commas and without braces, such as cluster="prod",job=~"kube.*"`))
	}
	v.queries(at.Child("queries"), &p.Queries)
}

func (v *checks) url(at *field.Path, got string) {
	v.rule(at, "required")
	if got == "" {
		v.add(field.Required(at, "there is no other source of history yet"))
		return
	}
	v.httpURL(at, got, "must have no user, query or fragment; a user belongs into auth")
}

// httpURL refuses what is no URL of a server; plain tells what such a URL must not have.
func (v *checks) httpURL(at *field.Path, got, plain string) {
	v.rule(at, "an http or https URL")
	u, err := url.Parse(got)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		v.add(field.Invalid(at, got, "must be an http or https URL with a host"))
		return
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		v.add(field.Invalid(at, u.Redacted(), plain))
	}
}

func (v *checks) auth(at *field.Path, p *Prometheus) {
	auth, tls := at.Child("auth"), at.Child("tls")
	if p.Auth.BearerTokenFile != "" && p.Auth.User != "" {
		v.add(field.Forbidden(auth.Child("user"), "at most one of bearerTokenFile and user may be set"))
	}
	if (p.Auth.User == "") != (p.Auth.PasswordFile == "") {
		v.add(field.Invalid(auth.Child("passwordFile"), p.Auth.PasswordFile, "user and passwordFile must be set together"))
	}
	if (p.TLS.CertFile == "") != (p.TLS.KeyFile == "") {
		v.add(field.Invalid(tls.Child("keyFile"), p.TLS.KeyFile, "certFile and keyFile must be set together"))
	}
	v.skipVerify(tls.Child("insecureSkipVerify"), p.TLS.InsecureSkipVerify, p.TLS.CAFile)
	v.headers(at.Child("headers"), p.Headers, "use auth, which keeps secrets in files")
}

func (v *checks) skipVerify(at *field.Path, skip bool, caFile string) {
	if skip && caFile != "" {
		v.add(field.Forbidden(at, "contradicts caFile: the one trusts any server, the other verifies"))
	}
}

// headers refuses what cannot be sent, and credentials, for which instead tells the right place.
func (v *checks) headers(at *field.Path, headers map[string]string, instead string) {
	v.rule(at, "names and values of HTTP headers, without Authorization")
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		header := at.Key(name)
		switch {
		case !headerName.MatchString(name):
			v.add(field.Invalid(header, name, "must be the name of an HTTP header"))
		case strings.EqualFold(name, "Authorization"):
			v.add(field.Forbidden(header, instead))
		case strings.ContainsAny(headers[name], "\r\n\x00"):
			v.add(field.Invalid(header, "", "must be one line"))
		}
	}
}

func (v *checks) labelName(at *field.Path, got string) {
	v.rule(at, "a name of a label")
	if !labelName.MatchString(got) {
		v.add(field.Invalid(at, got, "must be the name of a label: letters, digits and _, not starting with a digit"))
	}
}

func (v *checks) queries(at *field.Path, q *PrometheusQueries) {
	v.query(at.Child("cpu"), q.CPU, true)
	v.query(at.Child("workingSet"), q.WorkingSet, true)
	v.query(at.Child("rss"), q.RSS, false)
	v.query(at.Child("throttledPeriods"), q.ThrottledPeriods, false)
	v.query(at.Child("periods"), q.Periods, false)
	if (q.ThrottledPeriods == "") != (q.Periods == "") {
		v.add(field.Invalid(at.Child("periods"), q.Periods, "throttledPeriods and periods must be asked together or not at all"))
	}
}

func (v *checks) query(at *field.Path, template string, required bool) {
	v.rule(at, "PromQL with $selector or $namespace")
	if template == "" {
		if required {
			v.add(field.Required(at, "a PromQL query with $selector or $namespace"))
		}
		return
	}
	words := placeholder.FindAllString(template, -1)
	for _, word := range words {
		if !slices.Contains(placeholders, word) {
			v.add(field.Invalid(at, template, fmt.Sprintf("%s is unknown; known are %s", word, strings.Join(placeholders, ", "))))
		}
	}
	if !slices.Contains(words, "$selector") && !slices.Contains(words, "$namespace") {
		v.add(field.Invalid(at, template, "must contain $selector or $namespace: it is asked once per namespace"))
	}
}
