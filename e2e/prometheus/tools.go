//go:build tools

// Package prometheus keeps the Prometheus command among this module's
// requirements; nothing imports it.
package prometheus

import _ "github.com/prometheus/prometheus/cmd/prometheus"
