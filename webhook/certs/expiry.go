package certs

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
)

// expiry is the metric that Expiry returns.
type expiry struct {
	dir         string
	description *prometheus.Desc
}

// Expiry returns the metric loadline_webhook_certificate_expiration_timestamp_seconds, the time at which the certificate in a
// directory ceases to be valid, in seconds since 1970. Without a certificate that can be read the metric is absent.
func Expiry(dir string) prometheus.Collector {
	return expiry{dir: dir, description: prometheus.NewDesc("loadline_webhook_certificate_expiration_timestamp_seconds",
		"When the certificate that the webhook serves ceases to be valid, in seconds since 1970. Absent while there is none.", nil, nil)}
}

// Describe implements prometheus.Collector.
func (e expiry) Describe(descriptions chan<- *prometheus.Desc) { descriptions <- e.description }

// Collect reads the certificate anew, so that it also tells of one that somebody else has put there.
func (e expiry) Collect(metrics chan<- prometheus.Metric) {
	content, err := os.ReadFile(filepath.Join(e.dir, corev1.TLSCertKey))
	if err != nil {
		return
	}
	end, err := expires(content)
	if err != nil {
		return
	}
	metrics <- prometheus.MustNewConstMetric(e.description, prometheus.GaugeValue, float64(end.Unix()))
}

// expires returns when the first certificate of a chain in PEM, or one of those that it rests on, ceases to be valid.
func expires(chain []byte) (time.Time, error) {
	var end time.Time
	for block, rest := pem.Decode(chain); block != nil; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return time.Time{}, fmt.Errorf("read a certificate: %w", err)
		}
		if end.IsZero() || certificate.NotAfter.Before(end) {
			end = certificate.NotAfter
		}
	}
	if end.IsZero() {
		return time.Time{}, fmt.Errorf("no certificate in %d bytes", len(chain))
	}
	return end, nil
}
