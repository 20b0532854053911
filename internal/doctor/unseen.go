package doctor

import (
	"fmt"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// health asks the API server how it is.
const health = "kubectl get --raw='/readyz?verbose'"

// refusal is how the API server says what somebody may not do.
var refusal = regexp.MustCompile(`cannot (\w+) resource "([^"/]+)(?:/([^"]+))?" in API group "([^"]*)"(?: in the namespace "([^"]+)")?`)

// unseen is a finding about what cannot be looked at. Only what is forbidden is the matter of whoever asks; other errors are
// trouble.
func unseen(check, what string, err error) Finding {
	f := Finding{Check: check, Severity: Error, What: fmt.Sprintf("could not look at %s: %v", what, err), Fix: health}
	if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
		f.Severity, f.What, f.Fix = Unseen, fmt.Sprintf("could not look at %s: you may not read it", what), CanI(err)
	}
	return f
}

// CanI is the command that asks again for the right that a refusal names, or for all that there are where it names none.
func CanI(err error) string {
	m := refusal.FindStringSubmatch(err.Error())
	if m == nil {
		return "kubectl auth can-i --list"
	}
	verb, resource, subresource, group, namespace := m[1], m[2], m[3], m[4], m[5]
	command := []string{"kubectl auth can-i", verb, resource}
	if group != "" {
		command[2] += "." + group
	}
	if subresource != "" {
		command = append(command, "--subresource="+subresource)
	}
	if namespace == "" {
		return strings.Join(append(command, "--all-namespaces"), " ")
	}
	return strings.Join(append(command, "--namespace", namespace), " ")
}
