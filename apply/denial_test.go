package apply_test

import (
	"testing"

	"github.com/loadline-dev/loadline/apply"
)

func TestWhoRefusedAPodIsReadFromTheMessage(t *testing.T) {
	for message, want := range map[string]struct{ policy, sizes bool }{
		`pods "web-1" is forbidden: ValidatingAdmissionPolicy 'ratio' with binding 'ratio' denied request: the CPU limit is more than four times the request`: {true, true},
		`admission webhook "validation.gatekeeper.sh" denied the request: [ratio] container <app> memory limit <2Gi> is higher than the allowed ratio`:        {true, true},
		`admission webhook "validate.kyverno.svc-fail" denied the request: policy Pod/shop/web for resource error: requests must equal limits`:                {true, true},
		`admission webhook "images.example.com" denied the request: the image is not signed`:                                                                  {true, false},
		`pods "web-1" is forbidden: exceeded quota: small, requested: requests.cpu=1, used: requests.cpu=2, limited: requests.cpu=2`:                          {},
		``: {},
	} {
		if got := apply.DeniedByPolicy(message); got != want.policy {
			t.Errorf("refused by a policy: %t, want %t: %s", got, want.policy, message)
		}
		if got := apply.DeniedForSizes(message); got != want.sizes {
			t.Errorf("refused for sizes: %t, want %t: %s", got, want.sizes, message)
		}
	}
}
