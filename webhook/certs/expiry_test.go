package certs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestTheMetricTellsWhenTheCertificateExpires(t *testing.T) {
	const help = `
# HELP loadline_webhook_certificate_expiration_timestamp_seconds When the certificate that the webhook serves ceases to be valid, in seconds since 1970. Absent while there is none.
# TYPE loadline_webhook_certificate_expiration_timestamp_seconds gauge
loadline_webhook_certificate_expiration_timestamp_seconds %g
`
	dir, end := t.TempDir(), time.Unix(2_000_000_000, 0)
	metric := Expiry(dir)
	if n := testutil.CollectAndCount(metric); n != 0 {
		t.Errorf("%d values without a certificate", n)
	}

	mustWrite(t, dir, certificate(t, end))
	if err := testutil.CollectAndCompare(metric, strings.NewReader(fmt.Sprintf(help, 2e9))); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.CollectAndLint(metric); err != nil || len(problems) > 0 {
		t.Errorf("promtool objects: %v, %v", problems, err)
	}

	// Of a chain, what ends first counts.
	chain := slices.Concat(certificate(t, end)["tls.crt"], certificate(t, end.Add(-24*time.Hour))["tls.crt"])
	if err := os.WriteFile(filepath.Join(dir, "tls.crt"), chain, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := testutil.CollectAndCompare(metric, strings.NewReader(fmt.Sprintf(help, 2e9-24*60*60))); err != nil {
		t.Error(err)
	}

	if err := os.WriteFile(filepath.Join(dir, "tls.crt"), []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n := testutil.CollectAndCount(metric); n != 0 {
		t.Errorf("%d values for a file that is no certificate", n)
	}
}
