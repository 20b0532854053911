package apply_test

import (
	"testing"

	"github.com/loadline-dev/loadline/apply"
)

func TestThatAPolicyRefusedAPodForItsSizesIsReadFromTheMessage(t *testing.T) {
	for message, want := range map[string]bool{
		`pods "web-1" is forbidden: ValidatingAdmissionPolicy 'ratio' with binding 'ratio' denied request: the CPU limit is more than four times the request`:                                                                                         true,
		`admission webhook "validation.gatekeeper.sh" denied the request: [ratio] container <app> memory limit <2Gi> is higher than the allowed ratio`:                                                                                                true,
		`admission webhook "validate.kyverno.svc-fail" denied the request: policy Pod/shop/web for resource error: requests must equal limits`:                                                                                                        true,
		"admission webhook \"validate.kyverno.svc-fail\" denied the request: \n\nresource Pod/shop/web-1 was blocked due to the following policies \n\nverify-images:\n  signed: 'failed to verify image: the configuration names no such operation'": false,
		"admission webhook \"validate.kyverno.svc-fail\" denied the request: \n\nresource Pod/shop/web-1 was blocked due to the following policies \n\nlimits:\n  memory: 'validation error: memory requests must equal limits'":                      true,
		`admission webhook "images.example.com" denied the request: the image is not signed`:                                                                                                                                                          false,
		`pods "web-1" is forbidden: exceeded quota: small, requested: requests.cpu=1, used: requests.cpu=2, limited: requests.cpu=2`:                                                                                                                  false,
		``: false,
	} {
		if got := apply.DeniedForSizes(message); got != want {
			t.Errorf("refused for sizes: %t, want %t: %s", got, want, message)
		}
	}
}
